"""The few seams at which the outside is exchanged for something else, each with two real implementations.

==================  ==============================  ====================================================
port                in production                   elsewhere
==================  ==============================  ====================================================
:class:`Clock`      ``runtime.clock.SystemClock``   ``runtime.clock.FixedClock``: tests, replay of a day
:class:`Signer`     ``keys.KeySigner`` over a file  a holder key inside the wallet's vault
:class:`Fetcher`    ``runtime.http.GuardedFetcher`` ``runtime.http.TableFetcher``: answers known beforehand
``ClaimsSource``    HTTPS call-back                 CSV file, embedded demo people
====================
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct, field

Jwk = Mapping[str, Any]
"""A JSON Web Key, public members only unless a function says otherwise (RFC 7517)."""


class Clock(Protocol):
    """The only source of the current time."""

    def now(self) -> datetime:
        """Return the current instant, timezone-aware, in UTC."""
        ...


class Signer(Protocol):
    """One private key, usable only for signing."""

    @property
    def algorithm(self) -> str:
        """The JOSE algorithm name this key signs with: ``ES256``, ``ES384`` or ``EdDSA``."""
        ...

    @property
    def public_jwk(self) -> Jwk:
        """The public half."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the JOSE signature of ``data``: fixed-length r‖s for ECDSA, 64 bytes for Ed25519."""
        ...


class FetchRequest(Struct, frozen=True, kw_only=True):
    """One outbound request.

    Attributes:
        url: absolute URL.
        method: ``GET`` or ``POST``.
        accept: content types asked for, best first; a response of another type is refused when not empty.
        headers: further request headers.
        body: request body for ``POST``.
        max_bytes: largest body accepted; more raises ``Malformed(TOO_LARGE)``.
        max_redirects: 0 refuses every redirect (everything but status lists).
        etag: sent as ``If-None-Match``; the answer may then be 304 with an empty body.
    """

    url: str
    method: str = "GET"
    accept: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    max_bytes: int = 1 << 20
    max_redirects: int = 0
    etag: str | None = None


class Fetched(Struct, frozen=True, kw_only=True):
    """One inbound answer, of any HTTP status. ``content_type`` is lower case without parameters."""

    url: str
    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]
    fetched_at: datetime


class Fetcher(Protocol):
    """The one door through which requests leave the house."""

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Send ``request``.

        Raises:
            Unreachable: no answer within the limits, or the address is not allowed.
            Malformed: the answer is larger than allowed, or not of an accepted content type (2xx only).
        """
        ...


class ClaimsSource(Protocol):
    """Where an authority keeps what it knows of a person; asked by the authority's own file number."""

    async def claims(self, type_slug: str, record_reference: str) -> Mapping[str, Any]:
        """Return today's claims of the record.

        Raises:
            NotFound: the authority has no such record.
            Unreachable: the authority's system does not answer.
        """
        ...
