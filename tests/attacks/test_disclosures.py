"""Disclosures and envelopes that are not what the issuer signed (catalogue S06 to S11, V01, V02, V06)."""

from typing import Any

import pytest

from comity import base64url, jose, strict_json
from comity.credential import Format, SignedCredential
from comity.errors import Code
from comity.formats import sd_jwt
from comity.verification.checks import CheckName
from tests.support.forging import (
    GONE,
    accepted,
    forged,
    held_in,
    licence,
    payload_of,
    person,
    rejected,
    resigned,
)
from tests.support.world import AUDIENCE, NONCE, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT


def disclosure(*parts: Any) -> str:
    return base64url.encode(strict_json.serialise(list(parts)))


def digest(text: str) -> str:
    return sd_jwt.digest(text, "sha-256")


def with_one_more(world: World, text: str, **payload: Any) -> str:
    """A licence whose issuer also signed the digest of ``text``, which is sent along."""
    held = licence(world, SD)
    digests = [*payload_of(held.encoded)["_sd"], digest(text)]
    return resigned(held, world.on.key, payload={"_sd": digests, **payload}).encoded + text + "~"


def refused(world: World, encoded: str, code: Code) -> None:
    rejected(held_in(world, encoded), CheckName.WELL_FORMED, code)
    assert world.asked == []


@pytest.mark.good_twin("S06", "S07", "S08", "S10", "S12", "S18")
def test_all_sent_or_all_but_one_are_the_good_twins(world: World) -> None:
    encoded = licence(world, SD).encoded
    accepted(held_in(world, encoded))
    jwt, _, *rest = encoded.split("~")
    accepted(held_in(world, "~".join((jwt, *rest))))


@pytest.mark.clause("2b-6")
@pytest.mark.attack("S06")
def test_one_too_many(world: World) -> None:
    encoded = licence(world, SD).encoded
    refused(world, encoded + disclosure("salt", "class", "A") + "~", Code.DISCLOSURE_UNREFERENCED)
    other = person(world, SD).encoded.split("~")[1]
    refused(world, encoded + other + "~", Code.DISCLOSURE_UNREFERENCED)


@pytest.mark.clause("2b-6")
@pytest.mark.attack("S07")
def test_one_sent_twice(world: World) -> None:
    encoded = licence(world, SD).encoded
    refused(world, encoded + encoded.split("~")[1] + "~", Code.DISCLOSURE_DUPLICATE)


@pytest.mark.attack("S06")
def test_one_with_another_value(world: World) -> None:
    jwt, first, *rest = licence(world, SD).encoded.split("~")
    salt, name, _ = strict_json.parse(base64url.decode(first))
    refused(world, "~".join((jwt, disclosure(salt, name, "other"), *rest)), Code.DISCLOSURE_UNREFERENCED)


@pytest.mark.attack("S12")
def test_one_spelt_otherwise(world: World) -> None:
    """S12: the digest is over the text as received, not over what it says."""
    jwt, first, *rest = licence(world, SD).encoded.split("~")
    parts = strict_json.parse(base64url.decode(first))
    spaced = base64url.encode(b" " + strict_json.serialise(parts))
    refused(world, "~".join((jwt, spaced, *rest)), Code.DISCLOSURE_UNREFERENCED)


@pytest.mark.clause("2b-6")
@pytest.mark.attack("S07")
@pytest.mark.good_twin("S07")
def test_a_digest_twice_in_the_payload(world: World) -> None:
    held = licence(world, SD)
    digests = payload_of(held.encoded)["_sd"]
    doubled = resigned(held, world.on.key, payload={"_sd": [*digests, digests[0]]})
    refused(world, doubled.encoded, Code.DIGEST_DUPLICATE)
    accepted(held_in(world, resigned(held, world.on.key, payload={"_sd": [*digests, "A" * 43]}).encoded))


@pytest.mark.parametrize("name", ["iss", "nbf", "exp", "cnf", "vct", "status", "vct#integrity", "aka_vcts"])
@pytest.mark.clause("2b-8")
@pytest.mark.attack("S09")
def test_what_decides_validity_in_a_disclosure(world: World, name: str) -> None:
    """S09: withheld or disclosed, it would be the holder's to choose."""
    encoded = with_one_more(world, disclosure("s", name, "x"), **{name: payload_value(world, name)})
    result = held_in(world, encoded)
    assert result.codes == (Code.DISCLOSURE_FORBIDDEN,)


