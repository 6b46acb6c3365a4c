"""What a wallet can answer: comity.dcql.match and comity.dcql.selection."""

from typing import Any

import pytest

from comity import dcql
from comity.credential import CredentialType, Format
from comity.dcql.selection import Asked, is_of_kind

PERSON = CredentialType(slug="person", version=1)
LICENCE = CredentialType(slug="drivers-licence", version=2)
CLAIMS = {"family_name": "Tremblay", "age_over_19": True, "age": 23, "locality": "Montréal"}


def holding(**changes: Any) -> dcql.Holding:
    values: dict[str, Any] = {
        "id": "held",
        "format": "dc+sd-jwt",
        "type_names": (PERSON.vct,),
        "claims": CLAIMS,
        "disclosable": frozenset(CLAIMS),
    }
    return dcql.Holding(**values | changes)


def w3c_holding(**changes: Any) -> dcql.Holding:
    values: dict[str, Any] = {
        "id": "w3c",
        "format": "vc+jwt",
        "type_names": dcql.type_names("vc+jwt", PERSON),
        "claims": {"credentialSubject": CLAIMS},
    }
    return dcql.Holding(**values | changes)


def asking(credential_id: str = "person", **changes: Any) -> dict[str, Any]:
    return {"id": credential_id, "format": "dc+sd-jwt", "meta": {"vct_values": [PERSON.vct]}} | changes


def query(*credentials: dict[str, Any], sets: list[Any] | None = None) -> dcql.Query:
    return dcql.parse({"credentials": list(credentials)} | ({"credential_sets": sets} if sets else {}))


def only(match: dcql.Match) -> dcql.Candidate:
    ((candidate,),) = match.candidates.values()
    return candidate


def matches(credential: dict[str, Any], held: dcql.Holding) -> bool:
    return dcql.match(query(credential), [held]).is_satisfied


# --- kind


def test_the_type_names_of_the_two_formats() -> None:
    """Profile DQ-3: `vct`, or fully expanded IRIs."""
    assert dcql.type_names(Format.DC_SD_JWT, LICENCE) == ("https://types.comity.example/drivers-licence/2",)
    assert dcql.type_names(Format.VC_JWT, LICENCE) == (
        "https://www.w3.org/2018/credentials#VerifiableCredential",
        "https://types.comity.example/drivers-licence/2#DriversLicence",
    )


def test_where_paths_start_in_the_two_formats() -> None:
    """Profile DQ-2: in W3C formats the root is the credential."""
    for credential_format in ("dc+sd-jwt", "vc+jwt"):
        path = dcql.claim_path(credential_format, "age")
        assert dcql.parse(
            {"credentials": [asking(format=credential_format, meta={}, claims=[{"path": list(path)}])]}
        ).credentials[0].claims == (dcql.ClaimQuery(path=path),)
        held = holding() if credential_format == "dc+sd-jwt" else w3c_holding()
        assert matches(asking(format=credential_format, meta={}, claims=[{"path": list(path)}]), held)


@pytest.mark.parametrize(
    ("meta", "is_match"),
    [
        ({"vct_values": [PERSON.vct]}, True),
        ({"vct_values": ["https://other.example", PERSON.vct]}, True),
        ({"vct_values": ["https://other.example"]}, False),
        ({"vct_values": [f"{PERSON.vct}/"]}, False),
        ({}, True),
    ],
)
@pytest.mark.clause("DQ-3")
def test_vct_values(meta: dict[str, Any], *, is_match: bool) -> None:
    assert matches(asking(meta=meta), holding()) is is_match


@pytest.mark.clause("DQ-3")
def test_an_inherited_type_answers_too() -> None:
    """Profile DQ-3: any name of the credential."""
    assert matches(asking(), holding(type_names=("https://other.example", PERSON.vct)))


VC, TYPE = dcql.type_names("vc+jwt", PERSON)


@pytest.mark.parametrize(
    ("types", "is_match"),
    [
        ([[VC]], True),
        ([[VC, TYPE]], True),
        ([[TYPE, VC]], True),
        ([["https://other.example#X"], [TYPE]], True),
        ([[VC, "https://other.example#X"]], False),
        ([["VerifiableCredential", "Person"]], False),
    ],
)
@pytest.mark.clause("DQ-3")
def test_type_values_are_sets_of_expanded_names(types: list[list[str]], *, is_match: bool) -> None:
    """Profile DQ-3: each inner array is a subset test."""
    assert matches(asking(format="vc+jwt", meta={"type_values": types}), w3c_holding()) is is_match


