"""What the registry said at one moment, immutable, with the look-ups that a verification needs.

Built from documents whose signatures TUF has already verified. Everything that a document says about what is not its
own is left out with an alert: an authority of another jurisdiction, an identifier that somebody else also claims, a
relying party's anchor that is also an issuer's (catalogue T09, T12). A document that cannot be read leaves out its
jurisdiction, never the federation: its name is then kept in ``unreadable``, so that no default takes its place.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct

from comity.errors import Code, ComityError, Malformed
from comity.ports import Jwk
from comity.trust import documents
from comity.trust.entries import (
    Accreditation,
    Attester,
    Entitlement,
    Federation,
    Identifier,
    Issuer,
    Names,
    RecognitionRule,
    ScopeGrant,
    StatusSigner,
    Verifier,
)
from comity.trust.placement import FEDERATION, Alert, document_of, jurisdiction_of, shown
from comity.trust.places import top_of

__all__ = ["IssuerEntry", "RegistrySnapshot", "StatusSigner", "VerifierEntry"]

MAX_ALERTS = 200
"""More alerts than this are not kept: a flood tells no more than its first part."""

MAX_ANSWERS = 4096
"""Most questions whose answers a snapshot keeps."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IssuerEntry:
    """An issuer as the registry knows it in one credential format; it is itself, not whatever looks the same.

    Attributes:
        authority: ``ca-on/services``.
        jurisdiction: whose document it stands in, ``ca-on``.
        name: the authority's name by language.
        identifier: how it is named and known in the format asked for.
        accreditations: what it may issue, and when.
        status_signers: who signs its status lists.
        document: the document it stands in.
    """

    authority: str
    jurisdiction: str
    name: Names
    identifier: Identifier
    accreditations: tuple[Accreditation, ...]
    status_signers: tuple[StatusSigner, ...]
    document: str


