"""The signed status list itself, forged in every way, through the whole verification (catalogue L02 to L09)."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from comity import base64url, jose, strict_json, x509
from comity.credential import Format, Kid, X5c
from comity.errors import Code
from comity.keys import KeySigner
from comity.ports import Signer
from comity.status.bits import StatusBits
from comity.verification.checks import CheckName, Result
from tests.support.forging import BOTH, GONE, accepted, flipped, forged, held_in, licence, mac, payload_of, rejected
from tests.support.world import LIST_SIZE, NOW, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT
STATUS = CheckName.STATUS
STRANGER = KeySigner.generate()
Rewrite = Callable[[str], str | bytes]


def list_signer(world: World, credential_format: Format) -> Signer:
    return world.on.status_key if credential_format is SD else world.on.did_key


def rewritten(world: World, credential_format: Format, rewrite: Rewrite) -> Result:
    """Verify a good credential while its (revocation) list is served rewritten."""
    good = world.on.token_list() if credential_format is SD else world.on.bitstring_list("revocation")
    body = rewrite(good)
    uri = world.on.list_uri(None if credential_format is SD else "revocation")
    world.put(uri, body.encode() if isinstance(body, str) else body)
    return held_in(world, licence(world, credential_format).encoded)


def members(world: World, credential_format: Format, **payload: Any) -> Result:
    """The same with members of the list's payload changed and signed again by its own signer."""
    sign = list_signer(world, credential_format).sign
    return rewritten(world, credential_format, lambda good: forged(good, sign, payload=payload))


def subject(world: World, **changes: Any) -> Result:
    """The same with members of a list credential's subject changed."""
    before = payload_of(world.on.bitstring_list("revocation"))["credentialSubject"]
    kept = {name: value for name, value in {**before, **changes}.items() if value is not GONE}
    return members(world, VC, credentialSubject=kept)


@BOTH
@pytest.mark.clause("TSL-4")
@pytest.mark.good_twin("J01", "J05", "J10", "J11", "L02", "L03", "L07", "L12")
def test_the_same_list_signed_again_is_the_good_twin(world: World, credential_format: Format) -> None:
    accepted(members(world, credential_format))
    accepted(members(world, credential_format, unheard_of=1))


@BOTH
def test_a_flipped_bit(world: World, credential_format: Format) -> None:
    rejected(rewritten(world, credential_format, flipped), STATUS, Code.SIGNATURE_INVALID)


@BOTH
@pytest.mark.attack("J01", "J02", "L03")
def test_algorithms(world: World, credential_format: Format) -> None:
    secret = strict_json.serialise(list_signer(world, credential_format).public_jwk)
    other_curve = KeySigner.generate("ES384")
    rows: list[tuple[str, Callable[[bytes], bytes], Code]] = [
        ("none", lambda _: b"", Code.ALGORITHM_NOT_ALLOWED),
        ("HS256", mac(secret), Code.ALGORITHM_NOT_ALLOWED),
        ("ES384", other_curve.sign, Code.SIGNATURE_INVALID),
    ]
    for name, sign, code in rows:
        header = {"alg": name}
        result = rewritten(
            world,
            credential_format,
            lambda good, s=sign, h=header: forged(good, s, header=h),  # type: ignore[misc]
        )
        rejected(result, STATUS, code)


def headers(world: World, credential_format: Format, header: Mapping[str, Any]) -> Result:
    sign = list_signer(world, credential_format).sign
    return rewritten(world, credential_format, lambda good: forged(good, sign, header=header))


@BOTH
@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "application/statuslist+jwt", "vp+jwt", GONE])
@pytest.mark.attack("J10")
def test_another_type(world: World, credential_format: Format, typ: Any) -> None:
    rejected(headers(world, credential_format, {"typ": typ}), STATUS, Code.TYPE_NOT_ALLOWED)


