"""The verifier's side: the whole query once more, over what came back (OpenID4VP 1.0 §6, §14; profile DQ-9).

Nothing is left to the wallet: types, values, claim sets, authorities, holder binding, the number of credentials and the
credential sets are all judged again (catalogue P06 to P08).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from comity.dcql.match import sets_of
from comity.dcql.path import Place
from comity.dcql.query import CredentialQuery, Query
from comity.dcql.selection import Asked, as_place, in_order, is_of_kind, selections
from comity.record import Discreet


class Presented(Discreet, frozen=True, kw_only=True):
    """A credential that was presented and verified, as far as queries ask.

    Attributes:
        format: credential format identifier.
        type_names: see :func:`comity.dcql.type_names`.
        claims: the object in which paths start, as disclosed; in W3C formats the credential itself (annex B.1).
        is_bound: whether a proof by the holder's key came with it and was verified.
        disclosed: what the wallet chose to disclose although it could have withheld it: names of flat claims, or
            places.
        authority_key_ids: base64url key identifiers of the authorities in its certificate chain.
    """

    UNPRINTED = frozenset({"claims"})
    format: str
    type_names: tuple[str, ...]
    claims: Mapping[str, Any]
    is_bound: bool
    disclosed: Collection[str | Place] = ()
    authority_key_ids: Collection[str] = ()


Answer = Mapping[str, Sequence[Presented]]
"""What was presented, by credential query id."""


def check_answer(query: Query, presented: Answer) -> tuple[str, ...]:
    """Return everything that keeps ``presented`` from satisfying ``query``; empty when it does.

    One plain sentence for each problem, which names credential ids of the *query* only: no claim values, and nothing
    that the wallet chose. Not checked: signatures, status, trust, and over-disclosure (:func:`over_disclosed`), which
    does not make an answer wrong.
    """
    return (*_problems_of_credentials(query, presented), *_problems_of_sets(query, presented))


def over_disclosed(query: Query, presented: Answer) -> dict[str, tuple[tuple[Place, ...], ...]]:
    """Return, for each query id and each credential presented for it, the places disclosed without being asked.

    The profile records them and drops them from the result (DQ-9). Where several claim sets are satisfied, the one
    that leaves least over counts. Everything disclosed is left over in a credential that does not satisfy its query,
    or that answers no query.
    """
    by_id = {each.id: each for each in query.credentials}
    return {
        query_id: tuple(_left_over(by_id.get(query_id), credential) for credential in credentials)
        for query_id, credentials in presented.items()
    }


def _left_over(query: CredentialQuery | None, credential: Presented) -> tuple[Place, ...]:
    disclosed = in_order(as_place(each) for each in credential.disclosed)
    if query is None or not is_of_kind(query, credential):
        return disclosed
    asked = (Asked(places) for places in selections(query, credential.claims))
    over = (tuple(place for place in disclosed if not each.concerns(place)) for each in asked)
    return min(over, key=len, default=disclosed)


def _problems_of_credentials(query: Query, presented: Answer) -> Iterator[str]:
    """Judge each presented credential against the credential query that it claims to answer."""
    by_id = {each.id: each for each in query.credentials}
    asked = {query_id for each in sets_of(query) for option in each.options for query_id in option}
    for query_id, credentials in presented.items():
        wanted = by_id.get(query_id)
        if wanted is None or query_id not in asked:
            yield "a credential was presented that was not asked for"
            continue
        # VP-20: an id that is answered holds at least one credential.
        if not credentials:
            yield f"the answer to '{query_id}' is empty"
        # DQ-1, P07: more than one only where the query says so.
        if len(credentials) > 1 and not wanted.multiple:
            yield f"more than one credential was presented for '{query_id}'"
        for credential in credentials:
            yield from _problems_of_credential(wanted, credential)


def _problems_of_credential(query: CredentialQuery, credential: Presented) -> Iterator[str]:
    # DQ-3, DQ-7: format, type, authority.
    if not is_of_kind(query, credential):
        yield f"what was presented for '{query.id}' is not of the kind that was asked for"
    # DQ-4, DQ-5: the claims of one claim set, with accepted values.
    elif next(selections(query, credential.claims), None) is None:
        yield f"what was presented for '{query.id}' lacks a claim, or a value, that was asked for"
    # DQ-8: a proof by the holder's key unless the query waives it.
    if query.require_holder_binding and not credential.is_bound:
        yield f"what was presented for '{query.id}' came without a proof by its holder"


def _problems_of_sets(query: Query, presented: Answer) -> Iterator[str]:
    """DQ-6: every required set is satisfied by one of its options. Wrong credentials are told by their own problem."""
    answered = frozenset(query_id for query_id, credentials in presented.items() if credentials)
    for number, each in enumerate(sets_of(query), start=1):
        if each.required and not any(answered.issuperset(option) for option in each.options):
            yield (
                f"required credential set {number} is not answered"
                if query.credential_sets
                else ("not every credential that was asked for was presented")
            )