class VerifierEntry(Struct, frozen=True, kw_only=True):
    """A relying party as the registry knows it; ``client_id`` is the identifier that was asked for."""

    client_id: str
    jurisdiction: str
    name: Names
    anchor: str | None
    key_thumbprints: tuple[str, ...]
    may_ask: tuple[Entitlement, ...]
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySnapshot:
    """The registry at one moment.

    Attributes:
        targets: the documents as they were signed, by name.
        versions: version of each document's signed listing, by document name; beside them those of ``timestamp``,
            ``snapshot`` and ``root`` where known.
        ends: last instant at which a document may be believed, by document name, where sooner than ``expires_at``.
        fetched_at: when it was last confirmed.
        expires_at: last instant at which any of it may be believed.
        root_version: version of the root of trust.
        federation: the federation's own document.
        alerts: what was ignored.
        unreadable: documents that are listed but could not be read.
    """

    targets: Mapping[str, bytes] = field(repr=False)
    versions: Mapping[str, int]
    ends: Mapping[str, datetime]
    fetched_at: datetime
    expires_at: datetime
    root_version: int
    federation: Federation
    alerts: tuple[Alert, ...]
    unreadable: frozenset[str]
    _issuers: Mapping[tuple[str, str], IssuerEntry] = field(repr=False)
    _verifiers: Mapping[str, VerifierEntry] = field(repr=False)
    _recognition: Mapping[str, tuple[RecognitionRule, ...]] = field(repr=False)
    _grants: Mapping[str, tuple[ScopeGrant, ...]] = field(repr=False)
    _entitlement_signers: Mapping[str, tuple[Jwk, ...]] = field(repr=False)
    _attesters: Mapping[str, Attester] = field(repr=False)
    _answers: dict[Hashable, Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_targets(
        cls,
        targets: Mapping[str, bytes],
        *,
        fetched_at: datetime,
        expires_at: datetime,
        versions: Mapping[str, int] | None = None,
        ends: Mapping[str, datetime] | None = None,
        root_version: int = 1,
        alerts: Iterable[Alert] = (),
        unreadable: Iterable[str] = (),
    ) -> "RegistrySnapshot":
        """Return the snapshot over ``targets``, whose signatures and paths the caller has verified.

        Args:
            targets: documents by name; ``federation.json`` must be among them.
            fetched_at: when the registry last confirmed them.
            expires_at: when the registry's own statements end.
            versions: as the attribute; a document without one has version 1.
            ends: as the attribute.
            root_version: version of the root of trust.
            alerts: what was already ignored on the way here.
            unreadable: documents already given up on the way here (too large, for instance).

        Raises:
            Malformed: ``federation.json`` is missing or does not fit its schema. Any other document that does not is
                left out with an alert.
        """
        if FEDERATION not in targets:
            raise Malformed(Code.REGISTRY_INVALID, "the registry has no federation document")
        reading = _Reading(documents.parse_federation(targets[FEDERATION]))
        reading.alerts.extend(alerts)
        reading.unreadable.update(unreadable)
        for name in sorted(targets):
            if name != FEDERATION:
                reading.read(name, targets[name])
        issuers = dict(reading.unambiguous_issuers())
        anchors = {entry.identifier.anchor_sha256 for entry in issuers.values()} - {None}
        return cls(
            targets=MappingProxyType(dict(targets)),
            versions=MappingProxyType(dict(versions or {})),
            ends=MappingProxyType(dict(ends or {})),
            fetched_at=fetched_at,
            expires_at=expires_at,
            root_version=root_version,
            federation=reading.federation,
            _issuers=MappingProxyType(issuers),
            _verifiers=MappingProxyType(dict(reading.unambiguous_verifiers(anchors))),
            _recognition=MappingProxyType(reading.recognition),
            _grants=MappingProxyType(reading.grants),
            _entitlement_signers=MappingProxyType(reading.entitlement_signers),
            _attesters=MappingProxyType(dict(reading.unambiguous_attesters())),
            alerts=tuple(reading.alerts[:MAX_ALERTS]),
            unreadable=frozenset(reading.unreadable),
        )

    def once(self, answer: Callable[..., _Answer], *about: Hashable) -> _Answer:
        """Return ``answer(self, *about)``, worked out once per question: nothing in a snapshot ever changes.

        ``answer`` must be a function of the snapshot and of ``about`` alone, never of the instant; what ends is asked
        at every use. At most :data:`MAX_ANSWERS` are kept, then all are worked out anew.
        """
        question = (answer, about)
        try:
            known: _Answer = self._answers[question]
        except KeyError:
            known = answer(self, *about)
        else:
            return known
        if len(self._answers) >= MAX_ANSWERS:
            self._answers.clear()
        self._answers[question] = known
        return known

    def is_expired_at(self, at: datetime) -> bool:
        """Say whether nothing of it may be believed at ``at`` any more."""
        return at >= self.expires_at

    def is_document_expired_at(self, document: str, at: datetime) -> bool:
        """Say whether ``document`` may not be believed at ``at``: it ended, or all did."""
        return self.is_expired_at(at) or at >= self.ends.get(document, self.expires_at)

    def version_of(self, document: str) -> int:
        """Return the version of the signed listing that ``document`` was taken from."""
        return self.versions.get(document, 1)

    def find_issuer(self, issuer: str, credential_format: str) -> IssuerEntry | None:
        """Return who is named ``issuer`` (an https URL or a DID, compared exactly) in credentials of that format."""
        return self._issuers.get((credential_format, issuer))

    def issuers(self) -> tuple[IssuerEntry, ...]:
        """Return every issuer entry, one for each format, ordered by authority."""
        return tuple(sorted(self._issuers.values(), key=lambda entry: (entry.authority, entry.identifier.format)))

    def find_verifier(self, client_id: str) -> VerifierEntry | None:
        """Return who uses the full client identifier ``client_id`` (with its prefix, compared exactly)."""
        return self._verifiers.get(client_id)

    def verifiers(self) -> tuple[VerifierEntry, ...]:
        """Return every verifier entry, one for each client identifier."""
        return tuple(self._verifiers[client_id] for client_id in sorted(self._verifiers))

    def entitlement_signers(self, jurisdiction: str) -> tuple[Jwk, ...]:
        """Return the public keys with which ``jurisdiction`` signs what verifiers may ask; empty when it names none."""
        return self._entitlement_signers.get(jurisdiction, ())

    def find_attester(self, iss: str) -> Attester | None:
        """Return who attests verifiers under the name ``iss`` (compared exactly)."""
        return self._attesters.get(iss)

    def recognition_rules(self, place: str) -> tuple[RecognitionRule, ...]:
        """Return the rules of ``place``'s own document; empty when it has none."""
        return self._recognition.get(place, ())

    def grants_of(self, level: str) -> tuple[ScopeGrant, ...]:
        """Return what ``level`` passes on: ``federation``, or a jurisdiction."""
        return self.federation.delegations if level == "federation" else self._grants.get(level, ())

    def type_digest(self, vct: str) -> str | None:
        """Return the SHA-256 (hexadecimal) that the federation states for the type named ``vct``, or None."""
        return next((record.digest for record in self.federation.types if record.vct == vct), None)


class _Reading:
    """Collects what the documents say, then settles who is who."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.alerts: list[Alert] = []
        self.unreadable: set[str] = set()
        self.recognition: dict[str, tuple[RecognitionRule, ...]] = {}
        self.grants: dict[str, tuple[ScopeGrant, ...]] = {}
        self.entitlement_signers: dict[str, tuple[Jwk, ...]] = {}
        self._claimed_issuers: list[IssuerEntry] = []
        self._claimed_verifiers: list[VerifierEntry] = []
        self._claimed_attesters: list[Attester] = []

    def read(self, name: str, content: bytes) -> None:
        """Read one document; what cannot be read is left out with an alert."""
        jurisdiction = jurisdiction_of(name)
        if jurisdiction is None:
            self._alert(Code.REGISTRY_OUT_OF_PATH, name, "The registry does not know a document of this name.")
            return
        if self.federation.member(top_of(jurisdiction)) is None:
            self._alert(Code.REGISTRY_OUT_OF_PATH, name, "It belongs to a jurisdiction that was never a member.")
            return
        try:
            self._read_kind(jurisdiction, name, content)
        except ComityError as error:
            self.unreadable.add(name)
            self._alert(error.code, name, f"The document is left out: {error.detail}.")

    def _read_kind(self, jurisdiction: str, name: str, content: bytes) -> None:
        if name == document_of(jurisdiction, "issuers"):
            parsed = documents.parse_issuers(content)
            self._take_grants(jurisdiction, name, parsed.delegations)
            for issuer in parsed.issuers:
                self._take_issuer(jurisdiction, name, issuer)
        elif name == document_of(jurisdiction, "verifiers"):
            self.entitlement_signers[jurisdiction] = documents.parse_entitlement_signers(content)
            attesters = documents.parse_attesters(content, jurisdiction=jurisdiction, name=name)
            for verifier in documents.parse_verifiers(content):
                self._take_verifier(jurisdiction, name, verifier)
            self._claimed_attesters.extend(attesters)
        else:
            self.recognition[jurisdiction] = documents.parse_recognition(content)

    def _take_grants(self, jurisdiction: str, name: str, grants: tuple[ScopeGrant, ...]) -> None:
        """Keep what is passed on to a jurisdiction directly below; nobody else's scope is one's to give."""
        below = tuple(grant for grant in grants if grant.to.startswith(f"{jurisdiction}/"))
        for grant in grants:
            if grant not in below:
                self._alert(Code.REGISTRY_OUT_OF_PATH, name, f"It delegates to {grant.to}, which is not below it.")
        self.grants[jurisdiction] = below

    def _take_issuer(self, jurisdiction: str, name: str, issuer: Issuer) -> None:
        if issuer.authority.rpartition("/")[0] != jurisdiction:
            self._alert(
                Code.REGISTRY_OUT_OF_PATH, name, f"It lists {issuer.authority}, an authority of another jurisdiction."
            )
            return
        for identifier in issuer.identifiers:
            self._claimed_issuers.append(
                IssuerEntry(
                    authority=issuer.authority,
                    jurisdiction=jurisdiction,
                    name=issuer.name,
                    identifier=identifier,
                    accreditations=issuer.accreditations,
                    status_signers=issuer.status_signers,
                    document=name,
                )
            )

    def _take_verifier(self, jurisdiction: str, name: str, verifier: Verifier) -> None:
        for client_id in verifier.client_ids:
            self._claimed_verifiers.append(
                VerifierEntry(
                    client_id=client_id,
                    jurisdiction=jurisdiction,
                    name=verifier.name,
                    anchor=verifier.anchor,
                    key_thumbprints=verifier.key_thumbprints,
                    may_ask=verifier.may_ask,
                    document=name,
                )
            )

    def unambiguous_issuers(self) -> Iterator[tuple[tuple[str, str], IssuerEntry]]:
        """Yield the entries by (format, id) of which exactly one may be believed.

        An id that two authorities claim, in whatever formats, belongs to the one in whose namespace it lies: the
        authority is the tail of the id (``https://…/ca-on/services``, ``did:web:…:ca-on:services``). Where that does
        not leave exactly one, nobody has it.
        """
        claims: dict[str, list[IssuerEntry]] = {}
        for entry in self._claimed_issuers:
            claims.setdefault(entry.identifier.id, []).append(entry)
        for entries in claims.values():
            authorities = {entry.authority for entry in entries}
            at_home = {entry.authority for entry in entries if _is_in_namespace(entry)}
            rightful = authorities if len(authorities) == 1 else at_home if len(at_home) == 1 else set[str]()
            formats = Counter(entry.identifier.format for entry in entries if entry.authority in rightful)
            for entry in entries:
                if entry.authority in rightful and formats[entry.identifier.format] == 1:
                    yield (entry.identifier.format, entry.identifier.id), entry
                else:
                    detail = f"{entry.authority} claims an issuer id that is claimed more than once; it is ignored."
                    self._alert(Code.REGISTRY_INVALID, entry.document, detail)

    def unambiguous_verifiers(self, issuer_anchors: set[str | None]) -> Iterator[tuple[str, VerifierEntry]]:
        """Yield the verifiers whose client id nobody else has and whose anchor is no issuer's."""
        claims = Counter(entry.client_id for entry in self._claimed_verifiers)
        for entry in self._claimed_verifiers:
            digest = documents.anchor_digest(entry.anchor) if entry.anchor else None
            if claims[entry.client_id] > 1:
                detail = "A client identifier of it is claimed more than once; it is ignored."
                self._alert(Code.REGISTRY_INVALID, entry.document, detail)
            elif digest in issuer_anchors:
                detail = "A verifier of it has the anchor of an issuer; it is ignored."
                self._alert(Code.REGISTRY_INVALID, entry.document, detail)
            else:
                yield entry.client_id, entry

    def unambiguous_attesters(self) -> Iterator[tuple[str, Attester]]:
        """Yield those who attest verifiers under a name that nobody else has."""
        claims = Counter(each.iss for each in self._claimed_attesters)
        for each in self._claimed_attesters:
            if claims[each.iss] == 1:
                yield each.iss, each
            else:
                detail = "An attester of verifiers in it is claimed more than once; it is ignored."
                self._alert(Code.REGISTRY_INVALID, each.document, detail)

    def _alert(self, code: Code, document: str, detail: str) -> None:
        self.alerts.append(Alert(code=code, document=shown(document), detail=detail))


def _is_in_namespace(entry: IssuerEntry) -> bool:
    """Say whether the id ends in the authority's own name, by whole segments."""
    separator = ":" if entry.identifier.id.startswith("did:") else "/"
    tail = separator + entry.authority.replace("/", separator)
    return entry.identifier.id.endswith(tail)
