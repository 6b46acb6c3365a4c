"""A whole answer to a request: query, policy and all its credentials together (profile 6.7; catalogue V05, P06)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from comity import base64url, dcql, x509
from comity.credential import CredentialType, Format
from comity.errors import Code, Denied
from comity.formats.opened import ProcessedCredential
from comity.keys import KeySigner
from comity.verification.checks import Check, CheckName, Outcome, Result, Verdict, failed, passed, unknown
from comity.verification.presentation import PresentationDemand, verify_presentation
from comity.verification.report import document
from comity.verification.status import StatusDemand
from tests.support.forging import accepted, licence, person, rejected, undetermined
from tests.support.world import LICENCE, PERSON, World

SD, VC = Format.DC_SD_JWT, Format.VC_JWT
Processed = Mapping[str, Sequence[ProcessedCredential]]


def asked(query_id: str, kind: Format, credential_type: CredentialType, *claims: str, **more: Any) -> dict[str, Any]:
    """One credential query."""
    names = list(dcql.type_names(kind, credential_type))
    meta = {"vct_values": names} if kind is SD else {"type_values": [names]}
    paths = [[name] if kind is SD else ["credentialSubject", name] for name in claims]
    members: dict[str, Any] = {"id": query_id, "format": str(kind), "meta": meta}
    if paths:
        members["claims"] = [{"path": path} for path in paths]
    return {**members, **more}


LICENCE_ASKED = asked("licence", SD, LICENCE, "age_over_18")
PERSON_ASKED = asked("person", SD, PERSON, "family_name")


def answer(
    world: World,
    vp_token: Mapping[str, Sequence[str]],
    *credentials: dict[str, Any],
    sets: Sequence[object] | None = None,
    **demand: Any,
) -> Result:
    """Verify ``vp_token`` as the answer to a query for ``credentials``."""
    query: dict[str, Any] = {"credentials": list(credentials or (LICENCE_ASKED,))}
    if sets is not None:
        query["credential_sets"] = list(sets)
    arguments: dict[str, Any] = {
        "query": dcql.parse(query),
        "credential": world.demand(),
        "status": StatusDemand(),
        **demand,
    }
    return world.settle(
        verify_presentation(vp_token, demand=PresentationDemand(**arguments), snapshot=world.snapshot())
    )


def shown(world: World, *disclose: str, **changes: Any) -> str:
    """Ontario's licence, presented."""
    return world.present(licence(world, SD, **changes), disclose or ("age_over_18",))


def status_asked(world: World) -> list[str]:
    return [url for url in world.asked if "status" in url]


def lacks(result: Result) -> None:
    """Only the query is not satisfied."""
    rejected(result, CheckName.QUERY, Code.QUERY_NOT_SATISFIED)


# --- the query


def test_what_was_asked_is_released_by_query_id(world: World) -> None:
    result = answer(world, {"licence": [shown(world)]})
    accepted(result)
    assert result.claims() == {"licence": ({"age_over_18": True},)}
    assert [check.name for check in result.checks] == [CheckName.QUERY]


def test_both_formats_in_one_answer(world: World) -> None:
    vp_token = {"licence": [shown(world)], "person": [world.present(person(world, VC))]}
    result = answer(world, vp_token, LICENCE_ASKED, asked("person", VC, PERSON, "family_name"))
    accepted(result)
    assert result.claims()["person"] == ({"family_name": "Chen"},)


def test_nothing_presented(world: World) -> None:
    lacks(answer(world, {}))
    lacks(answer(world, {"licence": []}))
    assert world.asked == []


def test_a_claim_withheld(world: World) -> None:
    lacks(answer(world, {"licence": [shown(world, "class")]}))
    assert status_asked(world) == []


@pytest.mark.attack("P08")
def test_a_claim_with_another_value_than_asked_for(world: World) -> None:
    wanted = {**LICENCE_ASKED, "claims": [{"path": ["class"], "values": ["G"]}]}
    lacks(answer(world, {"licence": [shown(world, "class")]}, wanted))
    accepted(answer(world, {"licence": [shown(world, "class")]}, {**wanted, "claims": [{"path": ["class"]}]}))


def test_another_type_than_asked_for(world: World) -> None:
    other = world.issue(world.on, SD, PERSON)
    lacks(answer(world, {"licence": [world.present(other)]}))


def test_another_format_than_asked_for(world: World) -> None:
    result = answer(world, {"licence": [world.present(licence(world, VC))]})
    assert result.verdict is Verdict.REJECTED
    assert result.credentials[0].check(CheckName.WELL_FORMED).outcome is Outcome.FAILED
    assert world.asked == []


@pytest.mark.attack("P08")
def test_another_authority_than_asked_for(world: World) -> None:
    hint = [{"type": "aki", "values": ["AAAA"]}]
    lacks(answer(world, {"licence": [shown(world)]}, {**LICENCE_ASKED, "trusted_authorities": hint}))
    own = base64url.encode(x509.authority_key_identifier(world.on.leaf))
    hint = [{"type": "aki", "values": [own]}]
    accepted(answer(world, {"licence": [shown(world)]}, {**LICENCE_ASKED, "trusted_authorities": hint}))