def payload_value(world: World, name: str) -> Any:
    """Keep what a credential cannot be opened without; take the rest out of the clear."""
    return payload_of(licence(world, SD).encoded)[name] if name in ("iss", "vct") else GONE


@pytest.mark.attack("S08")
def test_a_disclosure_over_a_claim_in_the_clear(world: World) -> None:
    refused(world, with_one_more(world, disclosure("s", "iat", 1)), Code.DISCLOSURE_FORBIDDEN)


@pytest.mark.parametrize("name", ["_sd", "_sd_alg", "..."])
@pytest.mark.clause("2b-6")
@pytest.mark.attack("S10")
def test_a_name_of_the_mechanism(world: World, name: str) -> None:
    refused(world, with_one_more(world, disclosure("s", name, "x")), Code.DISCLOSURE_FORBIDDEN)


@pytest.mark.parametrize("parts", [("s", "x"), ("s",), (), ("s", "n", "v", "w"), (1, "n", "v"), ("s", 2, "v")])
@pytest.mark.attack("S10")
def test_a_disclosure_of_another_shape(world: World, parts: tuple[Any, ...]) -> None:
    refused(world, with_one_more(world, disclosure(*parts)), Code.DISCLOSURE_MALFORMED)


def test_a_disclosure_that_is_not_base64url(world: World) -> None:
    refused(world, licence(world, SD).encoded + "!!~", Code.MALFORMED_BASE64URL)


@pytest.mark.parametrize("name", ["sha-256-32", "md5", "SHA-256", "", None, 256])
@pytest.mark.attack("S11")
@pytest.mark.good_twin("S11")
def test_a_hash_that_is_too_weak_or_unknown(world: World, name: Any) -> None:
    held = resigned(licence(world, SD), world.on.key, payload={"_sd_alg": name})
    refused(world, held.encoded, Code.HASH_NOT_ALLOWED)
    accepted(held_in(world, resigned(held, world.on.key, payload={"_sd_alg": GONE}).encoded))


@pytest.mark.parametrize("digests", ["text", {"a": 1}, [1], None])
@pytest.mark.attack("S10")
def test_digests_that_are_no_list(world: World, digests: Any) -> None:
    held = resigned(licence(world, SD), world.on.key, payload={"_sd": digests})
    refused(world, held.encoded.partition("~")[0] + "~", Code.DISCLOSURE_MALFORMED)


@pytest.mark.attack("S18")
@pytest.mark.good_twin("S18")
def test_other_tildes(world: World) -> None:
    encoded = licence(world, SD).encoded
    accepted(held_in(world, encoded))
    for text in (
        encoded.rstrip("~"),
        encoded + "~",
        encoded.replace("~", "\N{TILDE OPERATOR}"),
        encoded.replace("~", "~~", 1),
    ):
        assert held_in(world, text).credentials[0].checks[0].outcome == "failed"


# --- envelopes


def envelope(world: World, held: SignedCredential, **changes: Any) -> str:
    """A presentation by the holder with members of the document changed."""
    presented = world.present(held)
    return forged(presented, world.holder.sign, payload=changes)


def item(encoded: str, **changes: Any) -> dict[str, Any]:
    members = {
        "@context": "https://www.w3.org/ns/credentials/v2",
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/vc+jwt,{encoded}",
    }
    return {**members, **changes}


@pytest.mark.good_twin("V06")
def test_an_envelope_made_by_hand_is_the_good_twin(world: World) -> None:
    held = licence(world, VC)
    accepted(world.verify(envelope(world, held, verifiableCredential=[item(held.encoded)])))


