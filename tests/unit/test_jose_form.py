"""Compact JWS: one text for one token (catalogue J11 to J14), and any text at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import jose
from comity.errors import Code, Malformed
from tests.unit.tokens import SIGNER, accept, code_of, segment, signed, token

# --- J11: duplicate members


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"ES256","alg":"none","typ":"vc+jwt"}',
        b'{"alg":"ES256","typ":"vc+jwt","jwk":{"kty":"EC","kty":"oct"}}',
        b'{"alg":"ES256","typ":"vc+jwt","x":[{"a":{"b":1,"b":1}}]}',
    ],
)
@pytest.mark.attack("J11")
def test_duplicate_members_in_the_header(header: bytes) -> None:
    assert code_of(signed(header)) is Code.DUPLICATE_MEMBER


@pytest.mark.parametrize("payload", [b'{"iss":"a","iss":"b"}', b'{"a":[{"b":{"c":1,"c":2}}]}'])
@pytest.mark.attack("J11")
def test_duplicate_members_in_the_payload(payload: bytes) -> None:
    jws = jose.parse(signed({"alg": "ES256"}, payload))
    with pytest.raises(Malformed) as raised:
        jose.payload_object(jws)
    assert raised.value.code is Code.DUPLICATE_MEMBER


@pytest.mark.parametrize("payload", [b"[]", b"", b"text", b"\xff"])
def test_a_payload_that_is_not_an_object(payload: bytes) -> None:
    jws = jose.parse(signed({"alg": "ES256"}, payload))
    with pytest.raises(Malformed) as raised:
        jose.payload_object(jws)
    assert raised.value.code is Code.MALFORMED_JSON


# --- J12: one signature, one text


@pytest.mark.clause("C5")
@pytest.mark.attack("J12")
@pytest.mark.good_twin("J12")
def test_no_other_spelling_of_a_token_is_read() -> None:
    good = jose.sign({"typ": "vc+jwt"}, {"a": "??>>"}, SIGNER)
    accept(good)
    header, payload, signature = good.split(".")
    spellings = [
        f"{header}.{payload}.{signature}==",
        f"{header}=.{payload}.{signature}",
        f"{good}\n",
        f" {good}",
        f"{header}. {payload}.{signature}",
        f"{header}.{payload}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
        f"{header}.{payload}.{signature}AAA",
        f"{header}.{payload}.{signature}\u00e9",
    ]
    for spelling in spellings:
        assert code_of(spelling) is Code.MALFORMED_BASE64URL, spelling


# --- J13: other serialisations


@pytest.mark.parametrize("number", [0, 1, 2, 4, 5, 6])
@pytest.mark.attack("J13")
def test_three_segments_exactly(number: int) -> None:
    assert code_of(".".join([segment({"alg": "ES256"})] * number)) is Code.MALFORMED_JWS


@pytest.mark.parametrize("extra", [{}, {"header": {"alg": "none"}}, {"  .": "..", "x": "a.b.c"}])
@pytest.mark.attack("J13")
def test_json_serialisations_are_refused(extra: dict[str, Any]) -> None:
    header, payload, signature = jose.sign({"typ": "vc+jwt"}, {}, SIGNER).split(".")
    flattened = {"protected": header, "payload": payload, "signature": signature, **extra}
    with pytest.raises(Malformed):
        jose.parse(json.dumps(flattened))
    with pytest.raises(Malformed):  # python-jwt's mixed form: JSON that also splits into three parts
        jose.parse(f'{{"  {header}.{payload}.":"","protected":"{header}","signature":"{signature}"}}')


def test_an_empty_payload_is_a_payload() -> None:
    assert accept(signed({"alg": "ES256", "typ": "vc+jwt"}, b"")).payload == b""


# --- J14 and the header's shape


@pytest.mark.parametrize("header", [b"[]", b'"alg"', b"null", b"", b"{", b"\xff", b'{"alg":"ES256"} '[:-2]])
def test_a_header_that_is_not_an_object(header: bytes) -> None:
    assert code_of(token(header)) is Code.MALFORMED_JSON


@pytest.mark.parametrize("member", ["alg", "typ", "kid"])
@pytest.mark.parametrize("value", [1, None, ["ES256"], {"a": 1}, True])
def test_text_members_are_text(member: str, value: Any) -> None:
    assert code_of(token({"alg": "ES256", "typ": "vc+jwt", member: value})) is Code.MALFORMED_JWS


@pytest.mark.attack("J14")
@pytest.mark.good_twin("J14")
def test_a_kid_has_a_length_limit_and_is_otherwise_opaque() -> None:
    for kid in ("../../etc/passwd", "'; DROP TABLE keys; --", "a\nb", "k" * jose.MAX_KID_LENGTH):
        assert accept(signed({"alg": "ES256", "typ": "vc+jwt", "kid": kid})).header["kid"] == kid
    assert code_of(signed({"alg": "ES256", "typ": "vc+jwt", "kid": "k" * 1025})) is Code.MALFORMED_JWS


@pytest.mark.attack("Q07")
def test_the_size_is_limited() -> None:
    encoded = jose.sign({"typ": "vc+jwt"}, {}, SIGNER)
    assert jose.parse(encoded, max_bytes=len(encoded)).encoded == encoded
    with pytest.raises(Malformed) as raised:
        jose.parse(encoded, max_bytes=len(encoded) - 1)
    assert raised.value.code is Code.TOO_LARGE


# --- any input


@given(st.text() | st.text(alphabet="eyJhbGciOiJFUzI1NiJ9.-_ {}\"':"))
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    try:
        jws = jose.parse(text)
    except Malformed:
        return
    assert jws.encoded == text


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "crit", "jwk", "b64", "kid"]),
        st.sampled_from(["ES256", "none", "vc+jwt"]) | st.none() | st.integers() | st.lists(st.text(max_size=3)),
    ),
    st.binary(max_size=70),
)
def test_any_header_is_refused_without_a_key(header: dict[str, Any], signature: bytes) -> None:
    with pytest.raises(Malformed):
        accept(token(header, signature=signature))
