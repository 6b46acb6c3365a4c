"""The tables of the bridge to OpenID Connect: websites, sign-ins, and assertions by which websites said who they are.

What a stranger may learn from a stolen copy: which websites there are, and when somebody signed in where, by which
policy. No claim is in any of these tables: it stays sealed with the request that it answered (:mod:`verifier.store`)
and is erased from there in the unit in which the website fetches its token. Secrets and codes are kept as hashes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UpdateBase,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from comity import strict_json
from comity.errors import Code
from comity.openid import client_assertion
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Jwk
from comity.runtime.inserting import insert_on
from comity.runtime.written import change, rows
from verifier.store import drop_unanswered, metadata, take_report

__all__ = ["metadata"]

PARTY = "openid:"
"""Before a website's name, where requests say who asks."""
LONGEST = timedelta(minutes=30)
"""How long a person may take to sign in, with as many codes as they like."""

clients = Table(
    "bridge_clients",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("name_en", String(200), nullable=False),
    Column("name_fr", String(200), nullable=False),
    Column("redirect_uris", Text, nullable=False),
    Column("policies", Text, nullable=False),
    Column("place", String(16), nullable=False),
    Column("method", String(32), nullable=False),
    Column("secret_hash", String(64), nullable=True),
    Column("jwks", Text, nullable=True),
    Column("subject_claim", String(200), nullable=False),
    Column("sealed_salt", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("enabled_at", BigInteger, nullable=True),
    Column("removed_at", BigInteger, nullable=True),
)

sign_ins = Table(
    "bridge_sign_ins",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("client_id", String(43), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("state", Text, nullable=True),
    Column("nonce", Text, nullable=True),
    Column("code_challenge", String(43), nullable=True),
    Column("request_id", String(64), nullable=False),
    Column("browser_hash", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("code_hash", String(64), nullable=True, unique=True),
    Column("code_expires_at", BigInteger, nullable=True),
    Column("ended_at", BigInteger, nullable=True),
    Index("bridge_sign_ins_by_end", "expires_at"),
)

assertions = Table(
    "bridge_assertions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)


class Client(Struct, frozen=True, kw_only=True):
    """A website that may let people sign in here.

    Attributes:
        id: its ``client_id``.
        name: what people call it, in English and in French.
        redirect_uris: where answers may go, character by character.
        policies: what it may ask; each is a scope.
        place: place of use; empty takes the installation's.
        method: ``client_secret``, ``private_key_jwt`` or ``none``.
        secret_hash: SHA-256 of its secret; None where it has none.
        jwks: its keys by ``kid``; empty where it has none.
        subject_claim: the claim that its ``sub`` is made of; empty for a new one at each sign-in.
        sealed_salt: sealed 32 bytes that make ``sub`` its own.
        is_enabled: False after a restore, until the operator renews it.
        is_removed: it can do nothing any more.
    """

    id: str
    name: Mapping[str, str]
    redirect_uris: tuple[str, ...]
    policies: tuple[str, ...]
    place: str
    method: str
    secret_hash: str | None
    jwks: Mapping[str, Jwk]
    subject_claim: str
    sealed_salt: bytes
    is_enabled: bool = True
    is_removed: bool = False


class SignIn(Struct, frozen=True, kw_only=True):
    """One sign-in, from the website's request to its token. Instants are UTC, to the second.

    Attributes:
        id: names it in the addresses of its pages.
        client_id: the website.
        redirect_uri: where the answer goes.
        policy: what is asked.
        state: the website's own, returned as it is.
        nonce: goes into the ID token.
        code_challenge: what the code is bound to; None where the website sent none.
        request_id: the presentation request that counts; another one takes its place when the person asks again.
        browser_hash: SHA-256 of the secret in the browser that began.
        expires_at: from then on it leads nowhere.
        code_hash: SHA-256 of the code that was given.
        code_expires_at: until when that can be redeemed.
        ended_at: when the code was redeemed, or the person left.
    """

    id: str
    client_id: str
    redirect_uri: str
    policy: str
    state: str | None
    nonce: str | None
    code_challenge: str | None
    request_id: str
    browser_hash: str
    expires_at: datetime
    code_hash: str | None = None
    code_expires_at: datetime | None = None
    ended_at: datetime | None = None


_INSTANTS = ("expires_at", "code_expires_at", "ended_at")

# Built once: to put such a statement together costs several times what SQLite needs to run it.
_FIND_CLIENT = select(clients).where(
    clients.c.id == bindparam("this"), clients.c.enabled_at.is_not(None), clients.c.removed_at.is_(None)
)
_SAVE_SIGN_IN = insert(sign_ins).inline()
_FIND_SIGN_IN = select(sign_ins).where(
    sign_ins.c.id == bindparam("this"), sign_ins.c.browser_hash == bindparam("browser")
)
_OPEN = (
    (sign_ins.c.id == bindparam("this"))
    & sign_ins.c.code_hash.is_(None)
    & sign_ins.c.ended_at.is_(None)
    & (sign_ins.c.expires_at > bindparam("at"))
)
_ASKED = _OPEN & (sign_ins.c.request_id == bindparam("asked"))
_ASK_AGAIN = update(sign_ins).where(_ASKED).values(request_id=bindparam("asked_now"))
_GIVE_CODE = update(sign_ins).where(_ASKED).values(code_hash=bindparam("code"), code_expires_at=bindparam("until"))
_END = update(sign_ins).where(_OPEN).values(ended_at=bindparam("at"))
_WAS_REDEEMED = select(sign_ins.c.id).where(sign_ins.c.code_hash == bindparam("code"), sign_ins.c.ended_at.is_not(None))


# --- websites


def add_client(connection: Connection, client: Client, at: datetime) -> None:
    """Store a website."""
    values = {
        "id": client.id,
        "name_en": client.name["en"],
        "name_fr": client.name["fr"],
        "redirect_uris": _text(list(client.redirect_uris)),
        "policies": _text(list(client.policies)),
        "place": client.place,
        "method": client.method,
        "secret_hash": client.secret_hash,
        "jwks": _text(dict(client.jwks)) if client.jwks else None,
        "subject_claim": client.subject_claim,
        "sealed_salt": client.sealed_salt,
        "created_at": _seconds(at),
        "enabled_at": _seconds(at),
    }
    connection.execute(insert(clients).values(values))


def list_clients(connection: Connection) -> tuple[Client, ...]:
    """Return every website, the removed ones too, the oldest first."""
    found = connection.execute(select(clients).order_by(clients.c.created_at, clients.c.id)).mappings()
    return tuple(_client(row) for row in found)


def find_client(connection: Connection, client_id: str) -> Client | None:
    """Return the website of this name that may do something, or None."""
    found = rows(connection, _FIND_CLIENT, {"this": client_id})
    return _client(found[0]._asdict()) if found else None


def renew_client(connection: Connection, client_id: str, *, secret_hash: str | None, at: datetime) -> bool:
    """Give a website another secret and let it in (again); False when there is none of this name."""
    wanted = (clients.c.id == client_id) & clients.c.removed_at.is_(None)
    values = {"secret_hash": secret_hash, "enabled_at": _seconds(at)}
    return connection.execute(update(clients).where(wanted).values(**values)).rowcount == 1


def remove_client(connection: Connection, client_id: str, at: datetime) -> bool:
    """Take a website's rights for good, with every sign-in that is under way; False when there is none."""
    wanted = (clients.c.id == client_id) & clients.c.removed_at.is_(None)
    values = {"removed_at": _seconds(at), "secret_hash": None, "jwks": None}
    connection.execute(delete(sign_ins).where(sign_ins.c.client_id == client_id))
    return connection.execute(update(clients).where(wanted).values(**values)).rowcount == 1


# --- sign-ins


def save_sign_in(connection: Connection, row: SignIn) -> None:
    """Store what a browser begins."""
    values = {name: getattr(row, name) for name in SignIn.__struct_fields__}
    values.update({name: _seconds(values[name]) for name in _INSTANTS})
    change(connection, _SAVE_SIGN_IN, values)


def find_sign_in(connection: Connection, sign_in_id: str, *, browser_hash: str) -> SignIn | None:
    """Return the sign-in of this name that this browser began, whatever became of it, or None."""
    return _sign_in(rows(connection, _FIND_SIGN_IN, {"this": sign_in_id, "browser": browser_hash}))


def ask_again(connection: Connection, sign_in_id: str, *, before: str, request_id: str, at: datetime) -> bool:
    """Let another request take the place of ``before``; False when that happened meanwhile, or it is over."""
    values = {"this": sign_in_id, "at": _seconds(at), "asked": before, "asked_now": request_id}
    return change(connection, _ASK_AGAIN, values) == 1


def give_code(
    connection: Connection, sign_in_id: str, *, request_id: str, code_hash: str, until: datetime, at: datetime
) -> bool:
    """Give the one code of a sign-in; False when it has one, another request took the place, or it is over."""
    values = {"this": sign_in_id, "at": _seconds(at), "asked": request_id, "code": code_hash, "until": _seconds(until)}
    return change(connection, _GIVE_CODE, values) == 1


def end_sign_in(connection: Connection, sign_in_id: str, at: datetime) -> bool:
    """End a sign-in without a code; False when it is over already."""
    return change(connection, _END, {"this": sign_in_id, "at": _seconds(at)}) == 1


class Redemption(Struct, frozen=True, kw_only=True):
    """A code as it comes to be redeemed, and everything that it was bound to. ``used`` is an assertion's digest."""

    code_hash: str
    client_id: str
    redirect_uri: str
    code_challenge: str | None
    used: tuple[str, datetime] | None = None


class Redeemed(Struct, frozen=True, kw_only=True):
    """What a code was good for. ``sealed_report`` is not stored any more."""

    sign_in: SignIn
    answered_at: datetime
    sealed_report: bytes


def redeem(connection: Connection, wanted: Redemption, at: datetime) -> Redeemed | None:
    """Use up a code, once, and take the report that it stands for: it is erased in the same unit.

    One ``UPDATE … RETURNING`` decides among all who try (RFC 6749 §4.1.2). None, and nothing is changed, for a code
    that is unknown, over, used, or given to another client, for another address, or under another challenge.

    Raises:
        OAuthError: the assertion was used before, or the report was erased meanwhile; the unit is undone.
    """
    challenge = wanted.code_challenge
    asked = {"code": wanted.code_hash, "client": wanted.client_id, "address": wanted.redirect_uri}
    bound = {} if challenge is None else {"challenge": challenge}
    found = _sign_in(rows(connection, _redeeming(has_challenge=bool(bound)), {**asked, **bound, "at": _seconds(at)}))
    if found is None:
        return None
    if wanted.used is not None:
        _use_up(connection, *wanted.used)
    taken = take_report(connection, found.request_id)
    if taken is None:
        raise OAuthError(Code.TOKEN_INVALID, "the code took too long", error=OAuthErrorCode.INVALID_GRANT)
    return Redeemed(sign_in=found, answered_at=taken[0], sealed_report=taken[1])


@cache
def _redeeming(*, has_challenge: bool) -> ReturningUpdate[Any]:
    """Return the statement, by whether the code comes with a verifier; built once each."""
    row = sign_ins.c
    is_bound = (row.client_id == bindparam("client")) & (row.redirect_uri == bindparam("address"))
    # RFC 7636 §4.6; a verifier for a code that was asked without a challenge is refused too (RFC 9700 §2.1.1).
    is_same = row.code_challenge == bindparam("challenge") if has_challenge else row.code_challenge.is_(None)
    is_good = (row.code_hash == bindparam("code")) & row.ended_at.is_(None) & (row.code_expires_at > bindparam("at"))
    return update(sign_ins).where(is_good & is_bound & is_same).values(ended_at=bindparam("at")).returning(*row)


def was_redeemed(connection: Connection, code_hash: str) -> bool:
    """Say whether this code was given and used; False for one that nobody was given."""
    return bool(rows(connection, _WAS_REDEEMED, {"code": code_hash}))


def erase_sign_ins(connection: Connection, *, ended_before: datetime, at: datetime) -> int:
    """Erase sign-ins whose time ended before the first instant, and assertions that are over at the second.

    Requests that they led to and that nobody answered go as well; answered ones stay with verdict and codes.
    """
    erased = connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= _seconds(ended_before))).rowcount
    erased += drop_unanswered(connection, party_prefix=PARTY, expired_before=ended_before - LONGEST)
    return erased + connection.execute(delete(assertions).where(assertions.c.expires_at <= _seconds(at))).rowcount


def _use_up(connection: Connection, digest: str, until: datetime) -> None:
    values = {"digest": digest, "expires_at": _seconds(until)}
    if change(connection, _using_up(connection.dialect.name), values) != 1:
        raise client_assertion.refuse_replay()


@cache
def _using_up(dialect: str) -> UpdateBase:
    return insert_on(assertions, dialect).on_conflict_do_nothing().inline()


def _client(row: Mapping[Any, Any]) -> Client:
    return Client(
        id=row["id"],
        name={"en": row["name_en"], "fr": row["name_fr"]},
        redirect_uris=tuple(strict_json.parse(row["redirect_uris"])),
        policies=tuple(strict_json.parse(row["policies"])),
        place=row["place"],
        method=row["method"],
        secret_hash=row["secret_hash"],
        jwks=strict_json.parse_object(row["jwks"]) if row["jwks"] else {},
        subject_claim=row["subject_claim"],
        sealed_salt=row["sealed_salt"],
        is_enabled=row["enabled_at"] is not None,
        is_removed=row["removed_at"] is not None,
    )


def _sign_in(found: Sequence[Any]) -> SignIn | None:
    if not found:
        return None
    values = found[0]._asdict()
    values.update({name: _instant(values[name]) for name in _INSTANTS})
    return SignIn(**values)


def _text(value: Any) -> str:
    return strict_json.serialise(value).decode()


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
