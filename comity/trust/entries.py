"""What the registry's documents say, as frozen values; made by :mod:`comity.trust.documents`."""

from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from comity.ports import Jwk

COMPROMISED = "key_compromise"
"""The reason of a withdrawal after which nothing the key signed counts any more."""

Names = Mapping[str, str]
"""A name by language: ``en`` and ``fr``."""


class Member(Struct, frozen=True, kw_only=True):
    """A member of the federation; ``since`` and ``until`` are whole UTC days, both inclusive."""

    id: str
    name: Names
    level: str
    since: date
    until: date | None

    def is_member_on(self, day: date) -> bool:
        """Say whether the membership covers ``day``."""
        return self.since <= day and (self.until is None or day <= self.until)


class TypeRecord(Struct, frozen=True, kw_only=True):
    """A credential type that the federation knows; ``digest`` is the SHA-256 of its ``type.json``, hexadecimal."""

    id: str
    vct: str
    digest: str


class ScopeGrant(Struct, frozen=True, kw_only=True):
    """What one level lets the next issue: ``types`` to the jurisdiction ``to``, through the day ``until``."""

    to: str
    types: frozenset[str]
    until: date | None

    def covers(self, jurisdiction: str, type_id: str, day: date) -> bool:
        """Say whether this grant lets ``jurisdiction`` issue ``type_id`` on ``day``."""
        return self.to == jurisdiction and type_id in self.types and (self.until is None or day <= self.until)


class Federation(Struct, frozen=True, kw_only=True):
    """``federation.json``. ``recognition_default`` is ``members``, ``none``, or None when there is no such rule."""

    name: Names | None
    members: tuple[Member, ...]
    types: tuple[TypeRecord, ...]
    delegations: tuple[ScopeGrant, ...]
    recognition_default: str | None

    def member(self, jurisdiction: str) -> Member | None:
        """Return the membership of ``jurisdiction``, past, present or future, or None."""
        return next((member for member in self.members if member.id == jurisdiction), None)

    def type_record(self, type_id: str) -> TypeRecord | None:
        """Return the type ``type_id`` (``person/1``), or None."""
        return next((record for record in self.types if record.id == type_id), None)


class Identifier(Struct, frozen=True, kw_only=True):
    """How an issuer is named and known in one credential format.

    Attributes:
        format: ``dc+sd-jwt`` or ``vc+jwt``.
        id: the issuer as credentials name it: an https URL, or a DID.
        mechanism: ``x5c`` (a chain to ``anchor``) or ``did`` (a key of the DID document, pinned by thumbprint).
        anchor: base64 DER of the certificate at the end of the chain; None for ``did``.
        anchor_sha256: its SHA-256, hexadecimal; None for ``did``.
        key_thumbprints: RFC 7638 thumbprints of the keys that count; empty for ``x5c``.
    """

    format: str
    id: str
    mechanism: str
    anchor: str | None
    anchor_sha256: str | None
    key_thumbprints: tuple[str, ...]


class StatusSigner(Struct, frozen=True, kw_only=True):
    """Who signs an issuer's status lists below ``uri_prefix``; the other members as for :class:`Identifier`.

    ``format`` is ``statuslist+jwt`` or ``vc+jwt``; ``id`` is the signer's DID, empty when it is known by its chain.
    """

    format: str
    uri_prefix: str
    mechanism: str
    id: str
    anchor: str | None
    anchor_sha256: str | None
    key_thumbprints: tuple[str, ...]


class Accreditation(Struct, frozen=True, kw_only=True):
    """One type that an issuer may issue, for a span of whole UTC days.

    Attributes:
        type: the type id, ``person/1``.
        since: first day (``from`` in the document).
        until: last day, or None.
        withdrawn_at: the day of withdrawal, or None. A credential issued on that day counts as issued before.
        effect: what becomes of earlier credentials: ``keep`` or ``lose``; empty while not withdrawn.
        reason: why, a snake_case word; :data:`COMPROMISED` loses whatever ``effect`` says.
    """

    type: str
    since: date
    until: date | None
    withdrawn_at: date | None
    effect: str
    reason: str

    @property
    def last_day(self) -> date | None:
        """The last issue day that it covers, or None when it is open."""
        ends = [day for day in (self.until, self.withdrawn_at) if day is not None]
        return min(ends) if ends else None

    def covers_issue_on(self, day: date) -> bool:
        """Say whether a credential issued on ``day`` was issued under it; the day of withdrawal counts as before."""
        return self.since <= day and (self.last_day is None or day <= self.last_day)

    def is_within_reach(self, day: date) -> bool:
        """Say whether its key, once lost, can have signed what states ``day``: any day up to that of the withdrawal."""
        return self.withdrawn_at is None or day <= self.withdrawn_at


class Issuer(Struct, frozen=True, kw_only=True):
    """One entry of ``issuers.json``: an authority, how it is known, and what it is accredited for."""

    authority: str
    name: Names
    identifiers: tuple[Identifier, ...]
    accreditations: tuple[Accreditation, ...]
    status_signers: tuple[StatusSigner, ...]


class Issuers(Struct, frozen=True, kw_only=True):
    """``<jurisdiction>/issuers.json``."""

    issuers: tuple[Issuer, ...]
    delegations: tuple[ScopeGrant, ...]


class Entitlement(Struct, frozen=True, kw_only=True):
    """What a verifier may ask: ``claims`` of ``type``, for ``purpose`` (None: for any)."""

    type: str
    claims: frozenset[str]
    purpose: str | None


class Verifier(Struct, frozen=True, kw_only=True):
    """One entry of ``verifiers.json``; ``client_ids`` are full client identifiers with their prefix."""

    name: Names
    client_ids: tuple[str, ...]
    anchor: str | None
    anchor_sha256: str | None
    key_thumbprints: tuple[str, ...]
    may_ask: tuple[Entitlement, ...]


class Attester(Struct, frozen=True, kw_only=True):
    """Who may say who a verifier is (OpenID4VP 1.0 §12).

    Attributes:
        iss: as the attestations name it, compared exactly.
        name: its name.
        keys: the public keys that sign its attestations.
        jurisdiction: whose document lists it.
        document: that document.
    """

    iss: str
    name: Names
    keys: tuple[Jwk, ...]
    jurisdiction: str
    document: str


class RecognitionRule(Struct, frozen=True, kw_only=True):
    """A departure from the default; None in ``jurisdiction``, ``type`` or ``purpose`` stands for all of them."""

    jurisdiction: str | None
    type: str | None
    purpose: str | None
    accept: bool
    reference: str
