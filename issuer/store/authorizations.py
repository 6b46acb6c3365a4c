"""Authorizations: one row from the pushed request to the last refresh token that came of it.

What changes an authorization is one ``UPDATE … RETURNING`` that names the state it must be in, so that of any number of
callers exactly one succeeds. Codes, request names and tokens are stored as hashes.
"""

from enum import StrEnum

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from comity.credential import Status
from issuer.store.offers import OfferState
from issuer.store.tables import authorizations, credentials, issuances, offers, refresh_tokens

MOST_PUSHED = 10_000
"""Requests to one authority that wait for their browsers at one time."""


class State(StrEnum):
    """Where an authorization stands."""

    PUSHED = "pushed"
    BEGUN = "begun"
    SIGNED_IN = "signed_in"
    GRANTED = "granted"
    REDEEMED = "redeemed"
    REFUSED = "refused"
    REVOKED = "revoked"


class Authorization(Struct, frozen=True, kw_only=True):
    """One stored authorization.

    Attributes:
        id: 128 random bits.
        authority: whom the wallet asks.
        client_id: the wallet.
        client_key: thumbprint of its instance key; None for one that has none.
        state: where it stands.
        request_hash: hash of the name under which the request was pushed.
        request: the request, as :func:`comity.openid.authorization.kept` wrote it.
        configuration_ids: what is asked for.
        identified_ids: those asked for by ``authorization_details``, which get a credential identifier.
        offer_id: the offer that the code gives a token for: a clerk's, or one made under this authorization's own id.
        dpop_key: thumbprint of the key that the code is bound to; None for none.
        record_reference: the file of the person who signed in; None until then.
        created_at: Unix seconds.
        expires_at: end of the state it is in.
    """

    id: str
    authority: str
    client_id: str
    state: State
    request_hash: str
    request: str
    configuration_ids: tuple[str, ...]
    identified_ids: tuple[str, ...]
    offer_id: str
    client_key: str | None
    dpop_key: str | None
    record_reference: str | None
    created_at: int
    expires_at: int

    @property
    def is_offered(self) -> bool:
        """Whether it answers a clerk's offer."""
        return self.offer_id != self.id


def save(connection: Connection, found: Authorization) -> None:
    """Store a pushed request."""
    connection.execute(
        insert(authorizations).values(
            id=found.id,
            authority=found.authority,
            client_id=found.client_id,
            state=found.state.value,
            request_hash=found.request_hash,
            request=found.request,
            configuration_ids=" ".join(found.configuration_ids),
            identified_ids=" ".join(found.identified_ids),
            offer_id=found.offer_id,
            client_key=found.client_key,
            dpop_key=found.dpop_key,
            created_at=found.created_at,
            expires_at=found.expires_at,
        )
    )


def has_room(connection: Connection, *, authority: str, now: int, until: int) -> bool:
    """Say whether fewer than :data:`MOST_PUSHED` requests to an authority wait for a browser; they end by ``until``.

    Anybody may push, and each request is a row until its end: a flood of them must not fill the disk (catalogue Q06).
    """
    waiting = select(authorizations.c.id).where(
        authorizations.c.expires_at > now,
        authorizations.c.expires_at <= until,
        authorizations.c.authority == authority,
        authorizations.c.state == State.PUSHED.value,
    )
    return connection.execute(waiting.offset(MOST_PUSHED - 1).limit(1)).first() is None


def find(connection: Connection, authorization_id: str) -> Authorization | None:
    """Return an authorization, in whatever state."""
    return _one(connection, authorizations.c.id == authorization_id)


def by_code(connection: Connection, authority: str, code_hash: str) -> Authorization | None:
    """Return the authorization that a code belongs to, in whatever state."""
    return _one(connection, authorizations.c.code_hash == code_hash, authorizations.c.authority == authority)


def begin(
    connection: Connection,
    *,
    authority: str,
    client_id: str,
    request_hash: str,
    browser_hash: str,
    expires_at: int,
    now: int,
) -> Authorization | None:
    """Take a pushed request, once, for one browser; None when it is not there, over, taken, or another client's."""
    return _change(
        connection,
        authorizations.c.request_hash == request_hash,
        authorizations.c.authority == authority,
        authorizations.c.client_id == client_id,
        before=State.PUSHED,
        now=now,
        values={"state": State.BEGUN.value, "browser_hash": browser_hash, "expires_at": expires_at},
    )


def of_browser(connection: Connection, authorization_id: str, *, browser_hash: str, now: int) -> Authorization | None:
    """Return an authorization that a browser is in the middle of."""
    states = [each.value for each in (State.BEGUN, State.SIGNED_IN)]
    return _one(
        connection,
        authorizations.c.id == authorization_id,
        authorizations.c.browser_hash == browser_hash,
        authorizations.c.state.in_(states),
        authorizations.c.expires_at > now,
    )


def sign_in(
    connection: Connection, authorization_id: str, *, browser_hash: str, record_reference: str, now: int
) -> Authorization | None:
    """Note who signed in, once; None when this browser is not being asked."""
    return _change(
        connection,
        authorizations.c.id == authorization_id,
        authorizations.c.browser_hash == browser_hash,
        before=State.BEGUN,
        now=now,
        values={"state": State.SIGNED_IN.value, "record_reference": record_reference},
    )


def grant(
    connection: Connection, authorization_id: str, *, browser_hash: str, code_hash: str, expires_at: int, now: int
) -> Authorization | None:
    """Give the code, once; None when nobody signed in here or it is over."""
    return _change(
        connection,
        authorizations.c.id == authorization_id,
        authorizations.c.browser_hash == browser_hash,
        before=State.SIGNED_IN,
        now=now,
        values={"state": State.GRANTED.value, "code_hash": code_hash, "expires_at": expires_at, "browser_hash": None},
    )


