"""The Bitstring Status List as a credential: comity.status.bitstring_list."""

import gzip
import zlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, jose
from comity.credential import W3C_CONTEXT, Status, StatusEntry
from comity.errors import Code, Malformed, Misconfigured
from comity.keys import KeySigner, public_key
from comity.status import bitstring_list
from comity.status.bits import Container, StatusBits, deflate
from comity.status.status_list import StatusList
from tests.unit.status.lists import (
    ABSENT,
    CHAIN,
    DID,
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
from tests.unit.status.test_token_list import json_values

LIST_URI = f"{URI}/revocation"


def decoded(encoded: str, *, status_size: int = 1) -> StatusList:
    return bitstring_list.decode(bitstring_list.open(encoded), status_size=status_size)


def refusal(encoded: str) -> Code:
    with pytest.raises(Malformed) as caught:
        decoded(encoded)
    return caught.value.code


def packed(data: bytes) -> str:
    return "u" + base64url.encode(deflate(data, Container.GZIP))


def test_what_was_signed_is_read() -> None:
    opened = bitstring_list.open(credential())
    jose.verify(opened.jws, public_key(SIGNER.public_jwk))
    assert (opened.format, opened.uri, opened.issuer, opened.key) == ("vc+jwt", LIST_URI, DID, KID)
    read = bitstring_list.decode(opened)
    assert (read.uri, read.purposes, read.ttl_seconds) == (LIST_URI, ("revocation",), 300)
    assert (read.issued_at, read.expires_at, len(read)) == (ISSUED_AT, EXPIRES_AT, SIZE)
    assert [n for n in range(SIZE) if read.value(n)] == [REVOKED_AT]
    entry = StatusEntry(list_uri=LIST_URI, index=REVOKED_AT, purpose="revocation")
    assert read.status_of(entry) is Status.REVOKED


def test_the_other_plane_of_the_same_store_says_who_is_suspended() -> None:
    encoded = credential(uri=f"{URI}/suspension", purpose="suspension", bits=STORE.plane(Status.SUSPENDED))
    read = decoded(encoded)
    assert [n for n in range(SIZE) if read.value(n)] == [SUSPENDED_AT]
    entry = StatusEntry(list_uri=f"{URI}/suspension", index=SUSPENDED_AT, purpose="suspension")
    assert read.status_of(entry) is Status.SUSPENDED


@pytest.mark.clause("BSL-2")
def test_the_credential_is_as_the_recommendation_says() -> None:
    """Bitstring Status List §2.2; profile BSL-2; the ttl is in milliseconds."""
    jws = jose.parse(credential())
    assert jws.header == {"alg": "ES256", "typ": "vc+jwt", "kid": KID.did_url}
    payload = jose.payload_object(jws)
    encoded_list = payload["credentialSubject"].pop("encodedList")
    assert payload == {
        "@context": [W3C_CONTEXT],
        "id": LIST_URI,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": DID,
        "validFrom": "2026-11-22T08:30:00Z",
        "validUntil": "2026-11-23T08:30:00Z",
        "credentialSubject": {
            "id": f"{LIST_URI}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "ttl": 300_000,
        },
    }
    assert encoded_list[0] == "u"
    bits = gzip.decompress(base64url.decode(encoded_list[1:]))
    assert bits == bytes([0b0000_0001]) + bytes(SIZE // 8 - 1)  # index 7 is the last bit of the first byte


def test_the_recommendations_fact_about_the_empty_list() -> None:
    """Bitstring Status List §2.2, examples: 131,072 zero bits are 16 KiB, and gzip makes a short text of them.

    The text itself depends on the compressor, so it is read by a foreign inflater and in both directions.
    """
    empty = StatusBits(SIZE, 1)
    encoded = bitstring_list.pack(empty)
    assert gzip.decompress(base64url.decode(encoded[1:])) == bytes(16_384)
    assert len(bitstring_list.unpack(encoded)) == SIZE
    published = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
    values = bitstring_list.unpack(published)
    assert (len(values), values.data) == (SIZE, bytes(16_384))


# --- signing


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bits": StatusBits(SIZE - 8, 1)}, Code.STATUS_LIST_TOO_SHORT),
        ({"bits": StatusBits(SIZE, 2)}, Code.STATUS_LIST_INVALID),
        ({"purpose": "refresh"}, Code.STATUS_LIST_INVALID),
        ({"ttl_seconds": 0}, Code.STATUS_LIST_INVALID),
        ({"valid_until": ISSUED_AT}, Code.STATUS_LIST_INVALID),
    ],
)
def test_a_list_that_makes_no_sense_is_not_signed(changes: dict[str, Any], code: Code) -> None:
    with pytest.raises(Misconfigured) as caught:
        credential(**changes)
    assert caught.value.code is code


def test_instants_are_written_in_utc() -> None:
    toronto = timezone(timedelta(hours=-5))
    payload = jose.payload_object(jose.parse(credential(valid_from=ISSUED_AT.astimezone(toronto))))
    assert payload["validFrom"] == "2026-11-22T08:30:00Z"


