from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from comity.errors import Code, Malformed
from comity.web import body


def request(data: bytes, content_type: str | None) -> Request:
    headers = [(b"content-type", content_type.encode())] if content_type is not None else []

    async def receive() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/ld+json",
        "application/a.b+json",
    ],
)
async def test_a_json_object_is_read(content_type: str) -> None:
    assert await body.json_object(request(b'{"a": [1]}', content_type)) == {"a": [1]}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "application/json, a/b",
    ],
)
async def test_json_of_another_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(Malformed) as refused:
        await body.json_object(request(b"{}", content_type))
    assert refused.value.code is Code.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.MALFORMED_JSON),
        (b"[]", Code.MALFORMED_JSON),
        (b'{"a":1,"a":2}', Code.DUPLICATE_MEMBER),
        (b'{"a":NaN}', Code.MALFORMED_JSON),
        (b'{"a":1} x', Code.MALFORMED_JSON),
    ],
)
async def test_json_is_read_strictly(data: bytes, code: Code) -> None:
    with pytest.raises(Malformed) as refused:
        await body.json_object(request(data, "application/json"))
    assert refused.value.code is code


FORM = "application/x-www-form-urlencoded"


async def test_a_form_is_read() -> None:
    found = await body.form(request(b"a=b+c&d=%C3%A9%26&e=", f"{FORM};charset=UTF-8"))
    assert found == {"a": "b c", "d": "é&", "e": ""}
    assert await body.form(request(b"", FORM)) == {}


@pytest.mark.parametrize("content_type", [None, "application/json", "multipart/form-data; boundary=x", "text/plain"])
@pytest.mark.attack("Q02")
async def test_a_form_of_another_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(Malformed) as refused:
        await body.form(request(b"a=b", content_type))
    assert refused.value.code is Code.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"a=1&a=2", Code.DUPLICATE_MEMBER),
        (b"a=1&%61=1", Code.DUPLICATE_MEMBER),
        (b"a", Code.MALFORMED),
        (b"a=1&", Code.MALFORMED),
        (b"a=1&&b=2", Code.MALFORMED),
        (b"a=%", Code.MALFORMED),
        (b"a=%4", Code.MALFORMED),
        (b"a=%zz", Code.MALFORMED),
        (b"a=%ff", Code.MALFORMED),
        (b"a=\xc3\xa9", Code.MALFORMED),
        (b"a=%00", Code.MALFORMED),
        (b"%00=a", Code.MALFORMED),
        (b"&".join(b"%d=1" % number for number in range(65)), Code.MALFORMED),
    ],
)
@pytest.mark.attack("Q02")
def test_forms_are_read_strictly(data: bytes, code: Code) -> None:
    with pytest.raises(Malformed) as refused:
        body.parse_form(data)
    assert refused.value.code is code


@pytest.mark.good_twin("Q02")
def test_sixty_four_fields_are_enough() -> None:
    assert len(body.parse_form(b"&".join(b"%d=1" % number for number in range(64)))) == 64


@given(st.binary(max_size=200) | st.from_regex(rb"[a-c=&%0-9]{0,40}", fullmatch=True))
def test_any_bytes_are_a_form_or_malformed(data: bytes) -> None:
    try:
        fields = body.parse_form(data)
    except Malformed:
        return
    assert len(fields) <= body.MAX_FIELDS
    assert body.parse_form(urlencode(fields).encode()) == fields


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(WORDS, WORDS, max_size=8))
def test_what_is_encoded_is_read_back(fields: dict[str, str]) -> None:
    assert body.parse_form(urlencode(fields).encode()) == fields