@BOTH
@pytest.mark.attack("J05")
def test_headers_that_demand_or_expose(world: World, credential_format: Format) -> None:
    rejected(headers(world, credential_format, {"crit": ["exp"]}), STATUS, Code.CRITICAL_HEADER)
    private = {**STRANGER.public_jwk, "d": "AAAA"}
    rejected(headers(world, credential_format, {"jwk": private}), STATUS, Code.PRIVATE_KEY_EXPOSED)


@BOTH
@pytest.mark.attack("J11")
def test_a_member_said_twice(world: World, credential_format: Format) -> None:
    sign = list_signer(world, credential_format).sign

    def doubled(good: str) -> str:
        text = strict_json.serialise(payload_of(good))
        return forged(good, sign, payload=text[:-1] + b',"x":1,"x":2}')

    rejected(rewritten(world, credential_format, doubled), STATUS, Code.DUPLICATE_MEMBER)


@BOTH
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b"a.b.c", b"{}"])
def test_something_else_than_a_token(world: World, credential_format: Format, body: bytes) -> None:
    result = rewritten(world, credential_format, lambda _: body)
    check = result.credentials[0].check(STATUS)
    assert (result.verdict, check.outcome) == ("rejected", "failed")
    assert check.code in (Code.MALFORMED_JWS, Code.STATUS_LIST_INVALID, Code.MALFORMED_JSON, Code.MALFORMED_BASE64URL)


# --- whose key


def signed(world: World, signer: Signer, key: X5c | Kid) -> Result:
    """The token list signed by somebody, who says how their key is found."""
    return rewritten(world, SD, lambda _: world.on.token_list(signer=signer, key=key))


def chain(*certificates: x509.Certificate) -> X5c:
    return X5c(chain=tuple(x509.to_base64(each) for each in certificates))


@pytest.mark.attack("L03")
@pytest.mark.good_twin("L03")
def test_another_signer_of_a_token_list(world: World) -> None:
    on, bc = world.on, world.bc
    rejected(signed(world, bc.status_key, chain(bc.status_leaf)), STATUS, Code.CERTIFICATE_UNTRUSTED)
    rejected(signed(world, on.key, on.x5c), STATUS, Code.CERTIFICATE_NAME_MISMATCH)
    rejected(signed(world, STRANGER, chain(on.status_leaf)), STATUS, Code.SIGNATURE_INVALID)
    rejected(signed(world, on.did_key, on.kid), STATUS, Code.STATUS_LIST_UNTRUSTED)
    rejected(signed(world, world.holder, Kid(did_url="did:jwk:x#0")), STATUS, Code.STATUS_LIST_UNTRUSTED)
    accepted(signed(world, on.status_key, chain(on.status_leaf)))


@pytest.mark.clause("TSL-7")
def test_the_chain_of_a_token_list(world: World) -> None:
    on = world.on
    rejected(signed(world, on.status_key, chain(on.status_leaf, on.anchor)), STATUS, Code.CERTIFICATE_ROOT_INCLUDED)
    window = {"not_before": NOW - timedelta(days=1), "not_after": NOW + timedelta(days=1)}
    own = x509.issue_anchor(name="self", signer=STRANGER, **window)
    rejected(signed(world, STRANGER, chain(own)), STATUS, Code.CERTIFICATE_UNTRUSTED)
    foreign = world.stranger.certify(STRANGER, on.status_base)
    rejected(signed(world, STRANGER, chain(foreign)), STATUS, Code.CERTIFICATE_UNTRUSTED)
    ended = on.certify(on.status_key, on.status_base, not_after=NOW - timedelta(seconds=1))
    rejected(signed(world, on.status_key, chain(ended)), STATUS, Code.CERTIFICATE_EXPIRED)


