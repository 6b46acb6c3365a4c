"""Possession, audience and nonce in both formats (catalogue S01 to S05, V04; profile 6.6)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from comity import did, jose, strict_json
from comity.credential import Format, SignedCredential
from comity.errors import Code
from comity.formats import sd_jwt
from comity.keys import KeySigner
from comity.verification.checks import CheckName, Outcome
from comity.verification.credential import HolderDemand
from tests.support.forging import (
    BOTH,
    GONE,
    accepted,
    changed,
    compact,
    flipped,
    licence,
    mac,
    person,
    rejected,
    resigned,
)
from tests.support.world import AUDIENCE, NONCE, NOW, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT
THIEF = KeySigner.generate()


def proof_changed(
    world: World,
    held: SignedCredential,
    *,
    header: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    signer: KeySigner | None = None,
) -> str:
    """Present ``held`` with members of the holder's proof changed and signed again."""
    presented = world.present(held)
    before, tilde, proof = presented.rpartition("~")
    jws = jose.parse(proof)
    members = changed(jose.payload_object(jws), payload or {})
    sign = (signer or world.holder).sign
    return before + tilde + compact(changed(jws.header, header or {}), members, sign)


def refused(world: World, presented: str, code: Code) -> None:
    """Holder binding fails, alone, and nobody's status is asked for."""
    rejected(world.verify(presented), CheckName.HOLDER_BINDING, code)
    assert [url for url in world.asked if "status" in url] == []


@BOTH
@pytest.mark.good_twin("S01", "S02", "S03", "S05")
def test_a_proof_signed_again_is_the_good_twin(world: World, credential_format: Format) -> None:
    accepted(world.verify(proof_changed(world, licence(world, credential_format))))


@BOTH
@pytest.mark.parametrize("nonce", ["", "nonce-of-another-request", NONCE.upper(), NONCE + " "])
@pytest.mark.clause("2a-8")
@pytest.mark.attack("S03")
def test_another_nonce(world: World, credential_format: Format, nonce: str) -> None:
    refused(world, world.present(licence(world, credential_format), nonce=nonce), Code.NONCE_MISMATCH)


@BOTH
@pytest.mark.parametrize(
    "audience", ["verifier", "x509_hash:other", "x509_hash:", "X509_HASH:verifier", f"{AUDIENCE}/"]
)
@pytest.mark.clause("6-6")
@pytest.mark.attack("S03")
def test_another_audience_or_its_prefix_missing(world: World, credential_format: Format, audience: str) -> None:
    refused(world, world.present(licence(world, credential_format), audience=audience), Code.AUDIENCE_MISMATCH)


@BOTH
@pytest.mark.parametrize("change", [{"nonce": GONE}, {"aud": GONE}, {"aud": [AUDIENCE]}, {"iat": GONE}, {"nonce": 7}])
@pytest.mark.attack("S05")
def test_an_incomplete_proof(world: World, credential_format: Format, change: dict[str, Any]) -> None:
    refused(world, proof_changed(world, licence(world, credential_format), payload=change), Code.HOLDER_PROOF_MALFORMED)


@BOTH
@pytest.mark.clause("6-6")
@pytest.mark.attack("P02", "S03")
@pytest.mark.good_twin("P02", "S03")
def test_the_answer_to_one_request_replayed_to_the_next(world: World, credential_format: Format) -> None:
    answer = world.present(licence(world, credential_format))
    accepted(world.verify(answer))
    world.asked.clear()
    next_request = HolderDemand(audience=AUDIENCE, nonce="nonce-of-the-next")
    result = world.verify(answer, demand=world.demand(holder=next_request))
    rejected(result, CheckName.HOLDER_BINDING, Code.NONCE_MISMATCH)


@BOTH
@pytest.mark.clause("2b-1")
@pytest.mark.attack("S01")
def test_the_proof_cut_off(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format)
    bare = world.present(held, holder=None)
    refused(world, bare, Code.HOLDER_BINDING_MISSING)
    refused(world, held.encoded, Code.HOLDER_BINDING_MISSING)


@pytest.mark.clause("2b-9")
@pytest.mark.attack("S02")
def test_the_proof_of_another_key_by_sd_jwt(world: World) -> None:
    refused(world, world.present(licence(world, SD), holder=THIEF), Code.HOLDER_SIGNATURE_INVALID)
    offered = {"jwk": dict(THIEF.public_jwk), "kid": "mine"}
    forged = proof_changed(world, licence(world, SD), header=offered, signer=THIEF)
    refused(world, forged, Code.HOLDER_SIGNATURE_INVALID)


