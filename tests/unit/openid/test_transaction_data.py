"""``transaction_data``: read in full or refused, hashed as received, carried by one credential (P17, VP-30)."""

import hashlib
from typing import Any

import pytest

from comity import base64url, dcql, strict_json
from comity.errors import Code
from comity.openid.presentation import transaction_data
from comity.openid.presentation.transaction_data import Transaction
from comity.openid.refusal import OAuthError
from tests.unit.openid.asked import encoded, refused, verify
from tests.unit.openid.parties import QUERY, Verifier
from tests.unit.schemas.test_transactions import FEE, PAID

ENTRY: dict[str, Any] = {"type": FEE, "credential_ids": ["person"], "transaction_data_hashes_alg": ["sha-256"], **PAID}


def text(**change: Any) -> str:
    entry = {name: value for name, value in {**ENTRY, **change}.items() if value is not ...}
    return base64url.encode(strict_json.serialise(entry))


def parsed(*texts: str) -> tuple[Transaction, ...]:
    return transaction_data.parse(list(texts), dcql.parse(QUERY))


def test_what_a_verifier_makes_is_what_a_wallet_reads(verifier: Verifier) -> None:
    made = transaction_data.encode(FEE, PAID, credential_ids=["person"])
    (found,) = verify(verifier, encoded(verifier, transaction_data=[made])).request.transactions
    assert found == Transaction(encoded=made, type=FEE, credential_ids=("person",), fields=PAID, names_hash=True)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        [],
        [7],
        ["*"],
        [base64url.encode(b"[]")],
        [text(), text()],
        [text(reference=str(each)) for each in range(17)],
        [text(type="https://types.comity.example/transactions/unknown/1")],
        [text(type=...)],
        [text(credential_ids=...)],
        [text(credential_ids=[])],
        [text(credential_ids=["nobody"])],
        [text(amount="a lot")],
        [text(amount=...)],
        [text(unknown="field")],
        [text(transaction_data_hashes_alg="sha-256")],
        [text(transaction_data_hashes_alg=["sha-512"])],
        [text(), text(type="other")],
    ],
)
def test_what_is_not_known_in_full_is_refused(verifier: Verifier, value: Any) -> None:
    code, error = Code.TRANSACTION_DATA_INVALID, "invalid_transaction_data"
    refused(verifier, encoded(verifier, transaction_data=value), code, error)
    verify(verifier, encoded(verifier, transaction_data=[text()]))


def test_a_credential_without_holder_binding_authorises_nothing(verifier: Verifier) -> None:
    whole: Any = QUERY
    asked: list[dict[str, Any]] = list(whole["credentials"])
    for needed in (True, False):
        query = {"credentials": [{**asked[0], "require_cryptographic_holder_binding": needed}, *asked[1:]]}
        request = encoded(verifier, dcql_query=query, transaction_data=[text()])
        if needed:
            verify(verifier, request)
        else:
            refused(verifier, request, Code.TRANSACTION_DATA_INVALID, "invalid_transaction_data")


def test_the_hash_is_over_the_text_as_received() -> None:
    spaced = base64url.encode(strict_json.serialise(ENTRY).replace(b",", b" , "))
    (found,) = parsed(spaced)
    assert found.fields == PAID
    expected = base64url.encode(hashlib.sha256(spaced.encode()).digest())
    assert transaction_data.proof_claims([found]) == {
        "transaction_data_hashes": [expected],
        "transaction_data_hashes_alg": "sha-256",
    }


def test_the_algorithm_is_named_only_where_the_request_names_one() -> None:
    assert set(transaction_data.proof_claims(parsed(text(transaction_data_hashes_alg=...)))) == {
        "transaction_data_hashes"
    }
    assert transaction_data.proof_claims([]) == {}


def test_one_credential_carries_each_transaction() -> None:
    both, one = parsed(text(credential_ids=["person", "many"]), text(credential_ids=["many"], reference="2"))
    assert transaction_data.carriers([both, one], ["many", "person"]) == {"many": [both, one]}
    assert transaction_data.carriers([both, one], ["person", "many"]) == {"person": [both], "many": [one]}
    with pytest.raises(OAuthError) as caught:
        transaction_data.carriers([both, one], ["person"])
    assert caught.value.code is Code.TRANSACTION_DATA_INVALID


def test_a_verifier_cannot_send_what_is_none() -> None:
    for kind, fields in (("https://types.comity.example/transactions/x/1", PAID), (FEE, {**PAID, "amount": "1"})):
        with pytest.raises(OAuthError) as caught:
            transaction_data.encode(kind, fields, credential_ids=["person"])
        assert "25.00" not in caught.value.detail
