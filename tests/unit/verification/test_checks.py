"""The verdict, over the whole truth table; and that no answer can be read as yes by accident."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code, Denied, Malformed
from comity.verification.checks import (
    ORDER,
    Check,
    CheckName,
    CredentialResult,
    Outcome,
    Result,
    Verdict,
    failed,
    failure_of,
    not_run,
    passed,
    unknown,
    verdict_of,
)

ANY_CHECK = st.builds(
    Check,
    name=st.sampled_from(CheckName),
    outcome=st.sampled_from(Outcome),
    code=st.sampled_from(Code),
    required=st.booleans(),
)


def expected(rows: list[tuple[Outcome, bool]]) -> Verdict:
    """The rule of house.md, in other words than the code's."""
    if [row for row in rows if row[0] is Outcome.FAILED]:
        return Verdict.REJECTED
    if not rows:
        return Verdict.UNDETERMINED
    good = [row for row in rows if row[0] is Outcome.PASSED or row == (Outcome.NOT_RUN, False)]
    return Verdict.ACCEPTED if len(good) == len(rows) else Verdict.UNDETERMINED


@pytest.mark.parametrize("length", [0, 1, 2, 3])
@pytest.mark.clause("C6")
@pytest.mark.attack("P09")
@pytest.mark.good_twin("P09")
def test_the_whole_truth_table(length: int) -> None:
    cells = list(product(Outcome, (True, False)))
    for rows in product(cells, repeat=length):
        checks = [Check(name=CheckName.STATUS, outcome=outcome, required=required) for outcome, required in rows]
        assert verdict_of(checks) is expected(list(rows)), rows


@given(st.lists(ANY_CHECK, max_size=14))
def test_a_longer_list_follows_the_same_rule(checks: list[Check]) -> None:
    assert verdict_of(checks) is expected([(check.outcome, check.required) for check in checks])


@given(st.lists(ANY_CHECK, max_size=8), ANY_CHECK.filter(lambda c: c.outcome is not Outcome.PASSED and c.required))
def test_one_more_bad_check_never_improves_the_verdict(checks: list[Check], bad: Check) -> None:
    assert verdict_of([*checks, bad]) is not Verdict.ACCEPTED


def test_nothing_presented_is_never_accepted() -> None:
    assert Result().verdict is Verdict.UNDETERMINED
    assert Result(checks=(passed(CheckName.QUERY),)).verdict is Verdict.UNDETERMINED
    assert Result(checks=(failed(CheckName.QUERY, Code.QUERY_NOT_SATISFIED),)).verdict is Verdict.REJECTED


def test_a_result_cannot_be_read_as_a_boolean() -> None:
    for result in (Result(), CredentialResult()):
        with pytest.raises(TypeError, match="not a boolean"):
            bool(result)


@pytest.mark.clause("C6")
def test_only_an_accepted_result_releases_claims() -> None:
    good = CredentialResult(query_id="a", checks=(passed(CheckName.SIGNATURE),), disclosed={"age_over_19": True})
    assert Result(credentials=(good,)).claims() == {"a": ({"age_over_19": True},)}
    revoked = failed(CheckName.STATUS, Code.REVOKED)
    bad = CredentialResult(query_id="b", checks=(revoked,), disclosed={"family_name": "Canary"})
    with pytest.raises(Denied) as refusal:
        Result(credentials=(good, bad)).claims()
    assert refusal.value.code is Code.REVOKED
    assert "Canary" not in repr(bad)


def test_an_undetermined_result_without_codes_still_releases_nothing() -> None:
    waiting = CredentialResult(checks=(not_run(CheckName.STATUS, Code.STOPPED_EARLIER, required=True),))
    with pytest.raises(Denied) as refusal:
        Result(credentials=(waiting,)).claims()
    assert refusal.value.code is Code.POLICY_NOT_MET


def test_codes_tell_each_reason_once_and_in_order() -> None:
    first = CredentialResult(checks=(failed(CheckName.POLICY, Code.POLICY_NOT_MET), passed(CheckName.SIGNATURE)))
    stale = unknown(CheckName.STATUS, Code.STATUS_STALE)
    result = Result(credentials=(first, first), checks=(stale,))
    assert result.codes == (Code.POLICY_NOT_MET, Code.STATUS_STALE)


def test_a_check_is_found_by_its_name() -> None:
    result = CredentialResult(checks=(passed(CheckName.SIGNATURE),))
    assert result.check(CheckName.SIGNATURE).outcome is Outcome.PASSED
    with pytest.raises(KeyError):
        result.check(CheckName.STATUS)


def test_there_are_twelve_checks_in_the_documented_order() -> None:
    assert [name.value for name in ORDER] == [
        "well_formed",
        "algorithm_and_type",
        "issuer_key",
        "signature",
        "validity_period",
        "holder_binding",
        "issuer_accredited",
        "recognised_in_place",
        "schema",
        "query",
        "policy",
        "status",
    ]


def test_an_error_becomes_the_failed_check_it_is() -> None:
    check = failure_of(CheckName.SIGNATURE, Malformed(Code.SIGNATURE_INVALID, "the signature does not verify"))
    assert (check.outcome, check.code, check.detail) == (
        Outcome.FAILED,
        Code.SIGNATURE_INVALID,
        "the signature does not verify",
    )