@pytest.mark.clause("2a-8")
@pytest.mark.attack("S02")
def test_the_proof_of_another_key_by_presentation(world: World) -> None:
    refused(world, world.present(licence(world, VC), holder=THIEF), Code.HOLDER_KEY_MISMATCH)
    as_holder = {"kid": f"{did.jwk.did_of(world.holder.public_jwk)}#0"}
    for header in (as_holder, {"kid": GONE}, {"kid": GONE, "jwk": dict(THIEF.public_jwk)}):
        forged = proof_changed(world, licence(world, VC), header=header, signer=THIEF)
        refused(world, forged, Code.HOLDER_SIGNATURE_INVALID)


@BOTH
@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (0, True), (60, True), (61, False)])
@pytest.mark.clause("2b-9")
@pytest.mark.attack("C03", "S05")
@pytest.mark.good_twin("C03", "S05")
def test_the_second_at_which_a_proof_is_too_old_or_early(
    world: World, credential_format: Format, seconds: int, good: bool
) -> None:
    presented = world.present(licence(world, credential_format), at=NOW + timedelta(seconds=seconds))
    if good:
        accepted(world.verify(presented))
    else:
        refused(world, presented, Code.HOLDER_PROOF_EXPIRED)


@BOTH
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"exp": int(NOW.timestamp()) - 60}, Code.HOLDER_PROOF_EXPIRED),
        ({"nbf": int(NOW.timestamp()) + 61}, Code.HOLDER_PROOF_EXPIRED),
        ({"iat": "2026-11-23T12:00:00"}, Code.TIME_MALFORMED),
        ({"exp": "never"}, Code.TIME_MALFORMED),
        ({"exp": int(NOW.timestamp()) - 59, "nbf": int(NOW.timestamp()) + 60}, None),
    ],
)
@pytest.mark.attack("J19", "S05")
@pytest.mark.good_twin("J19", "S05")
def test_times_in_the_proof(world: World, credential_format: Format, change: dict[str, Any], code: Code | None) -> None:
    presented = proof_changed(world, licence(world, credential_format), payload=change)
    if code is None:
        accepted(world.verify(presented))
    else:
        refused(world, presented, code)


@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "openid4vci-proof+jwt", "vp+jwt", GONE])
@pytest.mark.clause("2b-9")
@pytest.mark.attack("J10", "S05")
def test_another_type_of_proof(world: World, typ: Any) -> None:
    refused(world, proof_changed(world, licence(world, SD), header={"typ": typ}), Code.TYPE_NOT_ALLOWED)


def test_a_presentation_of_another_type_is_no_presentation(world: World) -> None:
    for typ in ("JWT", "vc+jwt", "kb+jwt", GONE):
        result = world.verify(proof_changed(world, licence(world, VC), header={"typ": typ}))
        assert result.credentials[0].check(CheckName.WELL_FORMED).outcome is Outcome.FAILED
    refused(world, proof_changed(world, licence(world, VC), header={"cty": "vc"}), Code.TYPE_NOT_ALLOWED)


@BOTH
def test_a_flipped_bit_in_the_proof(world: World, credential_format: Format) -> None:
    presented = world.present(licence(world, credential_format))
    before, tilde, proof = presented.rpartition("~")
    refused(world, before + tilde + flipped(proof), Code.HOLDER_SIGNATURE_INVALID)


@BOTH
@pytest.mark.attack("J01", "J02", "J05", "J07")
def test_algorithms_of_the_proof(world: World, credential_format: Format) -> None:
    presented = world.present(licence(world, credential_format))
    before, tilde, proof = presented.rpartition("~")
    jws = jose.parse(proof)
    members = jose.payload_object(jws)
    secret = strict_json.serialise(world.holder.public_jwk)
    for algorithm, sign in (("none", lambda _: b""), ("HS256", mac(secret))):
        forged = before + tilde + compact({**jws.header, "alg": algorithm}, members, sign)
        refused(world, forged, Code.ALGORITHM_NOT_ALLOWED)
    other_curve = KeySigner.generate("ES384")
    forged = before + tilde + compact({**jws.header, "alg": "ES384"}, members, other_curve.sign)
    refused(world, forged, Code.HOLDER_SIGNATURE_INVALID)
    crit = before + tilde + compact({**jws.header, "crit": ["exp"]}, members, world.holder.sign)
    refused(world, crit, Code.CRITICAL_HEADER)
    private = {**world.holder.public_jwk, "d": "AAAA"}
    exposed = before + tilde + compact({**jws.header, "jwk": private}, members, world.holder.sign)
    refused(world, exposed, Code.PRIVATE_KEY_EXPOSED)


