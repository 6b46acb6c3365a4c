"""One text for each byte string, and no other."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url
from comity.errors import Code, Malformed


@pytest.mark.parametrize(
    ("data", "text"), [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xff", "-_8")]
)
def test_rfc_4648_examples_without_padding(data: bytes, text: str) -> None:
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@pytest.mark.parametrize(
    "text",
    [
        "Zg==",
        "Zg=",
        "Zm8=",
        "+/8",
        "Zm 9v",
        "Zm9v\n",
        "\tZm9v",
        "Z",
        "ZZZZZ",
        "Zh",
        "Zm9",
        "Zé",
        "Zm9v.",
        "Zm\x009v",
        "=",
        "Ｚg",
    ],
)
@pytest.mark.clause("C5")
@pytest.mark.attack("J12")
def test_every_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as raised:
        base64url.decode(text)
    assert raised.value.code is Code.MALFORMED_BASE64URL


@given(st.binary())
@pytest.mark.good_twin("J12")
def test_encoding_and_decoding_are_inverse(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@given(st.text() | st.text(alphabet="ABCDabcd0189-_=+/ \n"))
def test_any_text_is_canonical_or_malformed(text: str) -> None:
    try:
        data = base64url.decode(text)
    except Malformed:
        return
    assert base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text


def test_no_command_takes_a_name_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook whose id began with ``-`` could be listed, but neither renewed nor removed."""
    drawn = [b"\xfb\xff", b"\xf8\x00", b"foo"]
    monkeypatch.setattr(secrets, "token_bytes", lambda _octets: drawn.pop(0))
    assert base64url.new_name(3) == "Zm9v"
    monkeypatch.undo()
    assert len(base64url.decode(base64url.new_name(16))) == 16