@pytest.mark.attack("L03")
def test_another_signer_of_a_list_credential(world: World) -> None:
    on, bc = world.on, world.bc
    by_other = on.bitstring_list("revocation", signer=bc.did_key, key=bc.kid)
    rejected(rewritten(world, VC, lambda _: by_other), STATUS, Code.STATUS_LIST_UNTRUSTED)
    by_chain = on.bitstring_list("revocation", signer=on.status_key, key=chain(on.status_leaf))
    rejected(rewritten(world, VC, lambda _: by_chain), STATUS, Code.STATUS_LIST_UNTRUSTED)
    in_other_name = on.bitstring_list("revocation", issuer=bc.did)
    rejected(rewritten(world, VC, lambda _: in_other_name), STATUS, Code.STATUS_LIST_UNTRUSTED)
    by_thief = on.bitstring_list("revocation", signer=STRANGER, key=on.kid)
    rejected(rewritten(world, VC, lambda _: by_thief), STATUS, Code.SIGNATURE_INVALID)
    other_key = on.bitstring_list("revocation", key=Kid(did_url=f"{on.did}#other"))
    rejected(rewritten(world, VC, lambda _: other_key), STATUS, Code.KEY_NOT_FOUND)


def test_a_key_that_the_registry_does_not_pin_for_lists(world: World) -> None:
    signer = world.documents["ca-on/issuers.json"]["issuers"][0]["status_signers"][1]
    signer["key_thumbprints"] = [STRANGER.thumbprint]
    rejected(held_in(world, licence(world, VC).encoded), STATUS, Code.KEY_NOT_PINNED)


# --- which list


@pytest.mark.clause("TSL-4")
@pytest.mark.attack("L02")
def test_the_good_list_of_another_address(world: World) -> None:
    other = f"{world.on.status_base}/1"
    rejected(members(world, SD, sub=other), STATUS, Code.STATUS_LIST_MISMATCH)
    rejected(members(world, SD, sub=world.on.list_uri() + "/"), STATUS, Code.STATUS_LIST_MISMATCH)
    rejected(members(world, SD, sub=GONE), STATUS, Code.STATUS_LIST_INVALID)
    rejected(members(world, VC, id=f"{other}/revocation"), STATUS, Code.STATUS_LIST_MISMATCH)
    rejected(members(world, VC, id=GONE), STATUS, Code.STATUS_LIST_INVALID)


@pytest.mark.clause("BSL-3")
@pytest.mark.attack("L06")
@pytest.mark.good_twin("L06")
def test_a_list_for_another_purpose(world: World) -> None:
    rejected(subject(world, statusPurpose="suspension"), STATUS, Code.STATUS_LIST_MISMATCH)
    rejected(subject(world, statusPurpose=["refresh", "message"]), STATUS, Code.STATUS_LIST_MISMATCH)
    rejected(subject(world, statusPurpose=GONE), STATUS, Code.STATUS_LIST_INVALID)
    accepted(subject(world, statusPurpose=["suspension", "revocation"]))


def test_the_kinds_of_list_are_not_exchangeable(world: World) -> None:
    token, bitstring = world.on.token_list(), world.on.bitstring_list("revocation")
    rejected(rewritten(world, SD, lambda _: bitstring), STATUS, Code.TYPE_NOT_ALLOWED)
    rejected(rewritten(world, VC, lambda _: token), STATUS, Code.TYPE_NOT_ALLOWED)


# --- what is in it


def lst(data: bytes, bits: Any = 2) -> dict[str, Any]:
    return {"status_list": {"bits": bits, "lst": base64url.encode(data)}}


@pytest.mark.clause("BSL-3")
@pytest.mark.attack("L09")
@pytest.mark.good_twin("L09")
def test_a_list_that_is_too_short(world: World) -> None:
    few = StatusBits(1024, 1)
    short = "u" + base64url.encode(gzip.compress(few.most_first()))
    rejected(subject(world, encodedList=short), STATUS, Code.STATUS_LIST_TOO_SHORT)
    enough = "u" + base64url.encode(gzip.compress(StatusBits(LIST_SIZE, 1).most_first()))
    accepted(subject(world, encodedList=enough))
    rejected(members(world, SD, **lst(zlib.compress(b"\0"))), STATUS, Code.STATUS_INDEX_OUT_OF_RANGE)
    rejected(members(world, SD, **lst(zlib.compress(b""))), STATUS, Code.STATUS_LIST_INVALID)
    accepted(members(world, SD, **lst(zlib.compress(b"\0\0"))))