@pytest.mark.attack("J11")
def test_a_member_said_twice_in_the_proof(world: World) -> None:
    before, tilde, proof = world.present(licence(world, SD)).rpartition("~")
    jws = jose.parse(proof)
    doubled = jws.payload[:-1] + b',"nonce":"x"}'
    result = world.verify(before + tilde + compact(jws.header, doubled, world.holder.sign))
    rejected(result, CheckName.WELL_FORMED, Code.DUPLICATE_MEMBER)


@BOTH
@pytest.mark.attack("S02")
def test_a_credential_bound_to_nobody(world: World, credential_format: Format) -> None:
    held = licence(world, credential_format, holder_jwk=None)
    refused(world, world.present(held), Code.HOLDER_BINDING_MISSING)


@pytest.mark.attack("J04", "S02")
def test_a_key_named_by_the_holder_instead_of_the_issuer(world: World) -> None:
    elsewhere = {"kid": did.jwk.did_of(THIEF.public_jwk), "jku": "https://evil.example/keys"}
    held = resigned(licence(world, SD), world.on.key, payload={"cnf": elsewhere})
    refused(world, world.present(held, holder=THIEF), Code.HOLDER_BINDING_MISSING)
    assert world.asked == []


@pytest.mark.attack("J20")
def test_a_private_key_in_the_confirmation(world: World) -> None:
    jwk = {**world.holder.public_jwk, "d": "AAAA"}
    held = resigned(licence(world, SD), world.on.key, payload={"cnf": {"jwk": jwk}})
    rejected(world.verify(world.present(held)), CheckName.WELL_FORMED, Code.PRIVATE_KEY_EXPOSED)


@BOTH
@pytest.mark.clause("2b-2")
def test_where_binding_is_waived_a_proof_that_comes_is_still_checked(world: World, credential_format: Format) -> None:
    waived = world.demand(holder=HolderDemand(audience=AUDIENCE, nonce=NONCE, required=False))
    held = licence(world, credential_format)
    without = world.verify(world.present(held, holder=None), demand=waived)
    accepted(without)
    assert without.credentials[0].check(CheckName.HOLDER_BINDING).code is Code.NOT_REQUIRED
    accepted(world.verify(world.present(held), demand=waived))
    rejected(
        world.verify(world.present(held, nonce="other"), demand=waived), CheckName.HOLDER_BINDING, Code.NONCE_MISMATCH
    )


# --- what a proof is over


@pytest.mark.clause("2b-9")
@pytest.mark.attack("S04")
@pytest.mark.good_twin("S04")
def test_a_disclosure_taken_away_or_moved_after_the_proof(world: World) -> None:
    presented = world.present(licence(world, SD), ("age_over_18", "class"))
    jwt, first, second, proof = presented.split("~")
    refused(world, "~".join((jwt, first, proof)), Code.DISCLOSURES_NOT_BOUND)
    refused(world, "~".join((jwt, second, first, proof)), Code.DISCLOSURES_NOT_BOUND)
    accepted(world.verify("~".join((jwt, first, second, proof))))


@pytest.mark.attack("S04")
@pytest.mark.good_twin("S04")
def test_a_disclosure_added_after_the_proof(world: World) -> None:
    held = licence(world, SD)
    less, more = world.present(held, ("class",)), world.present(held, ("class", "age_over_18"))
    grafted = more.rpartition("~")[0] + "~" + less.rpartition("~")[2]
    refused(world, grafted, Code.DISCLOSURES_NOT_BOUND)
    accepted(world.verify(more))


def test_the_proof_for_another_credential_of_the_holder(world: World) -> None:
    mine, other = world.present(licence(world, SD)), world.present(person(world, SD))
    swapped = mine.rpartition("~")[0] + "~" + other.rpartition("~")[2]
    refused(world, swapped, Code.DISCLOSURES_NOT_BOUND)


@pytest.mark.parametrize("name", ["sha-384", "sha-512"])
@pytest.mark.attack("S04")
def test_the_hash_under_another_algorithm(world: World, name: str) -> None:
    held = licence(world, SD)
    bound = world.present(held).rpartition("~")[0] + "~"
    other = {"sd_hash": sd_jwt.digest(bound, name)}
    refused(world, proof_changed(world, held, payload=other), Code.DISCLOSURES_NOT_BOUND)
    refused(world, proof_changed(world, held, payload={"sd_hash": GONE}), Code.DISCLOSURES_NOT_BOUND)
