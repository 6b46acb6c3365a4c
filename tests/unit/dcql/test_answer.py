"""What a verifier makes of an answer: comity.dcql.answer (profile DQ-9; catalogue P06, P07, P08)."""

from typing import Any

import pytest

from comity import dcql

PERSON, LICENCE = "https://types.comity.example/person/1", "https://types.comity.example/drivers-licence/1"


def presented(**changes: Any) -> dcql.Presented:
    values: dict[str, Any] = {
        "format": "dc+sd-jwt",
        "type_names": (PERSON,),
        "claims": {"age_over_19": True, "country": "CA"},
        "is_bound": True,
        "disclosed": ("age_over_19",),
        "authority_key_ids": ("KEY",),
    }
    return dcql.Presented(**values | changes)


def asking(credential_id: str = "person", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": credential_id,
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [PERSON]},
        "claims": [{"path": ["age_over_19"], "id": "age", "values": [True]}],
    }
    return {name: value for name, value in (values | changes).items() if value is not ...}


def query(*credentials: dict[str, Any], sets: list[Any] | None = None) -> dcql.Query:
    return dcql.parse({"credentials": list(credentials)} | ({"credential_sets": sets} if sets else {}))


ONE = query(asking())


@pytest.mark.good_twin("P06", "P08")
def test_the_right_answer_has_no_problems() -> None:
    assert dcql.check_answer(ONE, {"person": [presented()]}) == ()
    assert dcql.over_disclosed(ONE, {"person": [presented()]}) == {"person": ((),)}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": "vc+jwt"}, "kind"),
        ({"type_names": (LICENCE,)}, "kind"),
        ({"type_names": ()}, "kind"),
        ({"claims": {}}, "lacks"),
        ({"claims": {"age_over_19": False}}, "lacks"),
        ({"claims": {"age_over_19": 1}}, "lacks"),
        ({"claims": {"age_over_19": "true"}}, "lacks"),
        ({"is_bound": False}, "proof"),
    ],
)
@pytest.mark.attack("P06", "P08")
def test_a_credential_that_is_not_what_was_asked_is_a_problem(changes: dict[str, Any], word: str) -> None:
    """Catalogue P06, P08: one change from the right answer above."""
    problems = dcql.check_answer(ONE, {"person": [presented(**changes)]})
    assert len(problems) == 1
    assert word in problems[0]


@pytest.mark.clause("DQ-7")
@pytest.mark.attack("P08")
@pytest.mark.good_twin("P08")
def test_trusted_authorities_are_judged_again() -> None:
    wanted = query(asking(trusted_authorities=[{"type": "aki", "values": ["KEY"]}]))
    assert dcql.check_answer(wanted, {"person": [presented()]}) == ()
    assert dcql.check_answer(wanted, {"person": [presented(authority_key_ids=("OTHER",))]})


@pytest.mark.attack("P08")
@pytest.mark.good_twin("P08")
def test_claim_sets_are_judged_again() -> None:
    claims = [
        {"path": ["age_over_19"], "id": "a"},
        {"path": ["birthdate"], "id": "b"},
        {"path": ["country"], "id": "c"},
    ]
    wanted = query(asking(claims=claims, claim_sets=[["b"], ["a", "c"]]))
    assert dcql.check_answer(wanted, {"person": [presented()]}) == ()
    assert dcql.check_answer(wanted, {"person": [presented(claims={"birthdate": "2000-01-01"})]}) == ()
    assert dcql.check_answer(wanted, {"person": [presented(claims={"age_over_19": True})]})


@pytest.mark.clause("DQ-8")
def test_a_proof_by_the_holder_may_be_waived_and_is_welcome_all_the_same() -> None:
    """Profile DQ-8, trap 23."""
    wanted = query(asking(require_cryptographic_holder_binding=False))
    for is_bound in (True, False):
        assert dcql.check_answer(wanted, {"person": [presented(is_bound=is_bound)]}) == ()


@pytest.mark.attack("P07")
@pytest.mark.good_twin("P07")
def test_more_than_one_only_where_it_is_asked() -> None:
    """Catalogue P07."""
    two = {"person": [presented(), presented()]}
    (problem,) = dcql.check_answer(ONE, two)
    assert "more than one" in problem
    assert dcql.check_answer(query(asking(multiple=True)), two) == ()


@pytest.mark.attack("P07")
def test_each_of_several_is_judged() -> None:
    """Catalogue P07: not only the first."""
    answer = {"person": [presented(), presented(claims={})]}
    assert len(dcql.check_answer(query(asking(multiple=True)), answer)) == 1


@pytest.mark.attack("P06")
def test_an_answer_that_was_not_asked_for_is_a_problem() -> None:
    """Catalogue P06. What the wallet wrote is not repeated."""
    problems = dcql.check_answer(ONE, {"person": [presented()], "<script>": [presented()]})
    assert len(problems) == 1
    assert "script" not in problems[0]


