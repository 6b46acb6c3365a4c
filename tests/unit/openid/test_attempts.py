import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code
from comity.openid.issuance import attempts
from comity.openid.refusal import OAuthError


def test_a_refusal_tells_the_tries_left_beside_what_the_protocol_demands() -> None:
    told = attempts.refusal(Code.TRANSACTION_CODE_WRONG, "the transaction code is wrong", left=2).to_dict()
    assert told == {
        "error": "invalid_grant",
        "error_description": "the transaction code is wrong",
        "tx_code_attempts_left": 2,
    }
    assert attempts.read(told) == 2
    assert attempts.MEMBER not in OAuthError(Code.OFFER_UNKNOWN, "not known").to_dict()


@pytest.mark.parametrize("told", [0, 1, attempts.MOST])
def test_a_small_whole_number_is_believed(told: int) -> None:
    assert attempts.read({attempts.MEMBER: told}) == told


@pytest.mark.parametrize("told", [-1, attempts.MOST + 1, 10**40, True, False, 2.0, "2", None, [2], {"left": 2}])
def test_anything_else_is_treated_as_absent(told: object) -> None:
    assert attempts.read({attempts.MEMBER: told}) is None


def test_no_member_is_no_number() -> None:
    assert attempts.read({"error": "invalid_grant", "attempts_left": 2}) is None


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@given(_JSON)
def test_whatever_is_told_gives_a_small_number_or_none(told: object) -> None:
    found = attempts.read({attempts.MEMBER: told})
    assert found is None or 0 <= found <= attempts.MOST
