"""The verifier's own table, and that of refusals. Functions are named for their use cases and run over one connection.

What a stranger may learn from a stolen copy: that requests were made, for which policy and place, and their verdicts
with codes. Decryption keys and reports (disclosed claims, holder key thumbprints, issue days) are sealed, and erased
after a short time.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from comity.runtime.refusals import refusals_tables
from comity.runtime.webhooks.outbox import outbox
from comity.runtime.written import change, rows

metadata = MetaData()
OUTBOX = outbox(metadata)
_INSTANT = BigInteger().with_variant(Integer(), "sqlite")  # where INTEGER has 64 bits anyway

requests = Table(
    "requests",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("transaction_hash", String(64), nullable=False, unique=True),
    Column("relying_party", String(200), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("place", String(16), nullable=False),
    Column("flow", String(16), nullable=False),
    Column("same_holder", Boolean, nullable=False),
    Column("client_id", String(2048), nullable=False),
    Column("nonce", String(128), nullable=False),
    Column("state", String(128), nullable=False),
    Column("response_mode", String(32), nullable=False),
    Column("sealed_key", LargeBinary, nullable=True),
    Column("redirect_uri", Text, nullable=True),
    Column("response_code_hash", String(64), nullable=True),
    Column("created_at", _INSTANT, nullable=False),
    Column("expires_at", _INSTANT, nullable=False),
    Column("fetched_at", _INSTANT, nullable=True),
    Column("answered_at", _INSTANT, nullable=True),
    Column("verdict", String(16), nullable=True),
    Column("codes", Text, nullable=True),
    Column("sealed_report", LargeBinary, nullable=True),
    Column("sealed_particulars", LargeBinary, nullable=True),
    Column("browser_hash", String(64), nullable=True),
    Column("returned_at", _INSTANT, nullable=True),
    # What was erased is not in the one, nor what was answered in the other; on PostgreSQL neither, as revision 0009
    # says (to say it here would load that dialect at every start over SQLite).
    Index("requests_with_report", "answered_at", sqlite_where=text("sealed_report IS NOT NULL")),
    Index("requests_unanswered", "expires_at", sqlite_where=text("answered_at IS NULL")),
)
REFUSALS = refusals_tables(metadata)
"""Refused requests and answers of wallets, counted (decision record 0036)."""


class RequestRow(Struct, frozen=True, kw_only=True):
    """A request as it is stored. Instants are UTC, to the second.

    Attributes:
        id: names the request towards wallets.
        transaction_hash: SHA-256 of the secret by which its relying party knows it.
        relying_party: who started it.
        policy: name of the policy.
        place: place of use.
        flow: ``cross_device`` or ``same_device``.
        same_holder: whether one holder key was asked for beyond what the policy asks.
        client_id: the name under which it was asked; the audience of every presentation.
        nonce: every presentation must carry it.
        state: the answer must carry it.
        response_mode: how the wallet answers.
        sealed_key: its own decryption key; None when it needs none, or no longer.
        redirect_uri: same device: where the wallet sends the person.
        response_code_hash: same device: SHA-256 of the code that the wallet brings back.
        created_at: when it was started.
        expires_at: from then on it cannot be answered.
        fetched_at: when a wallet first opened it.
        answered_at: when it got its verdict.
        verdict: the verdict; kept for good.
        codes: JSON list of the codes that led to it; kept for good.
        sealed_report: the whole report with its claims; None when there is none, or no longer.
        sealed_particulars: what it asks beyond its policy; None when that is nothing, or no longer there.
        browser_hash: same device: SHA-256 of the secret in the browser that started it; None where no browser said so.
        returned_at: same device: when that browser came back with the response code.
    """

    id: str
    transaction_hash: str
    relying_party: str
    policy: str
    place: str
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
    verdict: str | None = None
    codes: str | None = None
    sealed_report: bytes | None = None
    sealed_particulars: bytes | None = None
    browser_hash: str | None = None
    returned_at: datetime | None = None


_INSTANTS = ("created_at", "expires_at", "fetched_at", "answered_at", "returned_at")
_SPENT: Mapping[str, Any] = {"sealed_report": None, "redirect_uri": None, "sealed_particulars": None}
_UNUSED: Mapping[str, Any] = {"sealed_key": None, "redirect_uri": None, "sealed_particulars": None}

# Built once: to put such a statement together costs several times what SQLite needs to run it.
_THIS = requests.c.id == bindparam("this")
_UNANSWERED = _THIS & requests.c.answered_at.is_(None)
_SAVE = insert(requests).inline()
_FIND = select(requests).where(_THIS)
_FIND_TRANSACTION = select(requests).where(
    requests.c.transaction_hash == bindparam("known_by"), requests.c.relying_party == bindparam("whose")
)
_MARK_FETCHED = update(requests).where(_UNANSWERED, requests.c.fetched_at.is_(None)).values(fetched_at=bindparam("at"))
_ANSWER = (
    update(requests)
    .where(_UNANSWERED, requests.c.expires_at > bindparam("at"))
    .values(
        answered_at=bindparam("at"),
        verdict=bindparam("decided"),
        codes=bindparam("led_by"),
        sealed_report=bindparam("report"),
        sealed_key=None,
        response_code_hash=bindparam("brought_back"),
    )
)
_CLAIM_BROWSER = (
    update(requests)
    .where(_UNANSWERED, requests.c.browser_hash.is_(None), requests.c.expires_at > bindparam("at"))
    .values(browser_hash=bindparam("browser"))
)
_MARK_RETURNED = (
    update(requests)
    .where(_THIS, requests.c.returned_at.is_(None), requests.c.sealed_report.is_not(None))
    .values(returned_at=bindparam("at"))
)
_ACCEPTED = _THIS & requests.c.sealed_report.is_not(None) & (requests.c.verdict == "accepted")
_REPORT = select(requests.c.answered_at, requests.c.sealed_report).where(_ACCEPTED)
_TAKE_REPORT = update(requests).where(_ACCEPTED).values(**_SPENT)


def save_request(connection: Connection, row: RequestRow) -> None:
    """Store a new request."""
    values = {name: getattr(row, name) for name in RequestRow.__struct_fields__}
    values.update({name: _seconds(values[name]) for name in _INSTANTS})
    change(connection, _SAVE, values)


def find_request(connection: Connection, request_id: str) -> RequestRow | None:
    """Return the request that wallets know as ``request_id``, or None."""
    return _row(rows(connection, _FIND, {"this": request_id}))


def find_transaction(connection: Connection, transaction_hash: str, relying_party: str) -> RequestRow | None:
    """Return the request of this relying party that it knows by a secret with this SHA-256, or None."""
    return _row(rows(connection, _FIND_TRANSACTION, {"known_by": transaction_hash, "whose": relying_party}))


def mark_fetched(connection: Connection, request_id: str, at: datetime) -> None:
    """Note when a wallet first opened the request; later openings change nothing."""
    change(connection, _MARK_FETCHED, {"this": request_id, "at": _seconds(at)})


class Answer(Struct, frozen=True, kw_only=True):
    """What is stored when a request gets its verdict; see :class:`RequestRow`."""

    at: datetime
    verdict: str
    codes: str
    sealed_report: bytes
    response_code_hash: str | None


def answer(connection: Connection, request_id: str, given: Answer) -> bool:
    """Answer the request with its verdict, once: one statement decides among all who try (decision record 0015).

    Returns:
        False when it was answered before, or can no longer be answered; nothing is changed then.
    """
    values = {
        "this": request_id,
        "at": _seconds(given.at),
        "decided": given.verdict,
        "led_by": given.codes,
        "report": given.sealed_report,
        "brought_back": given.response_code_hash,
    }
    return change(connection, _ANSWER, values) == 1


def erase(connection: Connection, *, answered_before: datetime, expired_at: datetime) -> int:
    """Erase what is no longer needed; verdicts and codes stay. Returns how many records changed.

    Reports, particulars, and the addresses people were sent to, go when they were answered before ``answered_before``;
    those of requests that nobody answered go with their decryption keys, as soon as they have expired at
    ``expired_at``.
    """
    is_old = (requests.c.answered_at < _seconds(answered_before)) & requests.c.sealed_report.is_not(None)
    is_left = or_(*(requests.c[name].is_not(None) for name in _UNUSED))
    is_over = (requests.c.expires_at <= _seconds(expired_at)) & requests.c.answered_at.is_(None) & is_left
    erased = connection.execute(update(requests).where(is_old).values(**_SPENT)).rowcount
    return erased + connection.execute(update(requests).where(is_over).values(**_UNUSED)).rowcount


def claim_browser(connection: Connection, request_id: str, browser_hash: str, at: datetime) -> bool:
    """Bind an open request to the browser that started it, once; False when it has one, or is not open any more."""
    return change(connection, _CLAIM_BROWSER, {"this": request_id, "browser": browser_hash, "at": _seconds(at)}) == 1


def mark_returned(connection: Connection, request_id: str, at: datetime) -> bool:
    """Note when the browser first came back with its answer; False when it did before, or the answer was refused."""
    return change(connection, _MARK_RETURNED, {"this": request_id, "at": _seconds(at)}) == 1


def refuse_return(connection: Connection, request_id: str, codes: str) -> bool:
    """Reject an answer that came back to another browser: its report goes, its verdict is no (VP-23).

    Returns:
        False when the right browser came back before; nothing is changed then.
    """
    row = requests.c
    wrong = (row.id == request_id) & row.returned_at.is_(None) & row.answered_at.is_not(None)
    values: Mapping[str, Any] = {**_SPENT, "verdict": "rejected", "codes": codes}
    return connection.execute(update(requests).where(wrong).values(**values)).rowcount == 1


def take_report(connection: Connection, request_id: str) -> tuple[datetime, bytes] | None:
    """Return when an accepted request was answered and its report, and erase that; None when there is no report."""
    found = rows(connection, _REPORT, {"this": request_id})
    if not found:
        return None
    change(connection, _TAKE_REPORT, {"this": request_id})
    return datetime.fromtimestamp(found[0].answered_at, UTC), found[0].sealed_report


def drop_unanswered(connection: Connection, *, party_prefix: str, expired_before: datetime) -> int:
    """Delete requests that nobody answered in time, of parties whose name begins so; returns how many there were.

    Anybody can begin a sign-in at a website, so what is left of those that came to nothing must not pile up.
    """
    row = requests.c
    is_over = row.answered_at.is_(None) & (row.expires_at <= _seconds(expired_before))
    wanted = is_over & row.relying_party.startswith(party_prefix, autoescape=True)
    return connection.execute(delete(requests).where(wanted)).rowcount


def check(connection: Connection) -> None:
    """Read from the table; raises what the database raises when that is not possible."""
    connection.execute(select(requests.c.id).limit(1)).first()


def _row(found: Sequence[Any]) -> RequestRow | None:
    if not found:
        return None
    values = found[0]._asdict()
    values.update({name: _instant(values[name]) for name in _INSTANTS})
    return RequestRow(**values)


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
