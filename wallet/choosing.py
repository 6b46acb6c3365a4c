"""Choosing: what each credential would show, and which answers which part, as the person selects (OpenID4VP §6.4)."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from comity import dcql, keys
from comity.credential import Format
from comity.errors import Code, Conflict, Malformed
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.presentation.parameters import RequestObject
from wallet.holdings import Held

Selection = Mapping[str, Sequence[str]]
"""Credential ids by query id."""


def readable(held: Sequence[Held], asked: RequestObject) -> list[Held]:
    """Return what the verifier can read: the algorithms are among those that it lists (OpenID4VP annex B.3.4; VP-4)."""
    metadata = asked.client_metadata
    return [each for each in held if metadata is None or _is_readable(each, metadata)]


def _is_readable(held: Held, metadata: ClientMetadata) -> bool:
    credential, jwk = held.credential.opened.credentials[0], held.processed.holder_jwk
    return metadata.accepts(
        Format(held.signed.format),
        credential_algorithm=str(credential.jws.header.get("alg")),
        holder_algorithm=None if jwk is None else keys.algorithm_of(keys.public_key(jwk)),
    )


def candidates(match: dcql.Match, held: Mapping[str, Held], language: str) -> list[dict[str, Any]]:
    """Return every credential that could answer, with what would leave and what would stay.

    Those that nothing is known against come first: the first answers where nobody chooses (catalogue P19).
    """
    return [
        _shown(candidate, held[candidate.holding_id], language)
        for candidates in match.candidates.values()
        for candidate in sorted(candidates, key=lambda each: bool(held[each.holding_id].about["codes"]))
    ]


def _shown(candidate: dcql.Candidate, held: Held, language: str) -> dict[str, Any]:
    claims, leaving = held.processed.claims, _leaving(held, candidate.disclose)
    staying = [name for name in claims if name not in leaving]
    return {
        "query_id": candidate.query_id,
        "credential_id": held.id,
        "title": held.title(language),
        "type_name": held.processed.type_name,
        "format": held.signed.format.value,
        "status": held.about["status"],
        "recognised": held.about["recognised"],
        "disclose": [list(place) for place in candidate.disclose],
        "leaving": [held.described(name, claims[name], language) for name in leaving],
        "staying": [{"claim": name, "label": held.label(name, language)} for name in staying],
    }


def require_as_shown(held: Mapping[str, Held], chosen: Sequence[Mapping[str, Any]]) -> None:
    """Let nothing leave but what the person saw: a further copy of a card may say something else (catalogue P20).

    Raises:
        Conflict: ``consent_changed``.
    """
    for each in chosen:
        card = held[each["credential_id"]]
        leaving = {name: card.processed.claims.get(name) for name in _leaving(card, each["disclose"])}
        if leaving != {shown["claim"]: shown["value"] for shown in each["leaving"]}:
            raise changed()


def _leaving(held: Held, disclose: Iterable[Sequence[str | int]]) -> list[str]:
    """Return the names of the claims that leave; W3C credentials cannot withhold any, and the person is told so."""
    claims = held.processed.claims
    if held.signed.format is not Format.DC_SD_JWT:
        return list(claims)
    return [
        *(str(place[-1]) for place in disclose),
        *(each for each in held.processed.always_disclosed if each in claims),
    ]


def choose(content: Mapping[str, Any], query: dcql.Query, selection: Selection) -> list[Mapping[str, Any]]:
    """Return the candidates of a consent's ``content`` that answer ``query``, in the order of the selection.

    A selection names which queries are answered; without one those that the match needs are, each with the first
    credential that would do. An answer that leaves a required part out is none (DQ-6).

    Raises:
        Malformed: ``no_matching_credential``: a credential that does not answer this, more than one where one is asked
            for, one twice, or a required part that is left out.
    """
    chosen = [each for query_id, wanted in _wanted(content, selection) for each in _of(content, query_id, wanted)]
    for query_id in {each["query_id"] for each in chosen}:
        if sum(each["query_id"] == query_id for each in chosen) > 1 and not _takes_several(query, query_id):
            raise _refused("the selection names several credentials where one is asked for")
    if not dcql.is_enough(query, {each["query_id"] for each in chosen}):
        raise _refused("the selection leaves out something that is required")
    return chosen


def alternatives(query: dcql.Query, answerable: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Return queries any one of which is enough, the verifier's favourite first: one of them is to be chosen, not all.

    They come from required credential sets whose options differ in one query each (§6.4.2). Where options differ in
    more, or a query stands in several sets or takes several presentations, every query is left to be chosen by itself.

    Args:
        query: what is asked.
        answerable: ids of the credential queries that something held can answer.
    """
    return tuple(ids for ids in _one_of(query, answerable) if len(ids) > 1)


def _one_of(query: dcql.Query, answerable: Collection[str]) -> Iterator[tuple[str, ...]]:
    named = Counter(query_id for each in query.credential_sets for query_id in set().union(*each.options))
    for each in query.credential_sets:
        options = [set(option) for option in each.options if set(answerable).issuperset(option)]
        if each.required and options:
            differences = [option - options[0].intersection(*options) for option in options]
            ids = tuple(dict.fromkeys(query_id for difference in differences for query_id in sorted(difference)))
            is_plain = all(named[query_id] == 1 and not _takes_several(query, query_id) for query_id in ids)
            if is_plain and all(len(difference) == 1 for difference in differences):
                yield ids


def _takes_several(query: dcql.Query, query_id: str) -> bool:
    asked = query.credential(query_id)
    return asked is not None and asked.multiple


def _wanted(content: Mapping[str, Any], selection: Selection) -> list[tuple[str, Sequence[str] | None]]:
    if not selection:
        return [(query_id, None) for query_id in content["needed"]]
    if any(not wanted or len(set(wanted)) != len(wanted) for wanted in selection.values()):
        raise _refused("the selection names no credential for a query, or one of them twice")
    return list(selection.items())


def _of(content: Mapping[str, Any], query_id: str, wanted: Sequence[str] | None) -> list[Mapping[str, Any]]:
    candidates = {each["credential_id"]: each for each in content["credentials"] if each["query_id"] == query_id}
    names = list(candidates)[:1] if wanted is None else wanted
    if not names or not candidates.keys() >= set(names):
        raise _refused("the selection names a credential that does not answer this")
    return [candidates[name] for name in names]


def _refused(detail: str) -> Malformed:
    return Malformed(Code.NO_MATCHING_CREDENTIAL, detail)


def changed() -> Conflict:
    """Return what to raise for an answer to something else than what was shown."""
    return Conflict(Code.CONSENT_CHANGED, "what is asked is not what was shown; look at it again")
