"""The Token Status List as a JWT: comity.status.token_list."""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, jose
from comity.credential import Status, StatusEntry, X5c
from comity.errors import Code, Malformed, Misconfigured
from comity.keys import KeySigner, public_key
from comity.status import token_list
from comity.status.bits import WIDTHS, StatusBits, deflate
from comity.status.status_list import StatusList
from tests.unit.status.lists import (
    ABSENT,
    CHAIN,
    EXPIRES_AT,
    ISSUED_AT,
    KID,
    REVOKED_AT,
    SIGNER,
    SIZE,
    STORE,
    SUSPENDED_AT,
    URI,
    credential,
    edited,
    token,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def decoded(encoded: str) -> StatusList:
    return token_list.decode(token_list.open(encoded))


def refusal(encoded: str) -> Code:
    """The code with which the list is refused, by `open` or by `decode`."""
    with pytest.raises(Malformed) as caught:
        decoded(encoded)
    return caught.value.code


def test_what_was_signed_is_read() -> None:
    opened = token_list.open(token())
    jose.verify(opened.jws, public_key(SIGNER.public_jwk))
    assert (opened.format, opened.uri, opened.issuer, opened.key) == ("statuslist+jwt", URI, None, CHAIN)
    read = token_list.decode(opened)
    assert (read.uri, read.purposes, read.ttl_seconds) == (URI, (), 300)
    assert (read.issued_at, read.expires_at, len(read)) == (ISSUED_AT, EXPIRES_AT, SIZE)
    assert [n for n in range(SIZE) if read.value(n)] == [REVOKED_AT, SUSPENDED_AT]
    assert read.status_of(StatusEntry(list_uri=URI, index=0)) is Status.VALID
    assert read.status_of(StatusEntry(list_uri=URI, index=REVOKED_AT)) is Status.REVOKED
    assert read.status_of(StatusEntry(list_uri=URI, index=SUSPENDED_AT)) is Status.SUSPENDED


@pytest.mark.clause("TSL-1")
def test_the_token_is_as_the_draft_says() -> None:
    """TSL §5.1; profile TSL-1."""
    jws = jose.parse(token())
    assert jws.header == {"alg": "ES256", "typ": "statuslist+jwt", "x5c": list(CHAIN.chain)}
    payload = jose.payload_object(jws)
    assert {name: payload[name] for name in ("sub", "iat", "exp", "ttl")} == {
        "sub": URI,
        "iat": int(ISSUED_AT.timestamp()),
        "exp": int(EXPIRES_AT.timestamp()),
        "ttl": 300,
    }
    assert sorted(payload["status_list"]) == ["bits", "lst"]
    assert payload["status_list"]["bits"] == 2
    assert zlib.decompress(base64url.decode(payload["status_list"]["lst"])) == STORE.least_first()


def test_a_key_may_be_named_by_a_did() -> None:
    assert token_list.open(token(key=KID)).key == KID


def test_an_issuer_is_read_when_it_is_there() -> None:
    assert token_list.open(edited(token(), iss="https://issuer.example")).issuer == "https://issuer.example"


@pytest.mark.parametrize("bits", WIDTHS)
def test_every_width_round_trips(bits: int) -> None:
    """Catalogue L05."""
    store = StatusBits(SIZE, bits)
    store.set(3, 2**bits - 1)
    store.set(SIZE - 1, 1)
    read = decoded(token(bits=store))
    assert [n for n in range(SIZE) if read.value(n)] == [3, SIZE - 1]
    assert (read.value(3), read.value(SIZE - 1)) == (2**bits - 1, 1)


# --- signing


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bits": StatusBits(SIZE - 8)}, Code.STATUS_LIST_TOO_SHORT),
        ({"ttl_seconds": 0}, Code.STATUS_LIST_INVALID),
        ({"expires_at": ISSUED_AT}, Code.STATUS_LIST_INVALID),
    ],
)
def test_a_list_that_makes_no_sense_is_not_signed(changes: dict[str, Any], code: Code) -> None:
    with pytest.raises(Misconfigured) as caught:
        token(**changes)
    assert caught.value.code is code


# --- reading: header


@pytest.mark.parametrize("typ", ["jwt", "JWT", "vc+jwt", "application/statuslist+jwt", "STATUSLIST+JWT", "dc+sd-jwt"])
def test_a_token_of_another_type_is_no_list(typ: str) -> None:
    """Profile C3, TSL-1."""
    assert refusal(edited(token(), header={"typ": typ})) is Code.TYPE_NOT_ALLOWED


def test_a_token_without_a_type_is_no_list() -> None:
    assert refusal(edited(token(), header={"typ": ABSENT})) is Code.TYPE_NOT_ALLOWED


def test_a_bitstring_list_is_no_token_list() -> None:
    assert refusal(credential()) is Code.TYPE_NOT_ALLOWED


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", ""])
def test_an_algorithm_outside_the_list_is_refused(alg: str) -> None:
    """Profile C1; catalogue L03: an unsigned list, or one that anyone can sign with a public key as the secret."""
    head, body, signature = token().split(".")
    header = base64url.decode(head).replace(b'"ES256"', f'"{alg}"'.encode())
    unsigned = f"{base64url.encode(header)}.{body}.{signature if alg != 'none' else ''}"
    assert refusal(unsigned) is Code.ALGORITHM_NOT_ALLOWED


