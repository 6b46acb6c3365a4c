"""A transaction is confirmed once, by a credential that may, exactly as it was asked (P17, VP-30)."""

from typing import Any

import pytest

from comity import base64url, dcql, strict_json
from comity.errors import Code
from comity.openid.presentation import transaction_data
from comity.openid.presentation.transaction_data import Transaction, hash_of, proof_claims
from comity.verification.checks import Outcome
from comity.verification.transaction import Confirmation, check_transactions
from tests.unit.openid.parties import QUERY
from tests.unit.openid.test_transaction_data import text


def asked(*texts: str) -> tuple[Transaction, ...]:
    return transaction_data.parse(list(texts), dcql.parse(QUERY))


ONE = text(credential_ids=["person", "many"])
TWO = text(credential_ids=["many"], reference="DEMO-2")
NAMELESS = text(transaction_data_hashes_alg=...)


def outcome(wanted: tuple[Transaction, ...], **shown: dict[str, Any]) -> Code | None:
    checks = check_transactions(wanted, [Confirmation(query_id=name, claims=each) for name, each in shown.items()])
    if not checks:
        return None
    assert len(checks) == 1
    assert (checks[0].outcome is Outcome.PASSED) == (checks[0].code is Code.OK)
    return checks[0].code


def test_confirmed_as_asked() -> None:
    one, two = asked(ONE, TWO)
    assert outcome((one, two), person=proof_claims([one]), many=proof_claims([two])) is Code.OK
    assert outcome((one, two), many=proof_claims([two, one])) is Code.OK
    assert outcome(asked(NAMELESS), person=proof_claims(asked(NAMELESS))) is Code.OK


def test_nothing_asked_and_nothing_confirmed() -> None:
    assert outcome((), person={"nonce": "n"}) is None


def test_absent() -> None:
    one, two = asked(ONE, TWO)
    assert outcome((one, two), person={}, many={}) is Code.TRANSACTION_NOT_CONFIRMED
    assert outcome((one, two), person=proof_claims([one]), many={}) is Code.TRANSACTION_NOT_CONFIRMED


def test_extra() -> None:
    one, two = asked(ONE, TWO)
    assert outcome((), person=proof_claims([one])) is Code.TRANSACTION_DIFFERS
    assert outcome((one,), person=proof_claims([one, two])) is Code.TRANSACTION_DIFFERS
    assert outcome((one,), person=proof_claims([one]), many=proof_claims([one])) is Code.TRANSACTION_DIFFERS
    twice = {**proof_claims([one]), "transaction_data_hashes": [hash_of(ONE)] * 2}
    assert outcome((one,), person=twice) is Code.TRANSACTION_DIFFERS
    assert outcome((), person={"transaction_data_hashes_alg": "sha-256"}) is Code.TRANSACTION_DIFFERS


def test_altered() -> None:
    (one,) = asked(ONE)
    rewritten = base64url.encode(strict_json.serialise(strict_json.parse(base64url.decode(ONE))) + b" ")
    assert outcome((one,), person=proof_claims(asked(rewritten))) is Code.TRANSACTION_DIFFERS


def test_by_a_credential_that_may_not() -> None:
    (two,) = asked(TWO)
    assert outcome((two,), person=proof_claims([two])) is Code.TRANSACTION_DIFFERS


@pytest.mark.parametrize("algorithm", [None, "sha-512", ["sha-256"]])
def test_another_algorithm(algorithm: Any) -> None:
    (one,) = asked(ONE)
    claims = {**proof_claims([one]), "transaction_data_hashes_alg": algorithm}
    assert outcome((one,), person=claims) is Code.TRANSACTION_DIFFERS
    assert outcome((one,), person=proof_claims([one])) is Code.OK


def test_an_algorithm_that_nobody_named() -> None:
    (one,) = asked(NAMELESS)
    claims = {**proof_claims([one]), "transaction_data_hashes_alg": "sha-256"}
    assert outcome((one,), person=claims) is Code.TRANSACTION_DIFFERS


@pytest.mark.parametrize("hashes", ["text", [], [7], None])
def test_something_else_than_hashes(hashes: Any) -> None:
    (one,) = asked(ONE)
    assert (
        outcome((one,), person={**proof_claims([one]), "transaction_data_hashes": hashes}) is Code.TRANSACTION_DIFFERS
    )
