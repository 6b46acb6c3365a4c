"""The verifier's one table. Functions are named for their use cases and run over one connection.

What a stranger may learn from a stolen copy: that requests were made, for which policy, and their verdicts. Decryption
keys and disclosed claims are sealed, and erased after a short time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

metadata = MetaData()

requests = Table(
    "requests",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("transaction_hash", String(64), nullable=False, unique=True),
    Column("relying_party", String(200), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("place", String(16), nullable=True),
    Column("flow", String(16), nullable=False),
    Column("same_holder", Boolean, nullable=False),
    Column("client_id", String(2048), nullable=False),
    Column("nonce", String(128), nullable=False),
    Column("state", String(128), nullable=False),
    Column("response_mode", String(32), nullable=False),
    Column("sealed_key", LargeBinary, nullable=True),
    Column("redirect_uri", Text, nullable=True),
    Column("response_code_hash", String(64), nullable=True),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("fetched_at", Integer, nullable=True),
    Column("answered_at", Integer, nullable=True),
    Column("result", Text, nullable=True),
    Column("sealed_claims", LargeBinary, nullable=True),
    Index("requests_by_answer", "answered_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request as it is stored. Instants are UTC, to the second."""

    id: str
    transaction_hash: str
    relying_party: str
    policy: str
    place: str | None
    flow: str
    same_holder: bool
    client_id: str
    nonce: str
    state: str
    response_mode: str
    sealed_key: bytes | None
    redirect_uri: str | None
    response_code_hash: str | None
    created_at: datetime
    expires_at: datetime
    fetched_at: datetime | None = None
    answered_at: datetime | None = None
    result: str | None = None
    sealed_claims: bytes | None = None


_INSTANTS = ("created_at", "expires_at", "fetched_at", "answered_at")


def save_request(connection: Connection, row: RequestRow) -> None:
    """Store a new request."""
    values = {name: getattr(row, name) for name in RequestRow.__slots__}
    values.update({name: _seconds(values[name]) for name in _INSTANTS})
    connection.execute(insert(requests).values(values))


def find_request(connection: Connection, request_id: str) -> RequestRow | None:
    """Return the request that wallets know as ``request_id``, or None."""
    return _row(connection.execute(select(requests).where(requests.c.id == request_id)).mappings().first())


def find_transaction(connection: Connection, transaction_hash: str, relying_party: str) -> RequestRow | None:
    """Return the request of this relying party that it knows by a secret with this SHA-256, or None."""
    wanted = (requests.c.transaction_hash == transaction_hash) & (requests.c.relying_party == relying_party)
    return _row(connection.execute(select(requests).where(wanted)).mappings().first())


def mark_fetched(connection: Connection, request_id: str, at: datetime) -> None:
    """Note when a wallet first opened the request; later openings change nothing."""
    first = (requests.c.id == request_id) & requests.c.fetched_at.is_(None) & requests.c.answered_at.is_(None)
    connection.execute(update(requests).where(first).values(fetched_at=_seconds(at)))


def answer(
    connection: Connection,
    request_id: str,
    *,
    at: datetime,
    result: str,
    sealed_claims: bytes | None,
    response_code_hash: str | None,
) -> bool:
    """Answer the request with its verdict, once: one statement decides among all who try (catalogue P01).

    Returns:
        False when it was answered before, or can no longer be answered; nothing is changed then.
    """
    is_open = (requests.c.id == request_id) & requests.c.answered_at.is_(None) & (requests.c.expires_at > _seconds(at))
    values: Mapping[str, Any] = {
        "answered_at": _seconds(at),
        "result": result,
        "sealed_claims": sealed_claims,
        "sealed_key": None,
        "response_code_hash": response_code_hash,
    }
    return connection.execute(update(requests).where(is_open).values(**values)).rowcount == 1


def erase(connection: Connection, *, answered_before: datetime, expired_before: datetime) -> int:
    """Erase claims and decryption keys whose time is over; verdicts and codes stay. Returns how many rows changed."""
    old_claims = (requests.c.answered_at < _seconds(answered_before)) & requests.c.sealed_claims.is_not(None)
    old_keys = (requests.c.expires_at < _seconds(expired_before)) & requests.c.sealed_key.is_not(None)
    erased = connection.execute(update(requests).where(old_claims).values(sealed_claims=None)).rowcount
    return erased + connection.execute(update(requests).where(old_keys).values(sealed_key=None)).rowcount


def _row(found: RowMapping | None) -> RequestRow | None:
    if found is None:
        return None
    values = dict(found)
    values.update({name: _instant(values[name]) for name in _INSTANTS})
    return RequestRow(**values)


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