def test_a_list_signed_by_another_does_not_verify() -> None:
    """Catalogue L03; the good twin is `test_what_was_signed_is_read`."""
    opened = token_list.open(token(signer=KeySigner.generate()))
    with pytest.raises(Malformed) as caught:
        jose.verify(opened.jws, public_key(SIGNER.public_jwk))
    assert caught.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "header",
    [
        {"x5c": []},
        {"x5c": "TEVBRg=="},
        {"x5c": [1]},
        {"x5c": ABSENT},
        {"x5c": {}, "kid": KID.did_url},
    ],
)
def test_a_list_whose_key_cannot_be_told_is_refused(header: dict[str, Any]) -> None:
    assert refusal(edited(token(), header=header)) is Code.KEY_NOT_FOUND


def test_a_chain_is_preferred_to_a_kid_beside_it() -> None:
    assert isinstance(token_list.open(edited(token(), header={"kid": "did:web:other.example#1"})).key, X5c)


# --- reading: claims


@pytest.mark.parametrize(
    "members",
    [
        {"sub": ABSENT},
        {"sub": 7},
        {"sub": ""},
        {"iss": 7},
        {"iat": ABSENT},
        {"ttl": -1},
        {"ttl": "300"},
        {"ttl": True},
        {"ttl": None},
        {"ttl": 2**53 + 1},
        {"status_list": ABSENT},
        {"status_list": []},
        {"status_list__bits": ABSENT},
        {"status_list__bits": 3},
        {"status_list__bits": 0},
        {"status_list__bits": "2"},
        {"status_list__bits": 2.0},
        {"status_list__bits": True},
        {"status_list__lst": ABSENT},
        {"status_list__lst": 7},
        {"status_list__lst": ""},
        {"status_list__lst": base64url.encode(deflate(b""))},
    ],
)
@pytest.mark.clause("TSL-1")
def test_a_claim_that_is_missing_or_unreadable_is_refused(members: dict[str, Any]) -> None:
    """TSL §8.3 step 4; profile TSL-1. The good twin is `test_what_was_signed_is_read`."""
    assert refusal(edited(token(), **members)) is Code.STATUS_LIST_INVALID


@pytest.mark.parametrize("name", ["iat", "exp"])
@pytest.mark.parametrize("value", ["1700000000", True, -1, None, 253_402_300_800, 10**400])
def test_a_time_that_is_none_is_refused(name: str, value: Any) -> None:
    assert refusal(edited(token(), **{name: value})) is Code.TIME_MALFORMED


def test_ttl_and_end_may_be_absent() -> None:
    """TSL §5.1: both are recommended, neither is required."""
    read = decoded(edited(token(), ttl=ABSENT, exp=ABSENT))
    assert (read.ttl_seconds, read.expires_at) == (None, None)


@pytest.mark.parametrize(("stated", "read"), [(0, 0), (0.5, 1), (1e12, 10**12), (300.0, 300)])
def test_a_ttl_is_told_as_stated_for_the_caller_to_bound(stated: float, read: int) -> None:
    """Catalogue L11: clamped by `comity.verification.status`, where the clock is."""
    assert decoded(edited(token(), ttl=stated)).ttl_seconds == read


def test_an_instant_may_have_a_fraction() -> None:
    read = decoded(edited(token(), iat=1_700_000_000.5))
    assert read.issued_at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)


def test_an_expired_list_is_decoded_for_the_caller_to_judge() -> None:
    long_ago = ISSUED_AT - timedelta(days=4000)
    assert decoded(token(issued_at=long_ago, expires_at=long_ago + timedelta(days=1))).expires_at is not None


@pytest.mark.parametrize("lst", ["====", "eNo=", "eN+/", "é", "e"])
def test_a_list_must_be_base64url(lst: str) -> None:
    assert refusal(edited(token(), status_list__lst=lst)) is Code.MALFORMED_BASE64URL


def test_a_bomb_in_a_token_is_refused() -> None:
    """Catalogue L07."""
    bomb = base64url.encode(deflate(bytes((16 << 20) + 1)))
    assert refusal(edited(token(), status_list__lst=bomb)) is Code.TOO_LARGE


def test_a_token_larger_than_any_list_is_refused_unread() -> None:
    assert refusal("a" * ((8 << 20) + 1)) is Code.TOO_LARGE


def test_a_list_larger_than_an_ordinary_token_is_read() -> None:
    """2^22 entries of two bits, not compressed: beyond the 1 MiB that other tokens get."""
    lst = base64url.encode(zlib.compress(bytes(1 << 20), 0))
    assert len(lst) > 1 << 20
    assert len(decoded(edited(token(), status_list__lst=lst))) == 1 << 22


# --- anything at all


@given(st.text(max_size=200) | st.binary(max_size=200).map(base64url.encode))
def test_any_text_is_a_list_or_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        token_list.open(text)


@given(json_values, st.sampled_from(["sub", "iss", "iat", "exp", "ttl", "status_list"]))
def test_any_claim_is_read_or_malformed(value: Any, name: str) -> None:
    try:
        decoded(edited(token(), **{name: value}))
    except Malformed:
        return


@given(json_values, json_values)
def test_any_list_member_is_read_or_malformed(bits: Any, lst: Any) -> None:
    try:
        token_list.unpack({"bits": bits, "lst": lst})
    except Malformed:
        return


@given(st.sampled_from(["x5c", "kid", "typ"]), json_values)
def test_any_header_is_read_or_malformed(name: str, value: Any) -> None:
    try:
        token_list.open(edited(token(), header={name: value}))
    except Malformed:
        return