@pytest.mark.parametrize("answer", [{}, {"person": []}])
def test_no_answer_is_a_problem(answer: dict[str, list[dcql.Presented]]) -> None:
    assert dcql.check_answer(ONE, answer)


def test_an_empty_answer_is_a_problem_even_where_none_is_needed() -> None:
    """Profile VP-20: no member for an optional query that is not answered."""
    sets = [{"options": [["person"]]}, {"options": [["licence"]], "required": False}]
    wanted = query(asking(), licence(), sets=sets)
    assert dcql.check_answer(wanted, {"person": [presented()]}) == ()
    assert dcql.check_answer(wanted, {"person": [presented()], "licence": []}) == ("the answer to 'licence' is empty",)


def licence(credential_id: str = "licence") -> dict[str, Any]:
    return asking(credential_id, meta={"vct_values": [LICENCE]}, claims=...)


def test_every_credential_is_needed_without_sets() -> None:
    both = query(asking(), licence())
    good = {"person": [presented()], "licence": [presented(type_names=(LICENCE,))]}
    assert dcql.check_answer(both, good) == ()
    for query_id, credentials in good.items():
        problems = dcql.check_answer(both, {query_id: credentials})
        assert problems == ("not every credential that was asked for was presented",)


@pytest.mark.attack("P08")
def test_sets_are_judged_again() -> None:
    """Catalogue P08."""
    sets = [{"options": [["licence"], ["person", "other"]]}, {"options": [["extra"]], "required": False}]
    wanted = query(asking(), licence(), asking("other"), asking("extra"), sets=sets)
    person, driver = [presented()], [presented(type_names=(LICENCE,))]
    assert dcql.check_answer(wanted, {"licence": driver}) == ()
    assert dcql.check_answer(wanted, {"person": person, "other": person}) == ()
    assert dcql.check_answer(wanted, {"licence": driver, "extra": person}) == ()
    answers: list[dict[str, list[dcql.Presented]]] = [{"person": person}, {"extra": person}, {"licence": []}, {}]
    for insufficient in answers:
        assert "required credential set 1 is not answered" in dcql.check_answer(wanted, insufficient)


def test_a_wrong_credential_in_an_optional_set_is_a_problem() -> None:
    sets = [{"options": [["person"]]}, {"options": [["licence"]], "required": False}]
    wanted = query(asking(), licence(), sets=sets)
    assert dcql.check_answer(wanted, {"person": [presented()], "licence": [presented(type_names=(LICENCE,))]}) == ()
    assert dcql.check_answer(wanted, {"person": [presented()], "licence": [presented()]})


def test_a_credential_that_no_set_names_was_not_asked_for() -> None:
    wanted = query(asking(), asking("other"), sets=[{"options": [["person"]]}])
    assert dcql.check_answer(wanted, {"person": [presented()]}) == ()
    assert dcql.check_answer(wanted, {"person": [presented()], "other": [presented()]})


# --- over-disclosure


def test_what_was_not_asked_is_reported_and_is_no_problem() -> None:
    """Profile DQ-9."""
    generous = {"person": [presented(disclosed=("family_name", "age_over_19", ("address", "country")))]}
    assert dcql.check_answer(ONE, generous) == ()
    assert dcql.over_disclosed(ONE, generous) == {"person": ((("address", "country"), ("family_name",)),)}


def test_without_claims_everything_disclosed_is_too_much() -> None:
    assert dcql.over_disclosed(query(asking(claims=...)), {"person": [presented()]}) == {
        "person": ((("age_over_19",),),)
    }


def test_the_claim_set_that_leaves_least_over_counts() -> None:
    claims = [{"path": ["age_over_19"], "id": "a"}, {"path": ["country"], "id": "c"}]
    wanted = query(asking(claims=claims, claim_sets=[["a"], ["c"]]))
    assert dcql.over_disclosed(wanted, {"person": [presented(disclosed=("country",))]}) == {"person": ((),)}
    both = {"person": [presented(disclosed=("country", "age_over_19"))]}
    assert dcql.over_disclosed(wanted, both) == {"person": ((("country",),),)}


@pytest.mark.parametrize(
    ("query_id", "changes"), [("person", {"claims": {}}), ("person", {"type_names": ()}), ("stranger", {})]
)
def test_everything_is_too_much_in_a_credential_that_answers_nothing(query_id: str, changes: dict[str, Any]) -> None:
    assert dcql.over_disclosed(ONE, {query_id: [presented(**changes)]}) == {query_id: ((("age_over_19",),),)}


def test_claims_are_not_in_the_words_for_a_credential() -> None:
    assert "country" not in repr(presented())
