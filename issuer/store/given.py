"""What a sign-in gives: an offer with the claims of who signed in, and the access token that is good for it."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from issuer.store.offers import Offer, OfferState, columns_of, of_row
from issuer.store.tables import offers


def approve(connection: Connection, offer: Offer, *, is_offered: bool, now: int) -> bool:
    """Lay the claims of the person who agreed ready for the code; False when a clerk's offer is not open any more."""
    if not is_offered:
        connection.execute(insert(offers).values(_columns(offer)))
        return True
    changed = connection.execute(
        update(offers)
        .where(
            offers.c.id == offer.id,
            offers.c.authority == offer.authority,
            offers.c.state == OfferState.OPEN.value,
            offers.c.expires_at > now,
        )
        .values(_columns(offer))
    )
    return changed.rowcount == 1


def approved_of(connection: Connection, authorization_id: str) -> tuple[Offer, ...]:
    """Return what was approved when a person agreed, one offer for each type, and was not withdrawn since."""
    wanted = (offers.c.authorization_id == authorization_id) & (offers.c.state == OfferState.APPROVED.value)
    rows = connection.execute(select(offers).where(wanted).order_by(offers.c.id))
    return tuple(of_row(row) for row in rows)


def give_token(
    connection: Connection,
    offer_id: str,
    *,
    token_hash: str,
    token_key: str | None,
    token_expires_at: int,
    configuration_ids: Sequence[str],
    identified_ids: Sequence[str],
) -> bool:
    """Give an access token for what was approved; False when the offer was withdrawn meanwhile."""
    changed = connection.execute(
        update(offers)
        .where(offers.c.id == offer_id, offers.c.state == OfferState.APPROVED.value)
        .values(
            state=OfferState.REDEEMED.value,
            token_hash=token_hash,
            token_key=token_key,
            token_expires_at=token_expires_at,
            erase_at=token_expires_at,
            configuration_ids=" ".join(configuration_ids),
            identified_ids=" ".join(identified_ids),
        )
    )
    return changed.rowcount == 1


def narrow(connection: Connection, offer_id: str, configuration_ids: Sequence[str]) -> None:
    """Restrict a token to some of what was offered, each with a credential identifier (OpenID4VCI §6.1.1, §6.2)."""
    names = " ".join(configuration_ids)
    connection.execute(
        update(offers).where(offers.c.id == offer_id).values(configuration_ids=names, identified_ids=names)
    )


def save_offer(connection: Connection, offer: Offer, *, token_hash: str) -> None:
    """Store what a refreshed access token is good for."""
    values = _columns(offer) | {
        "token_hash": token_hash,
        "token_key": offer.token_key,
        "token_expires_at": offer.token_expires_at,
    }
    connection.execute(insert(offers).values(values))


def _columns(offer: Offer) -> dict[str, object]:
    """A clerk's offer keeps what only clerks decide: its transaction code and whether somebody decides later."""
    return columns_of(offer) | {"by_sign_in": True, "identified_ids": " ".join(offer.identified_ids)}
