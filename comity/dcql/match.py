"""The wallet's side: which credentials could answer, and with which claims (OpenID4VP 1.0 §6.4; profile DQ-4 to DQ-8).

All candidates are returned: the person chooses, not the program. Whether an answer is given at all, and that a refusal
looks the same from outside as a lack (DQ-5), is for ``wallet.presenting``.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from comity.dcql.path import Place
from comity.dcql.query import CredentialQuery, CredentialSet, Query
from comity.dcql.selection import Asked, as_place, in_order, is_of_kind, selections
from comity.record import Discreet


class Holding(Discreet, frozen=True, kw_only=True):
    """A credential in a wallet, as far as queries ask.

    Attributes:
        id: the wallet's own name for it.
        format: credential format identifier.
        type_names: see :func:`comity.dcql.type_names`.
        claims: the object in which paths start, everything disclosed; in W3C formats the credential itself (annex B.1).
        disclosable: what may be withheld: names of flat claims, or places such as ``("address", "country")``. Empty
            for a format without selective disclosure: all of it leaves, whatever is asked.
        can_bind: whether the wallet has the key that the credential is bound to.
        authority_key_ids: base64url key identifiers of the authorities in its certificate chain.
    """

    UNPRINTED = frozenset({"claims"})
    id: str
    format: str
    type_names: tuple[str, ...]
    claims: Mapping[str, Any]
    disclosable: Collection[str | Place] = ()
    can_bind: bool = True
    authority_key_ids: Collection[str] = ()


class Candidate(Struct, frozen=True, kw_only=True):
    """One holding that can answer one credential query.

    Attributes:
        query_id: the credential query.
        holding_id: the holding.
        asked: places of the claims that were asked for; for the consent page.
        disclose: what must be disclosed for them, a part of the holding's ``disclosable``.
        withheld: the rest of ``disclosable``: what stays.
    """

    query_id: str
    holding_id: str
    asked: tuple[Place, ...]
    disclose: tuple[Place, ...]
    withheld: tuple[Place, ...]


class SetMatch(Struct, frozen=True, kw_only=True):
    """What the wallet can do about one credential set.

    Attributes:
        required: whether the verifier insists.
        options: the options that can be satisfied, the verifier's favourite first; empty for none.
    """

    required: bool
    options: tuple[tuple[str, ...], ...]


class Match(Struct, frozen=True, kw_only=True):
    """What a wallet can answer.

    Attributes:
        is_satisfied: whether everything required can be answered. If not, ``candidates`` and ``needed`` are empty:
            an incomplete answer is none (DQ-6).
        candidates: by credential query id, every holding that can answer it, in the order held. Optional ones too.
        sets: one entry for each credential set; one required set of everything when the query has no sets.
        needed: the credential query ids of the first option of each required set, in the order of the query.
        missing: the credential query ids that no holding can answer; to tell the person what is lacking.
    """

    is_satisfied: bool
    candidates: Mapping[str, tuple[Candidate, ...]]
    sets: tuple[SetMatch, ...]
    needed: tuple[str, ...]
    missing: tuple[str, ...]


def match(query: Query, holdings: Sequence[Holding]) -> Match:
    """Return how ``holdings`` can answer ``query``. Not checked: who asks, and whether a holding is still valid."""
    candidates = {each.id: _candidates(each, holdings) for each in query.credentials}
    answerable = frozenset(query_id for query_id, found in candidates.items() if found)
    missing = tuple(query_id for query_id in candidates if query_id not in answerable)
    sets = tuple(
        SetMatch(required=each.required, options=tuple(o for o in each.options if answerable.issuperset(o)))
        for each in sets_of(query)
    )
    # DQ-6: every required set by one of its options, or nothing at all.
    if not all(each.options for each in sets if each.required):
        return Match(is_satisfied=False, candidates={}, sets=sets, needed=(), missing=missing)
    # A credential that no set names is not asked for; one whose option cannot be completed would be of no use.
    usable = {query_id for each in sets for option in each.options for query_id in option}
    needed = {query_id for each in sets if each.required for query_id in each.options[0]}
    return Match(
        is_satisfied=True,
        candidates={query_id: found for query_id, found in candidates.items() if query_id in usable},
        sets=sets,
        needed=tuple(query_id for query_id in candidates if query_id in needed),
        missing=missing,
    )


def is_enough(query: Query, answered: Collection[str]) -> bool:
    """Say whether the credential queries ``answered`` satisfy every required set (DQ-6), whatever answers them."""
    return all(any(set(answered).issuperset(o) for o in each.options) for each in sets_of(query) if each.required)


def sets_of(query: Query) -> tuple[CredentialSet, ...]:
    """Return the query's credential sets; without any, one that requires every credential (§6.4.2)."""
    everything = tuple(each.id for each in query.credentials)
    return query.credential_sets or (CredentialSet(options=(everything,)),)


def _candidates(query: CredentialQuery, holdings: Sequence[Holding]) -> tuple[Candidate, ...]:
    found = (_candidate(query, holding) for holding in holdings)
    return tuple(candidate for candidate in found if candidate is not None)


def _candidate(query: CredentialQuery, holding: Holding) -> Candidate | None:
    """Return ``holding`` as an answer to ``query``, or None."""
    # DQ-8: a proof by the holder's key needs that key. DQ-3, DQ-7: format, type, authority.
    if (query.require_holder_binding and not holding.can_bind) or not is_of_kind(query, holding):
        return None
    # DQ-4: the first claim set that can be satisfied; a credential without one is not returned.
    asked = next(selections(query, holding.claims), None)
    if asked is None:
        return None
    # DQ-4: nothing that may be withheld leaves unless it was asked for.
    wanted = Asked(asked)
    places = tuple(as_place(each) for each in holding.disclosable)
    disclose = in_order(place for place in places if wanted.concerns(place))
    withheld = in_order(place for place in places if not wanted.concerns(place))
    return Candidate(query_id=query.id, holding_id=holding.id, asked=asked, disclose=disclose, withheld=withheld)