# --- reading: header and name


def test_a_key_may_be_named_by_a_chain() -> None:
    assert bitstring_list.open(credential(key=CHAIN)).key == CHAIN


@pytest.mark.parametrize("typ", ["vp+jwt", "statuslist+jwt", "vc+ld+jwt", "jwt", "application/vc+jwt"])
def test_a_token_of_another_type_is_no_list(typ: str) -> None:
    assert refusal(edited(credential(), header={"typ": typ})) is Code.TYPE_NOT_ALLOWED


def test_a_token_list_is_no_bitstring_list() -> None:
    assert refusal(token()) is Code.TYPE_NOT_ALLOWED


def test_an_unsigned_list_is_refused() -> None:
    """Catalogue L03."""
    head, body, _ = credential().split(".")
    header = base64url.decode(head).replace(b'"ES256"', b'"none"')
    assert refusal(f"{base64url.encode(header)}.{body}.") is Code.ALGORITHM_NOT_ALLOWED


def test_a_list_signed_by_another_does_not_verify() -> None:
    opened = bitstring_list.open(credential(signer=KeySigner.generate()))
    with pytest.raises(Malformed) as caught:
        jose.verify(opened.jws, public_key(SIGNER.public_jwk))
    assert caught.value.code is Code.SIGNATURE_INVALID


def test_a_list_without_a_key_is_refused() -> None:
    assert refusal(edited(credential(), header={"kid": ABSENT})) is Code.KEY_NOT_FOUND


def test_an_issuer_may_be_an_object_with_an_id() -> None:
    """VCDM §4.7."""
    assert bitstring_list.open(edited(credential(), issuer={"id": DID, "name": "Services"})).issuer == DID


# --- reading: claims


@pytest.mark.parametrize(
    "members",
    [
        {"id": ABSENT},
        {"id": 7},
        {"issuer": ABSENT},
        {"issuer": []},
        {"issuer": {"name": "Services"}},
        {"@context": ABSENT},
        {"@context": W3C_CONTEXT},
        {"@context": []},
        {"@context": ["https://www.w3.org/2018/credentials/v1"]},
        {"type": ABSENT},
        {"type": []},
        {"type": [7]},
        {"type": ["VerifiableCredential"]},
        {"type": "BitstringStatusListCredential"},
        {"credentialSubject": ABSENT},
        {"credentialSubject": []},
        {"credentialSubject__type": ABSENT},
        {"credentialSubject__type": "StatusList2021"},
        {"validFrom": ABSENT},
        {"credentialSubject__statusPurpose": ABSENT},
        {"credentialSubject__statusPurpose": []},
        {"credentialSubject__statusPurpose": [7]},
        {"credentialSubject__statusPurpose": ""},
        {"credentialSubject__ttl": -1},
        {"credentialSubject__ttl": "300000"},
        {"credentialSubject__ttl": 10**400},
        {"credentialSubject__encodedList": ABSENT},
        {"credentialSubject__encodedList": 7},
        {"credentialSubject__encodedList": ""},
        {"credentialSubject__encodedList": "u"},
    ],
)
def test_a_member_that_is_missing_or_unreadable_is_refused(members: dict[str, Any]) -> None:
    """Profile BSL-2, BSL-3 step 2. The good twin is `test_what_was_signed_is_read`."""
    assert refusal(edited(credential(), **members)) is Code.STATUS_LIST_INVALID


@pytest.mark.parametrize("name", ["validFrom", "validUntil"])
@pytest.mark.parametrize("value", [None, "2026-11-22", "2026-11-22T08:30:00", "2026-13-22T08:30:00Z", 1_700_000_000])
def test_a_time_that_is_none_is_refused(name: str, value: Any) -> None:
    """Profile C7: a time without a zone names no instant."""
    assert refusal(edited(credential(), **{name: value})) is Code.TIME_MALFORMED


def test_a_context_that_could_redefine_terms_is_refused() -> None:
    contexts: dict[str, Any] = {"@context": [W3C_CONTEXT, "https://evil.example/context"]}
    encoded = edited(credential(), **contexts)
    assert refusal(encoded) is Code.CONTEXT_UNKNOWN


def test_end_and_ttl_may_be_absent() -> None:
    read = decoded(edited(credential(), validUntil=ABSENT, credentialSubject__ttl=ABSENT))
    assert (read.expires_at, read.ttl_seconds) == (None, None)


def test_the_day_of_issue_may_stand_in_iat() -> None:
    read = decoded(edited(credential(), validFrom=ABSENT, iat=1_700_000_000))
    assert read.issued_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "stamp",
    ["2026-11-22T08:30:00Z", "2026-11-22T08:30:00.000Z", "2026-11-22T03:30:00-05:00", "2026-11-22T08:30:00+00:00"],
)
def test_instants_are_compared_as_instants(stamp: str) -> None:
    """Profile C7."""
    assert decoded(edited(credential(), validFrom=stamp)).issued_at == ISSUED_AT


