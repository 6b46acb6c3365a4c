"""Whether one credential answers one credential query, and with which claims: shared by wallet and verifier.

The verifier never believes that the wallet did this right (OpenID4VP 1.0 §6, §14; profile DQ-9): both call the same
functions over what they themselves read from the credential.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from comity.credential import CredentialType
from comity.dcql.path import Place, select
from comity.dcql.query import SD_JWT, W3C_FORMATS, ClaimQuery, CredentialQuery, Meta, Path, TrustedAuthority

W3C_CREDENTIAL_TYPE = "https://www.w3.org/2018/credentials#VerifiableCredential"
"""What the VCDM 2.0 context expands ``VerifiableCredential`` to."""

MATCHED_FORMATS = frozenset({SD_JWT, "vc+jwt"})
"""Formats in which a wallet of this house holds credentials; queries for others match nothing."""

_SUBJECT = "credentialSubject"


class Described(Protocol):
    """What a credential says of itself, as far as a query asks."""

    @property
    def format(self) -> str:
        """Credential format identifier."""
        ...

    @property
    def type_names(self) -> tuple[str, ...]:
        """The names of its types, see :func:`type_names`."""
        ...

    @property
    def claims(self) -> Mapping[str, Any]:
        """The object in which claim paths start; in W3C formats the credential itself (OpenID4VP annex B.1)."""
        ...

    @property
    def authority_key_ids(self) -> Collection[str]:
        """Base64url key identifiers of the authorities in its certificate chain."""
        ...


def type_names(credential_format: str, credential_type: CredentialType) -> tuple[str, ...]:
    """Return the names by which DCQL knows a type of the federation (profile DQ-3).

    ``dc+sd-jwt``: the ``vct``. W3C formats: fully expanded IRIs, since ``type_values`` holds nothing else. The
    contexts of the federation map ``VerifiableCredential`` to :data:`W3C_CREDENTIAL_TYPE` and the PascalCase term of a
    type to ``https://types.comity.example/<type>/<n>#<PascalCase>``.
    """
    if credential_format in W3C_FORMATS:
        return (W3C_CREDENTIAL_TYPE, f"{credential_type.vct}#{credential_type.w3c_type}")
    return (credential_type.vct,)


def claim_path(credential_format: str, claim: str) -> tuple[str, ...]:
    """Return the path that asks for the subject's ``claim`` in the given format."""
    return (_SUBJECT, claim) if credential_format in W3C_FORMATS else (claim,)


def claim_of(credential_format: str, path: Path) -> str:
    """Return the subject's claim in which ``path`` ends or lies: nothing inside a claim is disclosed without it.

    In W3C formats a path to anything else than one of the subject's claims gives its first part.
    """
    is_subject = credential_format in W3C_FORMATS and len(path) > 1 and path[0] == _SUBJECT
    return str(path[1] if is_subject else path[0])


def named_types(meta: Meta) -> tuple[tuple[str, ...], ...]:
    """Return the types that ``meta`` names, any one entry being enough; a type of the federation stands by its ``vct``.

    Empty when it names none, which constrains nothing (annex B). mdoc is not looked at.
    """
    by_iri = (tuple(iri.partition("#")[0] for iri in types) for types in meta.type_values)
    return (*((name,) for name in meta.vct_values), *by_iri)


def is_of_kind(query: CredentialQuery, credential: Described) -> bool:
    """Say whether format, type and authority are what ``query`` asks for (DQ-3, DQ-7). Claims are not looked at."""
    return (
        credential.format == query.format
        and credential.format in MATCHED_FORMATS
        and _has_type(query, credential.type_names)
        and _has_authority(query.trusted_authorities, credential.authority_key_ids)
    )


def _has_type(query: CredentialQuery, names: tuple[str, ...]) -> bool:
    """DQ-3: one of the ``vct_values``; all types of one of the ``type_values``; no constraint when absent."""
    if query.meta.vct_values:
        return not set(query.meta.vct_values).isdisjoint(names)
    if query.meta.type_values:
        return any(set(names).issuperset(types) for types in query.meta.type_values)
    return True


def _has_authority(wanted: tuple[TrustedAuthority, ...], key_ids: Collection[str]) -> bool:
    """DQ-7: any value of any entry; of the types only ``aki`` is known here, others never match and nothing is fetched.

    A hint that narrows what is offered. It never makes an issuer trusted.
    """
    if not wanted:
        return True
    return any(each.type == "aki" and not set(each.values).isdisjoint(key_ids) for each in wanted)


def selections(query: CredentialQuery, claims: Mapping[str, Any]) -> Iterator[tuple[Place, ...]]:
    """Yield the places asked for by each claim set that ``claims`` can satisfy, the verifier's favourite first (DQ-4).

    Each place stands once, in the order of the query. Without ``claims`` in the query there is one selection, of
    nothing; with claims only, one of all of them; nothing is yielded when the credential lacks what is asked. Every
    claim is looked up once, whatever the number of sets.
    """
    found = [tuple(_matching_places(claim, claims)) for claim in query.claims]
    if not query.claim_sets:
        if all(found):
            yield _union(found)
        return
    by_id = {claim.id: places for claim, places in zip(query.claims, found, strict=True)}
    present = frozenset(claim_id for claim_id, places in by_id.items() if places)
    for option in query.claim_sets:
        if present.issuperset(option):
            yield _union(by_id[claim_id] for claim_id in option)


def _union(found: Iterable[tuple[Place, ...]]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(place for places in found for place in places))


def _matching_places(claim: ClaimQuery, claims: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the places of the elements that ``claim`` selects and whose value it accepts (DQ-5).

    A value that is not among ``values`` is treated as absent. Types count: ``1``, ``1.0``, ``"1"`` and ``true`` are
    four different values.
    """
    accepted = None if claim.values is None else {(type(value), value) for value in claim.values}
    for place, element in select(claim.path, claims).items():
        if accepted is None or (isinstance(element, str | int) and (type(element), element) in accepted):
            yield place


def as_place(disclosure: str | Place) -> Place:
    """Return the place of something that may be withheld, given as its place or as the name of a flat claim."""
    return (disclosure,) if isinstance(disclosure, str) else disclosure


def in_order(places: Iterable[Place]) -> tuple[Place, ...]:
    """Return ``places`` sorted: outer before inner, names by the alphabet, indices by their number."""
    return tuple(sorted(places, key=lambda place: [(isinstance(part, int), part) for part in place]))


class Asked:
    """The places that were asked for, ready to say of any other place whether it has to do with them."""

    __slots__ = ("_outer", "_places")

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = frozenset(places)
        self._outer = frozenset(place[:depth] for place in self._places for depth in range(len(place)))

    def concerns(self, place: Place) -> bool:
        """Say whether ``place`` was asked for, contains what was asked for, or is contained in it.

        An inner claim cannot be disclosed without the outer one, and an outer one is of no use without its contents.
        """
        return place in self._outer or any(place[:depth] in self._places for depth in range(1, len(place) + 1))