def refuse(connection: Connection, authorization_id: str, *, browser_hash: str) -> bool:
    """End an authorization without a code; False when it was over already."""
    changed = connection.execute(
        update(authorizations)
        .where(
            authorizations.c.id == authorization_id,
            authorizations.c.browser_hash == browser_hash,
            authorizations.c.state.in_([State.BEGUN.value, State.SIGNED_IN.value]),
        )
        .values(state=State.REFUSED.value, browser_hash=None)
    )
    return changed.rowcount == 1


def redeem(connection: Connection, authorization_id: str, *, dpop_key: str | None, expires_at: int, now: int) -> bool:
    """Use the code up: of any number of callers one is told True. The family lives until ``expires_at``."""
    found = _change(
        connection,
        authorizations.c.id == authorization_id,
        before=State.GRANTED,
        now=now,
        values={"state": State.REDEEMED.value, "dpop_key": dpop_key, "expires_at": expires_at},
    )
    return found is not None


def revoke(connection: Connection, authorization_id: str, *, now: int) -> bool:
    """End everything that came of an authorization: access tokens, refresh tokens, claims. False when it was over."""
    changed = connection.execute(
        update(authorizations)
        .where(authorizations.c.id == authorization_id, authorizations.c.state == State.REDEEMED.value)
        .values(state=State.REVOKED.value)
    )
    connection.execute(
        update(offers)
        .where(offers.c.authorization_id == authorization_id, offers.c.state == OfferState.REDEEMED.value)
        .values(state=OfferState.CANCELLED.value, token_hash=None, sealed_claims=None)
    )
    connection.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.authorization_id == authorization_id, refresh_tokens.c.used_at.is_(None))
        .values(used_at=now)
    )
    return changed.rowcount == 1


# --- refresh tokens


def add_refresh_token(connection: Connection, token_hash: str, authorization_id: str, *, expires_at: int) -> None:
    """Store a refresh token."""
    values = {"token_hash": token_hash, "authorization_id": authorization_id, "expires_at": expires_at}
    connection.execute(insert(refresh_tokens).values(values))


def of_refresh_token(
    connection: Connection, *, authority: str, token_hash: str, now: int
) -> tuple[Authorization, bool] | None:
    """Return the living authorization that a refresh token belongs to, and whether it was used before."""
    row = connection.execute(
        select(authorizations, refresh_tokens.c.used_at)
        .join(refresh_tokens, refresh_tokens.c.authorization_id == authorizations.c.id)
        .where(
            refresh_tokens.c.token_hash == token_hash,
            refresh_tokens.c.expires_at > now,
            authorizations.c.authority == authority,
            authorizations.c.state == State.REDEEMED.value,
        )
    ).one_or_none()
    return None if row is None else (_authorization(row), row.used_at is not None)


def use_refresh_token(connection: Connection, token_hash: str, *, authorization_id: str, now: int) -> bool:
    """Use a refresh token up: of any number of callers one is told True, and none when all was revoked meanwhile."""
    # The authorization's row is locked first, so that a revocation sees everything that is given, or comes before it.
    living = connection.execute(
        update(authorizations)
        .where(authorizations.c.id == authorization_id, authorizations.c.state == State.REDEEMED.value)
        .values(state=State.REDEEMED.value)
    )
    if living.rowcount != 1:
        return False
    changed = connection.execute(
        update(refresh_tokens)
        .where(
            refresh_tokens.c.token_hash == token_hash,
            refresh_tokens.c.used_at.is_(None),
            refresh_tokens.c.expires_at > now,
        )
        .values(used_at=now)
    )
    return changed.rowcount == 1


def statuses(connection: Connection, authorization_id: str) -> frozenset[Status]:
    """Return how the credentials stand that came of an authorization."""
    found = connection.execute(
        select(credentials.c.status)
        .distinct()
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .join(offers, offers.c.id == issuances.c.offer_id)
        .where(offers.c.authorization_id == authorization_id)
    ).scalars()
    return frozenset(Status(value) for value in found)


def forget_due(connection: Connection, *, now: int) -> None:
    """Delete authorizations and refresh tokens that have ended."""
    for table in (authorizations, refresh_tokens):
        connection.execute(delete(table).where(table.c.expires_at <= now))


def _one(connection: Connection, *conditions: ColumnElement[bool]) -> Authorization | None:
    row = connection.execute(select(authorizations).where(*conditions)).one_or_none()
    return None if row is None else _authorization(row)


def _change(
    connection: Connection, *conditions: ColumnElement[bool], before: State, now: int, values: dict[str, object]
) -> Authorization | None:
    row = connection.execute(
        update(authorizations)
        .where(*conditions, authorizations.c.state == before.value, authorizations.c.expires_at > now)
        .values(values)
        .returning(authorizations)
    ).one_or_none()
    return None if row is None else _authorization(row)


def _authorization(row: "Row[tuple[object, ...]]") -> Authorization:
    return Authorization(
        id=row.id,
        authority=row.authority,
        client_id=row.client_id,
        state=State(row.state),
        request_hash=row.request_hash,
        request=row.request,
        configuration_ids=tuple(row.configuration_ids.split(" ")),
        identified_ids=tuple(row.identified_ids.split()),
        offer_id=row.offer_id,
        client_key=row.client_key,
        dpop_key=row.dpop_key,
        record_reference=row.record_reference,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
