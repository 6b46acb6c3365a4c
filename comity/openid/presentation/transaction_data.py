"""Transactions that a person authorises by presenting (OpenID4VP 1.0 §5.1 ``transaction_data``, §8.4, annex B.3.3).

Each travels as base64url text. What the holder signs is the hash of that *text as received*, never of anything that was
read and written again. Which types exist, and in which words a person sees them, is data: :mod:`schemas.transactions`.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from comity import base64url, dcql, strict_json
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.record import Discreet
from schemas import transactions

HASHES, HASHES_ALG = "transaction_data_hashes", "transaction_data_hashes_alg"
"""Claims of the holder's proof; the second one is also a member of a transaction in the request."""

SHA_256 = "sha-256"
MAX_TRANSACTIONS, MAX_LENGTH = 16, 8192

REFUSE = Refusal(code=Code.TRANSACTION_DATA_INVALID, error=OAuthErrorCode.INVALID_TRANSACTION_DATA)


class Transaction(Discreet, frozen=True, kw_only=True):
    """One transaction to be authorised.

    Attributes:
        encoded: the text as sent; the hash is over this.
        type: name of its type, one of :func:`schemas.transactions.all_types`.
        credential_ids: query ids of the credentials any one of which may authorise it.
        fields: the members of its type.
        names_hash: whether the request names hash algorithms; then the proof says which one was used.
    """

    UNPRINTED = frozenset({"fields"})
    encoded: str
    type: str
    credential_ids: tuple[str, ...]
    fields: Mapping[str, Any]
    names_hash: bool = False


def encode(transaction_type: str, fields: Mapping[str, Any], *, credential_ids: Sequence[str]) -> str:
    """Return a transaction as a verifier sends it.

    Raises:
        OAuthError: ``transaction_data_invalid``: an unknown type, or members that are not those of the type.
    """
    _check_fields(transaction_type, fields)
    entry = {"type": transaction_type, "credential_ids": list(credential_ids), HASHES_ALG: [SHA_256], **fields}
    return base64url.encode(strict_json.serialise(entry))


def parse(value: object, query: dcql.Query) -> tuple[Transaction, ...]:
    """Read ``transaction_data`` as the wallet must (VP-30): what it does not know in full, it refuses.

    Not checked: whether anything held can answer the credentials that are named.

    Raises:
        OAuthError: ``invalid_transaction_data``.
    """
    # §5.1: a non-empty array of base64url texts.
    if not isinstance(value, list) or not 0 < len(value) <= MAX_TRANSACTIONS:
        raise REFUSE("transaction_data is not an array of at least one")
    if len(set(map(str, value))) != len(value):
        raise REFUSE("transaction_data holds the same transaction twice")
    return tuple(_read(each, query) for each in value)


def hash_of(encoded: str) -> str:
    """Return the base64url SHA-256 of a transaction's text as received, undecoded (annex B.3.3.1)."""
    return base64url.encode(hashlib.sha256(encoded.encode("ascii")).digest())


def proof_claims(authorised: Sequence[Transaction]) -> dict[str, Any]:
    """Return the claims that the holder's proof carries for ``authorised``; none for none (annex B.3.3).

    ``transaction_data_hashes_alg`` is there if and only if the request named algorithms.
    """
    if not authorised:
        return {}
    hashes: dict[str, Any] = {HASHES: [hash_of(each.encoded) for each in authorised]}
    return {**hashes, HASHES_ALG: SHA_256} if any(each.names_hash for each in authorised) else hashes


def carriers(asked: Sequence[Transaction], answered: Sequence[str]) -> dict[str, list[Transaction]]:
    """Return which answered query authorises which transactions: exactly one for each, the first that may (§8.4).

    Raises:
        OAuthError: ``invalid_transaction_data``: a transaction none of whose credentials is answered.
    """
    chosen: dict[str, list[Transaction]] = {}
    for each in asked:
        carrier = next((query_id for query_id in answered if query_id in each.credential_ids), None)
        if carrier is None:
            raise REFUSE("no credential that could authorise the transaction is presented")
        chosen.setdefault(carrier, []).append(each)
    return chosen


def _read(encoded: object, query: dcql.Query) -> Transaction:
    if not isinstance(encoded, str) or len(encoded) > MAX_LENGTH:
        raise REFUSE("a transaction is not base64url text")
    try:
        entry = strict_json.parse_object(base64url.decode(encoded))
    except Malformed:
        raise REFUSE("a transaction is not a JSON object in base64url") from None
    members = Members(entry, "transaction_data", REFUSE)
    # A type that is known, and only the members that it has.
    name, named = members.string("type"), members.strings("credential_ids")
    fields = {key: value for key, value in entry.items() if key not in {"type", "credential_ids", HASHES_ALG}}
    _check_fields(name, fields)
    # Credentials of this very query, each of which can prove its holder.
    _check_credentials(named, query)
    # A hash that this wallet computes; sha-256 is also what counts when none is named.
    if members.has(HASHES_ALG) and SHA_256 not in members.strings(HASHES_ALG):
        raise REFUSE("the transaction is to be hashed in a way that this wallet does not support")
    return Transaction(
        encoded=encoded, type=name, credential_ids=named, fields=fields, names_hash=members.has(HASHES_ALG)
    )


def _check_fields(name: str, fields: Mapping[str, Any]) -> None:
    if name not in transactions.all_types():
        raise REFUSE("the transaction is of a type that is not known here")
    if wrong := transactions.violations(name, fields):
        raise REFUSE(f"the transaction is not as its type demands ({', '.join(wrong)[:200]})")


def _check_credentials(named: Collection[str], query: dcql.Query) -> None:
    for query_id in named:
        asked = query.credential(query_id)
        if asked is None:
            raise REFUSE("the transaction names a credential that is not asked for")
        if not asked.require_holder_binding:
            raise REFUSE("the transaction names a credential that is asked for without proof of its holder")