def test_another_format_does_not_answer() -> None:
    assert matches(asking(meta={}), holding())
    assert not matches(asking(meta={}), w3c_holding())
    assert not matches(asking(format="vc+jwt", meta={}), holding())


@pytest.mark.parametrize("credential_format", ["mso_mdoc", "jwt_vc_json", "ldp_vc", "something-new"])
def test_a_format_whose_rules_are_not_known_here_never_matches(credential_format: str) -> None:
    """Even if something holds it: their paths, or their way to bind, are different ones."""
    wanted = dcql.parse({"credentials": [asking(format=credential_format, meta={})]}).credentials[0]
    assert not is_of_kind(wanted, holding(format=credential_format))
    assert not matches(asking(format=credential_format, meta={}), holding(format=credential_format))


@pytest.mark.parametrize(
    ("authorities", "is_match"),
    [
        ([{"type": "aki", "values": ["KEY"]}], True),
        ([{"type": "aki", "values": ["OTHER", "KEY"]}], True),
        ([{"type": "etsi_tl", "values": ["https://lotl.example"]}, {"type": "aki", "values": ["KEY"]}], True),
        ([{"type": "aki", "values": ["OTHER"]}], False),
        ([{"type": "etsi_tl", "values": ["KEY"]}], False),
        ([{"type": "openid_federation", "values": ["https://anchor.example"]}], False),
    ],
)
@pytest.mark.clause("DQ-7")
def test_trusted_authorities(authorities: list[Any], *, is_match: bool) -> None:
    """Profile DQ-7."""
    held = holding(authority_key_ids=("KEY", "ROOT"))
    assert matches(asking(trusted_authorities=authorities), held) is is_match
    assert matches(asking(), held)


@pytest.mark.clause("DQ-8")
def test_holder_binding_is_required_unless_waived() -> None:
    """Profile DQ-8."""
    unbound = holding(can_bind=False)
    assert not matches(asking(), unbound)
    assert matches(asking(require_cryptographic_holder_binding=False), unbound)
    assert matches(asking(), holding())
    assert matches(asking(require_cryptographic_holder_binding=False), holding())


# --- claims


def claim(name: str, **members: Any) -> dict[str, Any]:
    return {"path": [name], "id": name} | members


@pytest.mark.clause("DQ-4")
@pytest.mark.attack("P18")
def test_without_claims_nothing_is_disclosed() -> None:
    """Profile DQ-4."""
    candidate = only(dcql.match(query(asking()), [holding()]))
    assert (candidate.asked, candidate.disclose) == ((), ())
    assert candidate.withheld == (("age",), ("age_over_19",), ("family_name",), ("locality",))


@pytest.mark.clause("DQ-4")
@pytest.mark.attack("P18")
def test_only_what_is_asked_is_disclosed() -> None:
    candidate = only(dcql.match(query(asking(claims=[claim("locality"), claim("age_over_19")])), [holding()]))
    assert candidate.asked == (("locality",), ("age_over_19",))
    assert candidate.disclose == (("age_over_19",), ("locality",))
    assert candidate.withheld == (("age",), ("family_name",))
    assert (candidate.query_id, candidate.holding_id) == ("person", "held")


def test_a_claim_that_is_always_there_needs_no_disclosure() -> None:
    candidate = only(dcql.match(query(asking(claims=[claim("age")])), [holding(disclosable=("family_name",))]))
    assert (candidate.asked, candidate.disclose, candidate.withheld) == ((("age",),), (), (("family_name",),))


def test_a_format_without_disclosure_gives_everything() -> None:
    wanted = asking(format="vc+jwt", meta={}, claims=[{"path": ["credentialSubject", "age"]}])
    candidate = only(dcql.match(query(wanted), [w3c_holding()]))
    assert (candidate.asked, candidate.disclose) == ((("credentialSubject", "age"),), ())