@pytest.mark.clause("BSL-3")
@pytest.mark.attack("L07")
def test_a_bomb(world: World) -> None:
    zeros = bytes((16 << 20) + 1)
    rejected(members(world, SD, **lst(zlib.compress(zeros, 1))), STATUS, Code.TOO_LARGE)
    bomb = "u" + base64url.encode(gzip.compress(zeros, 1))
    rejected(subject(world, encodedList=bomb), STATUS, Code.TOO_LARGE)


@pytest.mark.parametrize("bits", [0, 3, 16, -1, "2", None, True])
def test_entries_of_no_known_size(world: World, bits: Any) -> None:
    good = zlib.compress(bytes(LIST_SIZE))
    rejected(members(world, SD, **lst(good, bits)), STATUS, Code.STATUS_LIST_INVALID)


@pytest.mark.attack("L08")
def test_a_stream_that_is_damaged(world: World) -> None:
    good = zlib.compress(bytes(LIST_SIZE))
    for data in (good[:-1], good + b"x", good[2:], gzip.compress(bytes(LIST_SIZE)), b""):
        rejected(members(world, SD, **lst(data)), STATUS, Code.STATUS_LIST_INVALID)
    packed = gzip.compress(bytes(LIST_SIZE))
    for text in ("z" + base64url.encode(packed), "u" + base64url.encode(good), "u" + base64url.encode(packed * 2), 7):
        rejected(subject(world, encodedList=text), STATUS, Code.STATUS_LIST_INVALID)


@pytest.mark.parametrize("value", [3, 12, 15])
def test_a_value_without_a_meaning(world: World, value: int) -> None:
    bits = StatusBits(LIST_SIZE, 4)
    bits.set(7, value)
    rejected(members(world, SD, **lst(zlib.compress(bits.least_first()), 4)), STATUS, Code.STATUS_VALUE_UNKNOWN)
    bits.set(7, 0)
    accepted(members(world, SD, **lst(zlib.compress(bits.least_first()), 4)))


@pytest.mark.parametrize("change", [{"iat": GONE}, {"ttl": -1}, {"ttl": "300"}, {"status_list": GONE}, {"iss": 7}])
def test_a_token_list_that_is_incomplete(world: World, change: dict[str, Any]) -> None:
    rejected(members(world, SD, **change), STATUS, Code.STATUS_LIST_INVALID)


@pytest.mark.parametrize(
    ("credential_format", "change"),
    [
        (SD, {"iat": "2026-11-23T12:00:00Z"}),
        (SD, {"exp": "never"}),
        (VC, {"validFrom": "2026-11-23T12:00:00"}),
        (VC, {"validUntil": "2026-11-24"}),
    ],
)
def test_a_time_that_is_none(world: World, credential_format: Format, change: dict[str, Any]) -> None:
    rejected(members(world, credential_format, **change), STATUS, Code.TIME_MALFORMED)


def test_a_list_credential_that_is_something_else(world: World) -> None:
    rejected(members(world, VC, type=["VerifiableCredential"]), STATUS, Code.STATUS_LIST_INVALID)
    rejected(members(world, VC, credentialSubject=GONE), STATUS, Code.STATUS_LIST_INVALID)
    foreign = ["https://www.w3.org/ns/credentials/v2", "https://evil.example/context"]
    rejected(members(world, VC, **{"@context": foreign}), STATUS, Code.CONTEXT_UNKNOWN)
    assert jose.parse(world.on.bitstring_list("revocation")).header["typ"] == "vc+jwt"
