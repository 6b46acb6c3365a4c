"""P17: the holder's proof confirms exactly what was asked, in both formats, by the key the credential is bound to."""

from typing import Any

import pytest

from comity import dcql
from comity.credential import Format
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid.presentation import transaction_data
from comity.openid.presentation.transaction_data import Transaction, proof_claims
from comity.verification.checks import CheckName, Result
from tests.support.forging import BOTH, accepted, licence, rejected
from tests.support.world import LICENCE, World
from tests.unit.schemas.test_transactions import FEE, PAID
from tests.unit.verification.test_presentation import answer, asked

SD = Format.DC_SD_JWT


def transaction(kind: Format, **change: Any) -> Transaction:
    query = dcql.parse({"credentials": [asked("licence", kind, LICENCE, "age_over_18")]})
    text = transaction_data.encode(FEE, {**PAID, **change}, credential_ids=["licence"])
    return transaction_data.parse([text], query)[0]


def judged(world: World, kind: Format, wanted: tuple[Transaction, ...], also: dict[str, Any], **said: Any) -> Result:
    presentation = world.present(licence(world, kind), also=also, **said)
    query = asked("licence", kind, LICENCE, "age_over_18")
    return answer(world, {"licence": [presentation]}, query, transactions=wanted)


@BOTH
@pytest.mark.good_twin("P17")
def test_confirmed_is_the_good_twin(world: World, credential_format: Format) -> None:
    mine = transaction(credential_format)
    accepted(judged(world, credential_format, (mine,), proof_claims([mine])))


@BOTH
@pytest.mark.attack("P17")
def test_another_amount(world: World, credential_format: Format) -> None:
    mine, theirs = transaction(credential_format), transaction(credential_format, amount="9999.00")
    for wanted, confirmed, code in (
        ((mine,), proof_claims([theirs]), Code.TRANSACTION_DIFFERS),
        ((mine,), {}, Code.TRANSACTION_NOT_CONFIRMED),
        ((), proof_claims([mine]), Code.TRANSACTION_DIFFERS),
        ((mine,), proof_claims([mine, theirs]), Code.TRANSACTION_DIFFERS),
    ):
        rejected(judged(world, credential_format, wanted, confirmed), CheckName.QUERY, code)


@BOTH
@pytest.mark.attack("P17")
def test_confirmed_by_another_key(world: World, credential_format: Format) -> None:
    """The hashes are right, the proof is not the holder's."""
    mine = transaction(credential_format)
    result = judged(world, credential_format, (mine,), proof_claims([mine]), holder=KeySigner.generate())
    expected = {Format.DC_SD_JWT: Code.HOLDER_SIGNATURE_INVALID, Format.VC_JWT: Code.HOLDER_KEY_MISMATCH}
    rejected(result, CheckName.HOLDER_BINDING, expected[credential_format])


@BOTH
@pytest.mark.parametrize("claim", ["aud", "nonce", "iat", "sd_hash", "holder"])
def test_what_is_confirmed_replaces_nothing_of_the_proof(world: World, credential_format: Format, claim: str) -> None:
    """A transaction that is named like a claim of the proof cannot take its place."""
    mine = transaction(credential_format)
    accepted(judged(world, credential_format, (mine,), {**proof_claims([mine]), claim: "forged"}))