def test_a_missing_claim_makes_no_candidate() -> None:
    assert matches(asking(claims=[claim("age")]), holding())
    assert not matches(asking(claims=[claim("age"), claim("height")]), holding())


@pytest.mark.parametrize(
    ("held", "values", "is_match"),
    [
        ("CA", ["CA"], True),
        ("CA", ["FR", "CA"], True),
        ("CA", ["ca"], False),
        (1, [1], True),
        (1, [True], False),
        (1, ["1"], False),
        (1.0, [1], False),
        (True, [True], True),
        (True, [1], False),
        (True, ["true"], False),
        (False, [0], False),
        (0, [False], False),
        (None, ["CA"], False),
        (["CA"], ["CA"], False),
        ({"a": 1}, ["a"], False),
    ],
)
@pytest.mark.clause("DQ-5")
def test_values_count_with_their_type(held: object, values: list[Any], *, is_match: bool) -> None:
    """Profile DQ-5."""
    wanted = asking(claims=[claim("x", values=values)])
    assert matches(wanted, holding(claims={"x": held}, disclosable=("x",))) is is_match
    assert matches(asking(claims=[claim("x")]), holding(claims={"x": held}))


def test_one_acceptable_element_of_many_is_enough_and_only_it_is_disclosed() -> None:
    held = holding(claims={"n": ["CA", "FR", "IT"]}, disclosable=[("n", 0), ("n", 1), ("n", 2)])
    candidate = only(dcql.match(query(asking(claims=[{"path": ["n", None], "values": ["FR"]}])), [held]))
    assert (candidate.disclose, candidate.withheld) == ((("n", 1),), (("n", 0), ("n", 2)))


SETS: dict[str, Any] = {
    "claims": [claim("height"), claim("age"), claim("locality"), claim("family_name")],
    "claim_sets": [["height", "age"], ["age", "family_name"], ["locality"]],
}


@pytest.mark.clause("DQ-4")
def test_the_first_claim_set_that_can_be_satisfied_is_taken() -> None:
    candidate = only(dcql.match(query(asking(**SETS)), [holding()]))
    assert candidate.disclose == (("age",), ("family_name",))


def test_no_claim_set_satisfied_makes_no_candidate() -> None:
    assert not matches(asking(**SETS), holding(claims={"age": 23}))
    assert matches(asking(**SETS), holding(claims={"locality": "Montréal"}))


def test_nested_disclosures_are_taken_along() -> None:
    claims = {"address": {"locality": "Montréal", "lines": ["1", "2"]}, "name": "x"}
    nested = [("address",), ("address", "locality"), ("address", "lines"), ("address", "lines", 0), ("name",)]
    held = holding(claims=claims, disclosable=nested)
    inner = only(dcql.match(query(asking(claims=[{"path": ["address", "locality"]}])), [held]))
    assert inner.disclose == (("address",), ("address", "locality"))
    outer = only(dcql.match(query(asking(claims=[{"path": ["address"]}])), [held]))
    assert set(outer.disclose) == set(nested) - {("name",)}
    assert outer.withheld == (("name",),)


def test_what_was_asked_concerns_what_contains_it_and_what_it_contains() -> None:
    asked = Asked([("a", "b"), ("c",)])
    related: list[Any] = [("a",), ("a", "b"), ("a", "b", 0), ("c",), ("c", "d")]
    unrelated: list[Any] = [("b",), ("a", "c"), ("d",), ("a", 0)]
    assert [asked.concerns(place) for place in related] == [True] * 5
    assert [asked.concerns(place) for place in unrelated] == [False] * 4
    assert not Asked([]).concerns(("a",))


# --- several holdings, several credentials


def test_every_candidate_is_offered() -> None:
    held = [holding(id="one"), holding(id="two", type_names=("https://other.example",)), holding(id="three")]
    match = dcql.match(query(asking()), held)
    assert [each.holding_id for each in match.candidates["person"]] == ["one", "three"]
    assert (match.needed, match.missing) == (("person",), ())