@pytest.mark.parametrize(("stated", "read"), [(0, 0), (1, 1), (999, 1), (1001, 2), (1e12, 10**9)])
def test_a_ttl_in_milliseconds_is_told_in_seconds(stated: float, read: int) -> None:
    """Profile §3.1, trap 3."""
    assert decoded(edited(credential(), credentialSubject__ttl=stated)).ttl_seconds == read


def test_a_list_may_serve_several_purposes() -> None:
    read = decoded(edited(credential(), credentialSubject__statusPurpose=["revocation", "suspension"]))
    entry = StatusEntry(list_uri=LIST_URI, index=REVOKED_AT, purpose="suspension")
    assert read.purposes == ("revocation", "suspension")
    assert read.status_of(entry) is Status.SUSPENDED


# --- reading: the list


@pytest.mark.parametrize("prefix", ["z", "U", "m", "", "f"])
def test_another_multibase_is_refused(prefix: str) -> None:
    """Catalogue L08. Without the prefix the text starts with the `H` of gzip."""
    good = packed(bytes(SIZE // 8))
    assert len(bitstring_list.unpack(good)) == SIZE
    assert refusal(edited(credential(), credentialSubject__encodedList=prefix + good[1:])) is Code.STATUS_LIST_INVALID


def test_a_padded_list_is_refused() -> None:
    encoded = edited(credential(), credentialSubject__encodedList=packed(bytes(SIZE // 8)) + "=")
    assert refusal(encoded) is Code.MALFORMED_BASE64URL


def test_a_list_compressed_with_zlib_is_refused() -> None:
    """Profile §3.1: the other list's container."""
    wrong = "u" + base64url.encode(zlib.compress(bytes(SIZE // 8)))
    assert refusal(edited(credential(), credentialSubject__encodedList=wrong)) is Code.STATUS_LIST_INVALID


def test_two_gzip_members_are_refused() -> None:
    """Catalogue L08: one reader would see the first, another both."""
    member = deflate(bytes(SIZE // 8), Container.GZIP)
    assert gzip.decompress(member + member) == bytes(SIZE // 4)
    wrong = "u" + base64url.encode(member + member)
    assert refusal(edited(credential(), credentialSubject__encodedList=wrong)) is Code.STATUS_LIST_INVALID


@pytest.mark.parametrize(
    ("entries", "status_size", "is_long_enough"),
    [
        (131_072, 1, True),
        (131_064, 1, False),
        (262_144, 2, True),
        (262_136, 2, False),
        (131_072, 2, False),
        (8, 1, False),
    ],
)
def test_a_list_that_gives_no_crowd_is_refused(entries: int, status_size: int, *, is_long_enough: bool) -> None:
    """Catalogue L09; BSL-3 step 5: bits divided by statusSize, at least 131,072."""
    encoded = packed(bytes(entries // 8))
    if is_long_enough:
        assert len(bitstring_list.unpack(encoded, status_size=status_size)) == SIZE
        return
    with pytest.raises(Malformed) as caught:
        bitstring_list.unpack(encoded, status_size=status_size)
    assert caught.value.code is Code.STATUS_LIST_TOO_SHORT


def test_entries_of_several_bits_are_read() -> None:
    """Bitstring Status List §2.1 `statusSize`; catalogue L05."""
    store = StatusBits(SIZE, 4)
    store.set(0, 0b1010)
    store.set(SIZE - 1, 0b0001)
    encoded = edited(credential(), credentialSubject__encodedList=packed(store.most_first()))
    read = decoded(encoded, status_size=4)
    assert (read.value(0), read.value(1), read.value(SIZE - 1)) == (0b1010, 0, 0b0001)
    # The same bytes in bits of one: the first nibble stands in the first four entries.
    assert [decoded(encoded).value(n) for n in range(5)] == [1, 0, 1, 0, 0]


@pytest.mark.parametrize("status_size", [0, -1, 9, True])
def test_a_status_size_that_is_not_supported_is_refused(status_size: int) -> None:
    with pytest.raises(Malformed) as caught:
        decoded(credential(), status_size=status_size)
    assert caught.value.code is Code.STATUS_LIST_INVALID


def test_a_bomb_in_a_credential_is_refused() -> None:
    """Catalogue L07."""
    encoded = edited(credential(), credentialSubject__encodedList=packed(bytes((16 << 20) + 1)))
    assert refusal(encoded) is Code.TOO_LARGE


# --- anything at all


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        bitstring_list.open(text)


MEMBERS = [
    "@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "credentialSubject__type",
    "credentialSubject__statusPurpose", "credentialSubject__encodedList", "credentialSubject__ttl",
]  # fmt: skip


@given(json_values, st.sampled_from(MEMBERS))
def test_any_member_is_read_or_malformed(value: Any, name: str) -> None:
    try:
        decoded(edited(credential(), **{name: value}))
    except Malformed:
        return


@given(st.binary(max_size=300).map(base64url.encode), st.integers(-1, 70))
def test_any_encoded_list_is_read_or_malformed(encoded: str, status_size: int) -> None:
    with pytest.raises(Malformed):
        bitstring_list.unpack("u" + encoded, status_size=status_size)