def test_a_credential_that_nobody_requested(world: World) -> None:
    extra = {"licence": [shown(world)], "person": [world.present(person(world, SD), ("family_name",))]}
    result = answer(world, extra)
    lacks(result)
    assert status_asked(world) == []
    accepted(answer(world, extra, LICENCE_ASKED, PERSON_ASKED))


def test_several_where_one_was_asked(world: World) -> None:
    both = {"licence": [shown(world), shown(world)]}
    lacks(answer(world, both))
    result = answer(world, both, {**LICENCE_ASKED, "multiple": True})
    accepted(result)
    assert result.claims() == {"licence": ({"age_over_18": True}, {"age_over_18": True})}


def test_one_of_two_is_missing(world: World) -> None:
    lacks(answer(world, {"licence": [shown(world)]}, LICENCE_ASKED, PERSON_ASKED))
    optional = [{"options": [["licence"]]}, {"options": [["person"]], "required": False}]
    accepted(answer(world, {"licence": [shown(world)]}, LICENCE_ASKED, PERSON_ASKED, sets=optional))


def test_a_required_set_that_no_option_satisfies(world: World) -> None:
    person_only = {"person": [world.present(person(world, SD), ("family_name",))]}
    sets = [{"options": [["licence"]]}, {"options": [["person"]], "required": False}]
    lacks(answer(world, person_only, LICENCE_ASKED, PERSON_ASKED, sets=sets))
    either = [{"options": [["licence"], ["person"]]}]
    accepted(answer(world, person_only, LICENCE_ASKED, PERSON_ASKED, sets=either))


@pytest.mark.attack("S01")
@pytest.mark.good_twin("S01")
def test_each_query_says_whether_it_needs_a_proof(world: World) -> None:
    """S01: what the sender attached decides nothing, and the leniency of one query does not reach the next."""
    bare = world.present(licence(world, SD), holder=None)
    waived = {**LICENCE_ASKED, "require_cryptographic_holder_binding": False}
    rejected(answer(world, {"licence": [bare]}), CheckName.HOLDER_BINDING, Code.HOLDER_BINDING_MISSING)
    result = answer(world, {"licence": [bare]}, waived)
    accepted(result)
    assert result.credentials[0].check(CheckName.HOLDER_BINDING).code is Code.NOT_REQUIRED
    bound = world.present(person(world, SD), ("family_name",))
    accepted(answer(world, {"licence": [bare], "person": [bound]}, waived, PERSON_ASKED))
    unbound = world.present(person(world, SD), ("family_name",), holder=None)
    both = answer(world, {"licence": [bare], "person": [unbound]}, waived, PERSON_ASKED)
    rejected(both, CheckName.HOLDER_BINDING, Code.HOLDER_BINDING_MISSING)


def test_where_no_proof_is_expected_at_all_a_query_that_needs_one_is_not_satisfied(world: World) -> None:
    lacks(answer(world, {"licence": [shown(world)]}, credential=world.demand(holder=None)))


def test_a_format_that_is_not_known_here(world: World) -> None:
    mdoc = {"id": "licence", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}}
    result = answer(world, {"licence": [shown(world)]}, mdoc)
    rejected(result, CheckName.WELL_FORMED, Code.FORMAT_UNKNOWN)


# --- surplus


@pytest.mark.clause("DQ-9")
def test_claims_disclosed_without_being_asked_for_are_dropped(world: World) -> None:
    result = answer(world, {"licence": [shown(world, "age_over_18", "family_name", "birthdate")]})
    accepted(result)
    assert result.claims() == {"licence": ({"age_over_18": True},)}
    assert result.credentials[0].about["dropped"] == 2
    assert "Chen" not in str(document(result))


def test_a_w3c_credential_shows_everything_and_releases_what_was_asked(world: World) -> None:
    vp_token = {"licence": [world.present(licence(world, VC))]}
    result = answer(world, vp_token, asked("licence", VC, LICENCE, "age_over_18", "class"))
    accepted(result)
    assert result.claims() == {"licence": ({"age_over_18": True, "class": "G2"},)}
    assert result.credentials[0].about["dropped"] == 8


def test_a_query_without_claims_gets_none_of_those_that_could_be_withheld(world: World) -> None:
    result = answer(world, {"licence": [shown(world)]}, asked("licence", SD, LICENCE))
    assert result.verdict is Verdict.ACCEPTED
    assert result.claims() == {"licence": ({},)}


# --- several credentials, one verdict


def test_one_bad_credential_rejects_the_whole_answer(world: World) -> None:
    """The good half is not released either, and nobody's status is asked for."""
    good, bad = shown(world), world.present(person(world, SD), ("family_name",), nonce="other")
    for vp_token in ({"licence": [good], "person": [bad]}, {"person": [bad], "licence": [good]}):
        result = answer(world, vp_token, LICENCE_ASKED, PERSON_ASKED)
        assert result.verdict is Verdict.REJECTED
        assert Code.NONCE_MISMATCH in result.codes
        assert [each.check(CheckName.STATUS).code for each in result.credentials] == [Code.NOT_NEEDED] * 2
        with pytest.raises(Denied):
            result.claims()
    assert status_asked(world) == []


