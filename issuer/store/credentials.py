"""Issued credentials as an issuer remembers them: where their status stands, and how its own clerks find them."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from sqlalchemy import (
    CompoundSelect,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    union_all,
    update,
)

from comity import base64url
from comity.credential import CredentialType, Format, Status
from comity.errors import Code, Conflict
from comity.runtime.written import change
from issuer.store import status_lists
from issuer.store.insert import insert_if_absent
from issuer.store.offers import Offer, of_row
from issuer.store.open_lists import OpenLists
from issuer.store.tables import credentials, issuances, nonces, offers
from issuer.store.tables import status_lists as lists

_ATTEMPTS = 64
"""Draws of a free index before giving up; a list closes long before it is so full that this could happen."""


class Slot(Struct, frozen=True, kw_only=True):
    """One credential that is about to be signed, recorded before the signature exists."""

    credential_id: str
    list_number: int
    index: int


class Reservation(Struct, frozen=True, kw_only=True):
    """What :func:`reserve` answers.

    Attributes:
        issuance_id: what :func:`mark_delivered` wants.
        notification_id: told to the wallet.
        issued_at: Unix seconds of the first reservation, the same on a repeated request.
        slots: one for each holder key, in the order asked for.
        is_new: False on a repeated request.
    """

    issuance_id: str
    notification_id: str
    issued_at: int
    slots: tuple[Slot, ...]
    is_new: bool


class IssuedCredential(Struct, frozen=True, kw_only=True):
    """The record of one credential: no claims, no holder key, no signature."""

    id: str
    authority: str
    type: CredentialType
    format: Format
    list_number: int
    index: int
    status: Status
    status_reason: str | None
    status_changed_at: int | None
    record_reference: str | None
    issued_at: int
    valid_until: int


# Built once: to put such a statement together costs several times what SQLite needs to run it.
_EARLIER = select(issuances).where(
    issuances.c.offer_id == bindparam("offer"), issuances.c.configuration_id == bindparam("configuration")
)
_MARK_DELIVERED = (
    update(issuances)
    .where(issuances.c.id == bindparam("this"), issuances.c.delivered_at.is_(None))
    .values(delivered_at=bindparam("at"))
)


def reserve(
    connection: Connection,
    offer: Offer,
    *,
    configuration_id: str,
    credential_format: Format,
    holder_digests: Sequence[str],
    nonce_digests: Mapping[str, int],
    signed_by: str,
    open_lists: OpenLists,
    now: int,
) -> Reservation:
    """Record the intent to sign one credential for each holder digest, each at its own random free index.

    The caller has locked the offer (``offers.by_token(for_update=True)``) in this transaction. A repetition with the
    same holder keys gets the same records again and consumes nothing anew. ``signed_by`` is the thumbprint of the key
    that is to sign; a repetition does not change it, for the first answer may have left.

    Raises:
        Conflict: ``nonce_invalid`` when a nonce was used before; ``code_already_used`` when this configuration was
            issued to other keys; ``status_lists_full``.
    """
    issuance_id, notification_id = new_id(), new_id()
    intent = {
        "id": issuance_id,
        "offer_id": offer.id,
        "configuration_id": configuration_id,
        "notification_id": notification_id,
        "created_at": now,
        "signed_by": signed_by,
    }
    is_first = insert_if_absent(connection, issuances, intent)
    fresh = [
        insert_if_absent(connection, nonces, {"digest": digest, "expires_at": expires_at})
        for digest, expires_at in nonce_digests.items()
    ]
    if not is_first:
        wanted = {"offer": offer.id, "configuration": configuration_id}
        return _again(connection, connection.execute(_EARLIER, wanted).one(), holder_digests)
    if not all(fresh):
        raise Conflict(Code.NONCE_INVALID, "the nonce of the key proof was used before")
    records = _intents(offer, issuance_id, credential_format=credential_format, holder_digests=holder_digests, now=now)
    slots = _place(connection, offer.authority, records, open_lists, now=now)
    return Reservation(
        issuance_id=issuance_id, notification_id=notification_id, issued_at=now, slots=slots, is_new=True
    )


def _intents(
    offer: Offer, issuance_id: str, *, credential_format: Format, holder_digests: Sequence[str], now: int
) -> list[dict[str, object]]:
    """Return the records to be placed, one for each holder key."""
    return [
        {
            "id": new_id(),
            "issuance_id": issuance_id,
            "position": position,
            "authority": offer.authority,
            "type_slug": offer.type.slug,
            "type_version": offer.type.version,
            "format": credential_format.value,
            "status": Status.VALID.value,
            "holder_digest": digest,
            "record_reference": offer.record_reference,
            "number_index": offer.number_index,
            "name_index": offer.name_index,
            "issued_at": now,
            "valid_until": offer.credential_valid_until,
        }
        for position, digest in enumerate(holder_digests)
    ]


def _again(connection: Connection, earlier: "Row[tuple[object, ...]]", holder_digests: Sequence[str]) -> Reservation:
    """Return the reservation made before, if the same keys ask again."""
    rows = connection.execute(
        select(credentials.c.id, credentials.c.holder_digest, credentials.c.status_index, lists.c.number)
        .join(lists, lists.c.id == credentials.c.list_id)
        .where(credentials.c.issuance_id == earlier.id)
    )
    slots = {
        row.holder_digest: Slot(credential_id=row.id, list_number=row.number, index=row.status_index) for row in rows
    }
    if set(slots) != set(holder_digests):
        raise Conflict(Code.CODE_ALREADY_USED, "this credential was issued already, to other keys")
    return Reservation(
        issuance_id=earlier.id,
        notification_id=earlier.notification_id,
        issued_at=earlier.created_at,
        slots=tuple(slots[digest] for digest in holder_digests),
        is_new=False,
    )


def _place(
    connection: Connection, authority: str, records: Sequence[Mapping[str, object]], open_lists: OpenLists, *, now: int
) -> tuple[Slot, ...]:
    """Insert each record at a random free index of a random open list."""
    choices = open_lists.of(connection, authority, now=now)
    taken: dict[int, int] = {}
    slots = []
    for record in records:
        chosen, index = _insert_at_random(connection, choices, record)
        taken[chosen.id] = taken.get(chosen.id, 0) + 1
        slots.append(Slot(credential_id=str(record["id"]), list_number=chosen.number, index=index))
    for list_id in sorted(taken):  # one order for all, so that two transactions never wait for each other
        if not status_lists.count(connection, list_id, taken[list_id]):
            open_lists.forget(authority)
    return tuple(slots)


def _insert_at_random(
    connection: Connection, choices: Sequence[status_lists.OpenList], record: Mapping[str, object]
) -> tuple[status_lists.OpenList, int]:
    for _ in range(_ATTEMPTS):
        chosen = secrets.choice(choices)
        index = secrets.randbelow(chosen.size)
        if insert_if_absent(connection, credentials, {**record, "list_id": chosen.id, "status_index": index}):
            return chosen, index
    raise Conflict(Code.STATUS_LISTS_FULL, "no status list has room; try again in a moment")


def mark_delivered(connection: Connection, issuance_id: str, *, now: int) -> bool:
    """Note that the signed credentials left; the first time counts, and False is said at every other."""
    return change(connection, _MARK_DELIVERED, {"this": issuance_id, "at": now}) == 1


class Noted(StrEnum):
    """What came of a notification."""

    NEW = "new"
    KNOWN_ALREADY = "known_already"
    UNKNOWN = "unknown"


def note_event(connection: Connection, offer_id: str, notification_id: str, event: str) -> Noted:
    """Keep what the wallet said became of an issuance of this offer, or of one that renews it."""
    this = (issuances.c.notification_id == notification_id) & issuances.c.offer_id.in_(family(offer_id))
    is_other = issuances.c.event.is_(None) | (issuances.c.event != event)
    if connection.execute(update(issuances).where(this, is_other).values(event=event)).rowcount == 1:
        return Noted.NEW
    known = connection.execute(select(issuances.c.id).where(this)).one_or_none()
    return Noted.UNKNOWN if known is None else Noted.KNOWN_ALREADY


def set_status(
    connection: Connection,
    credential_id: str,
    status: Status,
    *,
    allowed_from: Collection[Status],
    reason: str,
    now: int,
) -> bool:
    """Change the status by one statement if it stands at one of ``allowed_from``, and mark the list to be published.

    Returns False when nothing was changed.
    """
    row = connection.execute(
        update(credentials)
        .where(credentials.c.id == credential_id, credentials.c.status.in_([each.value for each in allowed_from]))
        .values(status=status.value, status_reason=reason, status_changed_at=now)
        .returning(credentials.c.list_id)
    ).one_or_none()
    if row is None:
        return False
    status_lists.mark_changed(connection, row.list_id)
    return True


def copies_of(connection: Connection, credential_id: str) -> tuple[str, ...]:
    """Return the ids of all copies of a credential, itself among them: of one offer or sign-in, and one format."""
    own = (
        select(func.coalesce(offers.c.renews, offers.c.id), issuances.c.configuration_id)
        .join(issuances, issuances.c.offer_id == offers.c.id)
        .join(credentials, credentials.c.issuance_id == issuances.c.id)
        .where(credentials.c.id == credential_id)
    )
    found = connection.execute(own).one_or_none()
    if found is None:
        return ()
    first, configuration_id = found
    same = issuances.c.offer_id.in_(family(first)) & (issuances.c.configuration_id == configuration_id)
    rows = connection.execute(
        select(credentials.c.id)
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .where(same)
        .order_by(credentials.c.list_id, credentials.c.id)  # so that two transactions never wait for each other's lists
    )
    return tuple(rows.scalars())


def statuses_of_family(connection: Connection, offer_id: str) -> tuple[Status, ...]:
    """Return how everything stands that came of an offer and its renewals."""
    rows = connection.execute(
        select(credentials.c.status)
        .join(issuances, issuances.c.id == credentials.c.issuance_id)
        .where(issuances.c.offer_id.in_(family(offer_id)))
    )
    return tuple(Status(value) for value in rows.scalars())


def renewal_of(
    connection: Connection, offer_id: str, configuration_id: str, digests: Sequence[str], *, now: int
) -> Offer | None:
    """Return the renewal of an offer whose records are for these keys; None when there is none yet."""
    row = connection.execute(
        select(offers)
        .join(issuances, issuances.c.offer_id == offers.c.id)
        .join(credentials, credentials.c.issuance_id == issuances.c.id)
        .where(
            offers.c.renews == offer_id,
            offers.c.erase_at > now,
            issuances.c.configuration_id == configuration_id,
            credentials.c.holder_digest == digests[0],
        )
    ).first()
    return None if row is None else of_row(row)


def family(offer_id: str) -> "CompoundSelect[tuple[str]]":
    """An offer, what renews it, and what else the same sign-in gave: by its refresh tokens, and renewals of that.

    Three searches and not one with OR, for which PostgreSQL reads every offer there ever was.
    """
    sign_in = select(offers.c.authorization_id).where(offers.c.id == offer_id).scalar_subquery()
    same = (offers.c.id == offer_id, offers.c.renews == offer_id, offers.c.authorization_id == sign_in)
    return union_all(*(select(offers.c.id).where(each) for each in same))


def find(connection: Connection, credential_id: str) -> IssuedCredential | None:
    """Return one record."""
    row = connection.execute(_records().where(credentials.c.id == credential_id)).one_or_none()
    return None if row is None else _record(row)


def search(
    connection: Connection,
    authority: str,
    *,
    record_reference: str | None = None,
    number_index: str | None = None,
    name_index: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int,
) -> tuple[IssuedCredential, ...]:
    """Return the records of one authority that match everything given, newest first.

    ``after`` is instant of issue and id of the last record of the page before.
    """
    statement = _records().where(credentials.c.authority == authority)
    for column, value in (
        (credentials.c.record_reference, record_reference),
        (credentials.c.number_index, number_index),
        (credentials.c.name_index, name_index),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        same_instant = and_(credentials.c.issued_at == after[0], credentials.c.id > after[1])
        statement = statement.where(or_(credentials.c.issued_at < after[0], same_instant))
    ordered = statement.order_by(credentials.c.issued_at.desc(), credentials.c.id).limit(limit)
    return tuple(_record(row) for row in connection.execute(ordered))


def of_offer(connection: Connection, offer_id: str) -> tuple[IssuedCredential, ...]:
    """Return the records that came of one offer and its renewals."""
    statement = _records().join(issuances, issuances.c.id == credentials.c.issuance_id)
    ordered = statement.where(issuances.c.offer_id.in_(family(offer_id))).order_by(
        credentials.c.format, credentials.c.position
    )
    return tuple(_record(row) for row in connection.execute(ordered))


def new_id() -> str:
    """Return 128 random bits as 22 characters."""
    return base64url.encode(secrets.token_bytes(16))


def _records() -> "Select[tuple[object, ...]]":
    return select(credentials, lists.c.number).join(lists, lists.c.id == credentials.c.list_id)


def _record(row: "Row[tuple[object, ...]]") -> IssuedCredential:
    return IssuedCredential(
        id=row.id,
        authority=row.authority,
        type=CredentialType(slug=row.type_slug, version=row.type_version),
        format=Format(row.format),
        list_number=row.number,
        index=row.status_index,
        status=Status(row.status),
        status_reason=row.status_reason,
        status_changed_at=row.status_changed_at,
        record_reference=row.record_reference,
        issued_at=row.issued_at,
        valid_until=row.valid_until,
    )