@pytest.mark.attack("V06")
def test_other_envelopes(world: World) -> None:
    held = licence(world, VC)
    nested = world.present(held)
    wrong: list[list[Any]] = [
        [],
        [held.encoded],
        [payload_of(held.encoded)],
        [item(held.encoded, id=f"data:application/vc+ld+json+jwt,{held.encoded}")],
        [item(held.encoded, id=f"data:application/vc+jwt;base64,{held.encoded}")],
        [item(held.encoded, type="VerifiableCredential")],
        [item(held.encoded, type="EnvelopedVerifiablePresentation", id=f"data:application/vp+jwt,{nested}")],
        [item(held.encoded, **{"@context": []})],
    ]
    for items in wrong:
        rejected(world.verify(envelope(world, held, verifiableCredential=items)), CheckName.WELL_FORMED, Code.MALFORMED)


@pytest.mark.clause("2a-8")
@pytest.mark.attack("V06")
def test_a_presentation_in_a_presentation(world: World) -> None:
    held = licence(world, VC)
    deep = envelope(world, held, verifiableCredential=[item(world.present(held))])
    rejected(world.verify(deep), CheckName.WELL_FORMED, Code.TYPE_NOT_ALLOWED)


def test_two_credentials_where_one_is_judged(world: World) -> None:
    held = licence(world, VC)
    both = envelope(world, held, verifiableCredential=[item(held.encoded), item(person(world, VC).encoded)])
    rejected(world.verify(both), CheckName.WELL_FORMED, Code.CREDENTIAL_NOT_REQUESTED)


@pytest.mark.parametrize("member", ["vc", "vp"])
def test_claims_of_the_old_data_model(world: World, member: str) -> None:
    held = resigned(licence(world, VC), world.on.did_key, payload={member: {}})
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.MALFORMED)


@pytest.mark.parametrize(
    "contexts",
    [
        ["https://www.w3.org/2018/credentials/v1"],
        ["https://types.comity.example/drivers-licence/1/context", "https://www.w3.org/ns/credentials/v2"],
        [
            "https://www.w3.org/ns/credentials/v2",
            "https://types.comity.example/drivers-licence/1/context",
            "https://evil.example/context",
        ],
        ["https://www.w3.org/ns/credentials/v2", {"age_over_18": "https://evil.example/x"}],
        [],
    ],
)
@pytest.mark.clause("2a-4")
@pytest.mark.attack("V02", "D01", "D03")
def test_other_contexts(world: World, contexts: list[Any]) -> None:
    held = resigned(licence(world, VC), world.on.did_key, payload={"@context": contexts})
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.CONTEXT_UNKNOWN)


@pytest.mark.parametrize(
    "change", [{"sub": "urn:a", "credentialSubject": {"id": "urn:b", "class": "G2"}}, {"jti": "x"}]
)
@pytest.mark.attack("V01")
def test_two_names_for_one_thing(world: World, change: dict[str, Any]) -> None:
    held = resigned(licence(world, VC), world.on.did_key, payload=change)
    rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.MALFORMED)


def test_a_credential_made_out_to_one_audience(world: World) -> None:
    for credential_format, signer in ((SD, world.on.key), (VC, world.on.did_key)):
        held = resigned(licence(world, credential_format), signer, payload={"aud": AUDIENCE})
        rejected(held_in(world, held.encoded), CheckName.WELL_FORMED, Code.AUDIENCE_MISMATCH)


def test_proofs_are_no_credentials(world: World) -> None:
    """J10: every other signed thing in the house, sent as a credential."""
    held = licence(world, SD)
    key_binding = world.present(held).rpartition("~")[2]
    access = jose.sign({"typ": "at+jwt"}, {"iss": world.on.issuer_id, "vct": "x", "nonce": NONCE}, world.on.key)
    rows = [
        (key_binding, Code.FORMAT_UNKNOWN, Code.TYPE_NOT_ALLOWED),
        (access, Code.FORMAT_UNKNOWN, Code.TYPE_NOT_ALLOWED),
        (world.on.token_list(), Code.FORMAT_UNKNOWN, Code.TYPE_NOT_ALLOWED),
        (world.on.bitstring_list("revocation"), Code.CONTEXT_UNKNOWN, Code.TYPE_NOT_ALLOWED),
    ]
    for token, bare, with_tilde in rows:
        rejected(held_in(world, token), CheckName.WELL_FORMED, bare)
        rejected(held_in(world, f"{token}~"), CheckName.WELL_FORMED, with_tilde)