@pytest.mark.attack("P19")
@pytest.mark.good_twin("P19")
def test_a_credential_that_lacks_a_claim_spoils_nothing_beside_one_that_has_it() -> None:
    """Catalogue P19: whichever of the two comes first, the fitting one is offered, and it alone."""
    wanted = query(asking(claims=[claim("age"), claim("locality")]))
    lacking = holding(id="lacking", claims={"age": 23}, disclosable=frozenset({"age"}))
    for held in ([lacking, holding()], [holding(), lacking]):
        match = dcql.match(wanted, held)
        assert [each.holding_id for each in match.candidates["person"]] == ["held"]
    assert not dcql.match(wanted, [lacking]).is_satisfied


def licence(credential_id: str = "licence") -> dict[str, Any]:
    return asking(credential_id, meta={"vct_values": [LICENCE.vct]})


def test_without_sets_every_credential_is_needed() -> None:
    """Profile DQ-6."""
    match = dcql.match(query(asking(), licence()), [holding()])
    assert (match.is_satisfied, match.candidates, match.needed) == (False, {}, ())
    assert match.missing == ("licence",)
    both = dcql.match(query(asking(), licence()), [holding(), holding(id="l", type_names=(LICENCE.vct,))])
    assert (both.is_satisfied, both.needed, both.missing) == (True, ("person", "licence"), ())
    assert both.sets == (dcql.SetMatch(required=True, options=(("person", "licence"),)),)


def test_one_holding_may_answer_two_queries() -> None:
    match = dcql.match(query(asking("a"), asking("b")), [holding()])
    assert [len(found) for found in match.candidates.values()] == [1, 1]


def test_an_alternative_is_enough() -> None:
    sets = [{"options": [["licence"], ["person"]]}]
    match = dcql.match(query(asking(), licence(), sets=sets), [holding()])
    assert (match.is_satisfied, match.needed, match.missing) == (True, ("person",), ("licence",))
    assert list(match.candidates) == ["person"]


def test_the_verifiers_favourite_comes_first() -> None:
    sets = [{"options": [["licence"], ["person"]]}]
    held = [holding(), holding(id="l", type_names=(LICENCE.vct,))]
    match = dcql.match(query(asking(), licence(), sets=sets), held)
    assert match.needed == ("licence",)
    assert match.sets == (dcql.SetMatch(required=True, options=(("licence",), ("person",))),)
    assert set(match.candidates) == {"person", "licence"}


def test_an_optional_set_that_cannot_be_answered_stops_nothing() -> None:
    sets = [{"options": [["person"]]}, {"options": [["licence"]], "required": False}]
    match = dcql.match(query(asking(), licence(), sets=sets), [holding()])
    assert (match.is_satisfied, match.needed) == (True, ("person",))
    assert match.sets[1] == dcql.SetMatch(required=False, options=())


@pytest.mark.clause("DQ-6")
def test_an_optional_set_is_offered_but_not_needed() -> None:
    sets = [{"options": [["person"]]}, {"options": [["licence"]], "required": False}]
    held = [holding(), holding(id="l", type_names=(LICENCE.vct,))]
    match = dcql.match(query(asking(), licence(), sets=sets), held)
    assert (match.needed, set(match.candidates)) == (("person",), {"person", "licence"})


@pytest.mark.clause("DQ-6")
def test_a_required_set_that_cannot_be_answered_gives_nothing_at_all() -> None:
    """Profile DQ-6: nothing is returned, not even what could be."""
    sets = [{"options": [["person"]]}, {"options": [["licence"]]}]
    match = dcql.match(query(asking(), licence(), sets=sets), [holding()])
    assert (match.is_satisfied, match.candidates, match.needed, match.missing) == (False, {}, (), ("licence",))


def test_a_credential_that_no_set_names_is_not_offered() -> None:
    held = [holding(), holding(id="l", type_names=(LICENCE.vct,))]
    match = dcql.match(query(asking(), licence(), sets=[{"options": [["person"]]}]), held)
    assert set(match.candidates) == {"person"}


def test_half_an_option_is_not_offered() -> None:
    sets = [{"options": [["person"]]}, {"options": [["licence", "other"]], "required": False}]
    held = [holding(), holding(id="l", type_names=(LICENCE.vct,))]
    other = asking("other", meta={"vct_values": ["https://other.example"]})
    match = dcql.match(query(asking(), licence(), other, sets=sets), held)
    assert set(match.candidates) == {"person"}


def test_claims_are_not_in_the_words_for_a_holding() -> None:
    assert "Tremblay" not in repr(holding())
