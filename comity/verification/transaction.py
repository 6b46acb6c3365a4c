"""Whether the holder confirmed exactly the transactions that were asked for (OpenID4VP 1.0 §8.4, annex B.3.3; VP-30).

The hashes stand in the holder's proof, whose signature check 6 judges. Nothing the wallet says about a transaction is
believed but those hashes, computed again here over the text that this verifier itself sent.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from comity.errors import Code, Malformed
from comity.openid.presentation.transaction_data import HASHES, HASHES_ALG, SHA_256, Transaction, hash_of
from comity.record import Discreet
from comity.verification.checks import Check, CheckName, failed, passed


class Confirmation(Discreet, frozen=True, kw_only=True):
    """One presentation: the query it answers, and the claims of its holder's proof (empty without one)."""

    UNPRINTED = frozenset({"claims"})
    query_id: str
    claims: Mapping[str, Any]


def check_transactions(asked: Sequence[Transaction], shown: Sequence[Confirmation]) -> tuple[Check, ...]:
    """Return one check over all transactions; none when none was asked for and none was confirmed.

    Each transaction is confirmed by exactly one presentation, of a credential that may authorise it; no presentation
    confirms anything else. Not checked: the proofs themselves, which is check 6 of each credential.
    """
    if not asked and not any(HASHES in each.claims or HASHES_ALG in each.claims for each in shown):
        return ()
    try:
        confirmed = Counter(text for each in shown for text in _confirmed(each, asked))
    except Malformed as error:
        return (failed(CheckName.QUERY, error.code, error.detail),)
    # §8.4: one credential, and only one, authorises each transaction.
    if any(confirmed[each.encoded] == 0 for each in asked):
        detail = "a transaction that was asked for is not confirmed by its holder"
        return (failed(CheckName.QUERY, Code.TRANSACTION_NOT_CONFIRMED, detail),)
    if any(count > 1 for count in confirmed.values()):
        return (failed(CheckName.QUERY, Code.TRANSACTION_DIFFERS, "a transaction is confirmed more than once"),)
    return (passed(CheckName.QUERY, transactions=[each.type for each in asked]),)


def _confirmed(shown: Confirmation, asked: Sequence[Transaction]) -> list[str]:
    """Return the texts of the transactions that one presentation confirms; all it confirms must have been asked."""
    if HASHES not in shown.claims and HASHES_ALG not in shown.claims:
        return []
    hashes = shown.claims.get(HASHES)
    if not isinstance(hashes, list) or not hashes or not all(isinstance(each, str) for each in hashes):
        raise _differs()
    mine = {hash_of(each.encoded): each for each in asked if shown.query_id in each.credential_ids}
    if any(each not in mine for each in hashes):
        raise _differs()
    # Annex B.3.3.1: the algorithm is named if and only if the request named any, and it is one of those.
    named = any(mine[each].names_hash for each in hashes)
    if shown.claims.get(HASHES_ALG) != (SHA_256 if named else None):
        raise _differs()
    return [mine[each].encoded for each in hashes]


def _differs() -> Malformed:
    return Malformed(Code.TRANSACTION_DIFFERS, "the holder confirmed something other than what was asked for")
