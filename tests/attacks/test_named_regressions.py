"""Holes that others had, by their names, each beside its good twin (catalogue J14, P07, P09, V05)."""

import pytest

from comity import base64url, keys, strict_json
from comity.credential import Format, Kid
from comity.errors import Code, Denied, Malformed
from comity.trust import attestation
from comity.verification.checks import (
    ORDER,
    Check,
    CheckName,
    CredentialResult,
    Outcome,
    Result,
    Verdict,
    failed,
    passed,
)
from comity.verification.report import document
from tests.support.forging import accepted, held_in, licence, rejected
from tests.support.world import LICENCE, World
from tests.unit.verification.test_presentation import LICENCE_ASKED, answer, asked

SD, VC = Format.DC_SD_JWT, Format.VC_JWT


# --- "trust checked on iss while the key came from kid"


@pytest.mark.attack("S16")
@pytest.mark.good_twin("S16")
def test_trust_checked_on_iss_while_the_key_came_from_kid(world: World) -> None:
    """The credential names an accredited issuer; its kid leads to the key of another one who is trusted as well."""
    accepted(held_in(world, licence(world, VC).encoded))
    for kid in (world.bc.kid, Kid(did_url=f"{world.on.did}#{base64url.encode(b'other')}")):
        forged = world.issue(world.on, VC, LICENCE, signer=world.bc.did_key, key=kid)
        result = held_in(world, forged.encoded)
        assert result.verdict is Verdict.REJECTED
        assert world.bc.document_url not in world.asked


@pytest.mark.attack("S16")
def test_the_same_by_a_certificate(world: World) -> None:
    forged = world.issue(world.bc, SD, LICENCE, issuer=world.on.issuer_id)
    rejected(held_in(world, forged.encoded), CheckName.ISSUER_KEY, Code.CERTIFICATE_UNTRUSTED)


def test_the_same_in_what_a_jurisdiction_attests(world: World) -> None:
    """`iss` says Ontario, whose key is listed; `kid` names the listed key of British Columbia, which signed."""
    documents = world.documents
    for place, signer in (("ca-on", world.on.key), ("ca-bc", world.bc.key)):
        listed = [keys.public_jwk(keys.public_key(signer.public_jwk))]
        documents.setdefault(f"{place}/verifiers.json", {"verifiers": []})["entitlement_signers"] = listed
    targets = {name: strict_json.serialise(each) for name, each in documents.items()}
    kept = world.snapshot()
    snapshot = type(kept).from_targets(targets, fetched_at=kept.fetched_at, expires_at=kept.expires_at)
    client = "x509_san_dns:shop.example"
    entry = {
        "name": {"en": "Shop", "fr": "Magasin"},
        "client_ids": [client],
        "may_ask": [],
        "key_thumbprints": ["A" * 43],
    }
    for signer, is_good in ((world.bc.key, False), (world.on.key, True)):
        text = attestation.sign(entry, signer, jurisdiction="ca-on", at=kept.fetched_at, until=kept.expires_at)
        if is_good:
            assert attestation.read(text, snapshot, client_id=client, at=kept.fetched_at).jurisdiction == "ca-on"
            continue
        with pytest.raises(Malformed, match="entitlement_signer_unknown"):
            attestation.read(text, snapshot, client_id=client, at=kept.fetched_at)


# --- "a presentation's failed sub-result that the caller never sees"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", ORDER)
@pytest.mark.attack("P09")
@pytest.mark.good_twin("P09")
def test_a_failed_sub_result_is_the_verdict_and_is_told(name: CheckName, place: int) -> None:
    """P09: whichever check of whichever credential fails, alone, nothing is accepted and its code is in the report."""
    good = tuple(passed(each) for each in ORDER)

    def judged(change: Check) -> Result:
        bad = tuple(change if each.name is name else each for each in good)
        checks = [bad if number == place else good for number in range(3)]
        return Result(credentials=tuple(CredentialResult(checks=each, disclosed={"a": 1}) for each in checks))

    result = judged(failed(name, Code.REVOKED))
    assert (result.verdict, result.codes) == (Verdict.REJECTED, (Code.REVOKED,))
    told = document(result)
    assert (told["verdict"], told["codes"], told["credentials"][place]["verdict"]) == (
        "rejected",
        ["revoked"],
        "rejected",
    )
    assert "claims" not in told
    with pytest.raises(Denied):
        result.claims()
    assert judged(passed(name)).verdict is Verdict.ACCEPTED


@pytest.mark.attack("P07")
@pytest.mark.good_twin("P07")
def test_the_second_of_several_presentations_is_judged_too(world: World) -> None:
    """P07: only the first was checked, all were kept."""
    several = asked("licence", SD, LICENCE, "age_over_18", multiple=True)
    good = world.present(licence(world, SD))
    strangers = world.present(world.issue(world.stranger, SD, LICENCE))
    result = answer(world, {"licence": [good, strangers]}, several)
    assert (result.verdict, result.codes) == (Verdict.REJECTED, (Code.ISSUER_UNKNOWN,))
    outcomes = [each.verdict for each in result.credentials]
    assert outcomes == [Verdict.ACCEPTED, Verdict.REJECTED]
    with pytest.raises(Denied):
        result.claims()
    accepted(answer(world, {"licence": [good, world.present(licence(world, SD))]}, several))
    twice = answer(world, {"licence": [good, good]}, LICENCE_ASKED)
    assert twice.verdict is Verdict.REJECTED
    assert any(check.outcome is Outcome.FAILED and check.name is CheckName.QUERY for check in twice.checks)
