import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code
from comity.openid import form
from comity.openid.refusal import OAuthError, Refusal

REFUSE = Refusal(code=Code.REQUEST_INVALID)


def test_decodes_and_drops_empty_values() -> None:
    assert form.decode(b"a=1&b=%C3%A9+x&c=", REFUSE) == {"a": "1", "b": "é x"}
    assert form.decode("", REFUSE) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=2",
        b"a=&a=2",
        b"a=%ff",
        b"a=%zz",
        b"a=%2",
        b"a=\xc3\xa9",
        "a=é",
        b"&".join(b"f%d=1" % n for n in range(65)),
        b"a=" + b"x" * form.MAX_BYTES,
    ],
)
def test_refuses(body: bytes | str) -> None:
    with pytest.raises(OAuthError) as caught:
        form.decode(body, REFUSE)
    assert caught.value.code is Code.REQUEST_INVALID


def test_64_fields_and_a_full_megabyte_pass() -> None:
    assert len(form.decode(b"&".join(b"f%d=1" % n for n in range(64)), REFUSE)) == 64
    assert len(form.decode(b"a=" + b"x" * (form.MAX_BYTES - 2), REFUSE)["a"]) == form.MAX_BYTES - 2


def test_a_repeatable_parameter_gives_its_first_value() -> None:
    assert form.decode("resource=x&resource=y", REFUSE, repeatable=("resource",)) == {"resource": "x"}


@given(st.dictionaries(st.text(min_size=1).filter(lambda t: t.isascii()), st.text(min_size=1), max_size=5))
def test_round_trip(fields: dict[str, str]) -> None:
    try:
        text = form.encode(fields)
    except UnicodeEncodeError:  # a lone surrogate has no encoding
        return
    assert form.decode(text, REFUSE) == fields


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(OAuthError):
        form.decode(data, REFUSE)