def test_one_that_cannot_be_examined_stops_query_and_policy(world: World) -> None:
    forged = world.present(world.issue(world.stranger, SD, PERSON), ("family_name",))
    policy_ran: list[Processed] = []

    def policy(processed: Processed) -> Sequence[Check]:
        policy_ran.append(processed)
        return (passed(CheckName.POLICY),)

    vp_token = {"licence": [shown(world)], "person": [forged]}
    result = answer(world, vp_token, LICENCE_ASKED, PERSON_ASKED, policy=policy)
    rejected(result, CheckName.ISSUER_KEY, Code.ISSUER_UNKNOWN)
    told = [(check.name, check.outcome) for check in result.checks]
    assert told == [(CheckName.QUERY, Outcome.NOT_RUN), (CheckName.POLICY, Outcome.NOT_RUN)]
    assert policy_ran == []


def test_one_whose_key_cannot_be_looked_up_leaves_all_open(world: World) -> None:
    vp_token = {"licence": [shown(world)], "person": [world.present(person(world, VC))]}
    queries = (LICENCE_ASKED, asked("person", VC, PERSON, "family_name"))
    accepted(answer(world, vp_token, *queries))
    del world.evidence[world.bc.document_url]
    result = answer(world, vp_token, *queries)
    undetermined(result, CheckName.ISSUER_KEY, Code.DID_UNRESOLVED)
    assert result.credentials[1].check(CheckName.STATUS).code is Code.STOPPED_EARLIER


def test_shared_documents_are_asked_for_once(world: World) -> None:
    both = {"a": [world.present(licence(world, VC))], "b": [world.present(licence(world, VC))]}
    accepted(answer(world, both, asked("a", VC, LICENCE, "class"), asked("b", VC, LICENCE, "class")))
    assert len(world.asked) == len(set(world.asked)) == 3


# --- the policy


@pytest.mark.attack("V05")
@pytest.mark.good_twin("V05")
def test_two_credentials_of_two_holders(world: World) -> None:
    """V05: pooling. Each proof is good; the two are not of one holder."""
    other = KeySigner.generate()
    mine = shown(world)
    theirs = world.present(person(world, SD, holder_jwk=other.public_jwk), ("family_name",), holder=other)
    ours = world.present(person(world, SD), ("family_name",))
    queries = (LICENCE_ASKED, PERSON_ASKED)
    pooled = {"licence": [mine], "person": [theirs]}
    rejected(answer(world, pooled, *queries, same_holder=True), CheckName.POLICY, Code.HOLDER_KEYS_DIFFER)
    assert status_asked(world) == []
    accepted(answer(world, {"licence": [mine], "person": [ours]}, *queries, same_holder=True))
    accepted(answer(world, pooled, *queries))


def test_credentials_bound_to_nobody_are_not_of_one_holder(world: World) -> None:
    unbound = world.present(licence(world, SD, holder_jwk=None), holder=None)
    waived = {**LICENCE_ASKED, "require_cryptographic_holder_binding": False}
    result = answer(world, {"licence": [unbound]}, waived, same_holder=True)
    rejected(result, CheckName.POLICY, Code.HOLDER_KEYS_DIFFER)
    accepted(answer(world, {"licence": [unbound]}, waived))


def test_a_policy_that_says_no_with_everything_else_good(world: World) -> None:
    def too_young(processed: Processed) -> Sequence[Check]:
        claims = processed["licence"][0].claims
        good = claims["age_over_18"] is wanted
        return (passed(CheckName.POLICY) if good else failed(CheckName.POLICY, Code.AGE_REQUIREMENT_NOT_MET),)

    wanted = False
    rejected(
        answer(world, {"licence": [shown(world)]}, policy=too_young), CheckName.POLICY, Code.AGE_REQUIREMENT_NOT_MET
    )
    assert status_asked(world) == []
    wanted = True
    accepted(answer(world, {"licence": [shown(world)]}, policy=too_young))


def test_a_policy_that_cannot_tell(world: World) -> None:
    result = answer(
        world,
        {"licence": [shown(world)]},
        policy=lambda _: (unknown(CheckName.POLICY, Code.AGE_RULE_UNKNOWN),),
    )
    undetermined(result, CheckName.POLICY, Code.AGE_RULE_UNKNOWN)


# --- the report


def test_the_report_holds_claims_only_when_accepted_and_asked_for(world: World) -> None:
    good = answer(world, {"licence": [shown(world)]})
    assert document(good)["claims"] == {"licence": [{"age_over_18": True}]}
    assert "claims" not in document(good, with_claims=False)
    refused = answer(world, {"licence": [shown(world, "family_name")]})
    report = document(refused)
    assert "claims" not in report
    assert "Chen" not in str(report)
    assert (report["verdict"], report["codes"]) == ("rejected", ["query_not_satisfied"])
