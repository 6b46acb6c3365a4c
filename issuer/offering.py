"""Offering: a clerk's wish becomes an offer that a wallet can fetch, and records can be found again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from comity.credential import CredentialType, Format
from comity.errors import Code, Malformed, NotFound
from comity.openid.issuance.offer import (
    AuthorizationCodeGrant,
    CredentialOffer,
    OfferReference,
    PreAuthorizedGrant,
    TransactionCode,
)
from comity.record import Discreet
from issuer import catalog, fields
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.secrecy import hashed, no_code
from issuer.store import Connection, audit, authorizations, credentials, offers
from issuer.store.credentials import IssuedCredential
from issuer.store.offers import Decision, Offer, OfferState

_TRANSACTION_CODE_LENGTH = 6


class Wanted(Discreet, frozen=True, kw_only=True):
    """What a clerk wants to offer.

    Attributes:
        authority: path of the authority.
        type_name: ``person/1`` or ``person``.
        claims: about the subject; None to ask the authority's source by ``record_reference``.
        record_reference: the authority's own file number.
        valid_until: end of validity; None for the type's rule.
        formats: in which formats.
        transaction_code: whether a code is told to the person apart from the offer.
        by_sign_in: the person signs in instead of using a code, and the claims are those of that person's file.
        batch_size: most copies of each; None for the most there is.
        is_for_later: collected in the next days, not at the counter; such an offer always asks for a code.
        decide_later: whether the credential waits for an approval after the wallet asked for it.
    """

    UNPRINTED = frozenset({"claims"})
    authority: str
    type_name: str
    claims: Mapping[str, Any] | None = None
    record_reference: str | None = None
    valid_until: datetime | None = None
    formats: tuple[Format, ...] = (Format.DC_SD_JWT,)
    transaction_code: bool = True
    batch_size: int | None = None
    by_sign_in: bool = False
    is_for_later: bool = False
    decide_later: bool = False


class CreatedOffer(Discreet, frozen=True, kw_only=True):
    """An offer and the code that only this answer ever holds."""

    UNPRINTED = frozenset({"transaction_code"})
    offer: Offer
    transaction_code: str | None


async def create_offer(deployment: Deployment, wanted: Wanted, *, actor: str) -> CreatedOffer:
    """Store an offer: claims sealed, codes hashed.

    Raises:
        NotFound, Malformed, Unreachable: as for :func:`prepare_offer`.
    """
    prepared = await prepare_offer(deployment, wanted)

    def save(connection: Connection) -> None:
        save_offer(connection, prepared.offer, actor=actor)

    await deployment.database.write(save)
    return prepared


def save_offer(connection: Connection, offer: Offer, *, actor: str) -> None:
    """Store a prepared offer, and the line of the audit log that tells of it."""
    offers.save(connection, offer)
    audit.record(connection, event(offer, "offer_created", actor=actor, at=offer.created_at))


async def prepare_offer(deployment: Deployment, wanted: Wanted) -> CreatedOffer:
    """Return an offer that :func:`save_offer` can store, perhaps together with something else.

    Raises:
        NotFound: ``authority_unknown``, ``credential_type_unknown``, or the record is not known.
        Malformed: ``claims_invalid``.
        Unreachable: the authority's own system does not answer.
    """
    authority = deployment.authority(wanted.authority)
    credential_type = catalog.find_type(authority, wanted.type_name)
    if wanted.by_sign_in:
        return _prepare_for_sign_in(deployment, authority, credential_type, wanted)
    claims = await _claims(deployment, wanted, credential_type.slug)
    catalog.check_claims(credential_type, claims)
    now = deployment.now()
    at = datetime.fromtimestamp(now, tz=UTC)
    if fields.unborn(claims, at.date()):
        raise Malformed(Code.CLAIMS_INVALID, "the claims do not fit the type: birthdate: future")
    ends_at = catalog.end_of_validity(credential_type, claims, wanted.valid_until, at)
    secrecy, offer_id = deployment.secrecy, credentials.new_id()
    code_hash = hashed(secrecy.code_of(offer_id))
    asks = wanted.transaction_code or wanted.is_for_later
    transaction_code = transaction_code_of(deployment, offer_id) if asks else None
    limits = deployment.limits
    ends = now + (limits.long_offer_seconds if wanted.is_for_later else limits.offer_seconds)
    number, name = catalog.number_of(credential_type, claims), catalog.name_of(credential_type, claims)
    offer = Offer(
        id=offer_id,
        authority=authority.path,
        type=credential_type,
        configuration_ids=_configurations(deployment, authority, credential_type, wanted.formats),
        batch_size=min(wanted.batch_size or limits.batch_size, limits.batch_size),
        state=OfferState.OPEN,
        code_hash=code_hash,
        transaction_code_hash=secrecy.transaction_code_hash(code_hash, transaction_code) if transaction_code else None,
        sealed_claims=secrecy.seal(claims, offer_id),
        erase_at=ends,
        record_reference=wanted.record_reference,
        number_index=secrecy.number_index(authority.path, number) if number else None,
        name_index=secrecy.name_index(authority.path, name) if name else None,
        credential_valid_until=int(ends_at.timestamp()),
        created_at=now,
        expires_at=ends,
        decision=Decision.WAITING if wanted.decide_later else None,
    )
    return CreatedOffer(offer=offer, transaction_code=transaction_code)


def _prepare_for_sign_in(
    deployment: Deployment, authority: Authority, credential_type: CredentialType, wanted: Wanted
) -> CreatedOffer:
    """Return an offer that holds no claims: whoever takes it signs in, and gets what that person's file says.

    With ``record_reference`` only the person of that file can take it.
    """
    if wanted.decide_later:  # a refresh token would give what nobody decided about
        raise Malformed(Code.REQUEST_INVALID, "what is had by signing in cannot wait for a decision")
    if wanted.claims is not None or not deployment.can_sign_in(authority):
        raise Malformed(
            Code.CLAIMS_INVALID, "who signs in brings the claims; this authority must have a source of them"
        )
    now, offer_id = deployment.now(), credentials.new_id()
    ends_at = catalog.end_of_validity(credential_type, {}, wanted.valid_until, datetime.fromtimestamp(now, tz=UTC))
    offer = Offer(
        id=offer_id,
        authority=authority.path,
        type=credential_type,
        configuration_ids=_configurations(deployment, authority, credential_type, wanted.formats),
        batch_size=deployment.limits.batch_size,
        state=OfferState.OPEN,
        code_hash=no_code(),
        transaction_code_hash=None,
        sealed_claims=None,
        erase_at=now + deployment.limits.offer_seconds,
        record_reference=wanted.record_reference,
        number_index=None,
        name_index=None,
        credential_valid_until=int(ends_at.timestamp()),
        created_at=now,
        expires_at=now + deployment.limits.offer_seconds,
        by_sign_in=True,
    )
    return CreatedOffer(offer=offer, transaction_code=None)


def _configurations(
    deployment: Deployment, authority: Authority, credential_type: CredentialType, formats: tuple[Format, ...]
) -> tuple[str, ...]:
    return tuple(
        entry.id
        for entry in deployment.catalogs[authority.path].values()
        if entry.type == credential_type and entry.format in formats
    )


def transaction_code_of(deployment: Deployment, offer_id: str) -> str:
    """Return the digits of an offer that asks for some; derived from the deployment's secret and stored nowhere."""
    return deployment.secrecy.transaction_code_of(offer_id, _TRANSACTION_CODE_LENGTH)


async def _claims(deployment: Deployment, wanted: Wanted, type_slug: str) -> Mapping[str, Any]:
    if wanted.claims is not None:
        return wanted.claims
    source = deployment.sources.get(wanted.authority)
    if wanted.record_reference is None or source is None:
        raise Malformed(Code.CLAIMS_INVALID, "claims are needed: this authority has no source to take them from")
    return await source.claims(type_slug, wanted.record_reference)


async def find_offer(deployment: Deployment, offer_id: str) -> Offer:
    """Return an offer as it stands now.

    Raises:
        NotFound: ``offer_unknown``.
    """
    now = deployment.now()
    offer = await deployment.database.read(lambda connection: offers.find(connection, offer_id, now=now))
    if offer is None:
        raise NotFound(Code.OFFER_UNKNOWN, "there is no such offer")
    return offer


async def issued_by(deployment: Deployment, offer: Offer) -> tuple[IssuedCredential, ...]:
    """Return the records of what came of an offer."""
    return await deployment.database.read(lambda connection: credentials.of_offer(connection, offer.id))


async def cancel_offer(deployment: Deployment, offer: Offer, *, actor: str) -> None:
    """Withdraw an offer; its code and tokens die, its claims are erased. Withdrawing again changes nothing.

    Where somebody signed in for it, refresh tokens die too, and what they gave.
    """
    now = deployment.now()

    def withdraw(connection: Connection) -> None:
        if offers.cancel(connection, offer.id):
            if (taken := offers.find(connection, offer.id, now=now)) is not None and taken.authorization_id is not None:
                authorizations.revoke(connection, taken.authorization_id, now=now)
            audit.record(connection, event(offer, "offer_cancelled", actor=actor, at=now))

    await deployment.database.write(withdraw)


def offer_document(deployment: Deployment, offer: Offer) -> CredentialOffer:
    """Return the credential offer that a wallet reads (OpenID4VCI §4.1)."""
    if offer.by_sign_in:
        return CredentialOffer(
            credential_issuer=deployment.authority(offer.authority).issuer_id,
            configuration_ids=offer.configuration_ids,
            authorization_code=AuthorizationCodeGrant(issuer_state=deployment.secrecy.link_of(offer.id, "state")),
        )
    asks = TransactionCode(length=_TRANSACTION_CODE_LENGTH) if offer.transaction_code_hash is not None else None
    return CredentialOffer(
        credential_issuer=deployment.authority(offer.authority).issuer_id,
        configuration_ids=offer.configuration_ids,
        pre_authorized=PreAuthorizedGrant(code=deployment.secrecy.code_of(offer.id), transaction_code=asks),
    )


def offer_reference(deployment: Deployment, offer: Offer) -> OfferReference:
    """Return where a wallet fetches the offer."""
    return OfferReference(
        url=f"{deployment.authority(offer.authority).issuer_id}/offers/{deployment.secrecy.link_of(offer.id)}"
    )


async def open_offer(deployment: Deployment, authority: Authority, link: str) -> CredentialOffer:
    """Return an offer to a wallet, while it can be used.

    Args:
        deployment: this one.
        authority: whose offer the address names.
        link: the last part of the offer's address.

    Raises:
        NotFound: ``offer_unknown``: no such offer of this authority, or over.
    """
    offer_id = deployment.secrecy.offer_of_link(link)
    offer = None if offer_id is None else await find_offer(deployment, offer_id)
    if offer is None or offer.authority != authority.path or offer.state is not OfferState.OPEN:
        raise NotFound(Code.OFFER_UNKNOWN, "there is no such offer, or it is over")
    return offer_document(deployment, offer)


# --- looking up


async def search(
    deployment: Deployment,
    authority: Authority,
    *,
    record_reference: str | None,
    number: str | None,
    name: str | None,
    after: tuple[int, str] | None = None,
    limit: int = 100,
) -> tuple[IssuedCredential, ...]:
    """Return the records of one authority that match a file number, a document number, an exact name, or all given.

    Raises:
        Malformed: nothing was given: nobody lists everybody.
    """
    if record_reference is None and number is None and name is None:
        raise Malformed(Code.REQUEST_INVALID, "give record_reference, number or name")
    secrecy = deployment.secrecy
    return await deployment.database.read(
        lambda connection: credentials.search(
            connection,
            authority.path,
            record_reference=record_reference,
            number_index=None if number is None else secrecy.number_index(authority.path, number),
            name_index=None if name is None else secrecy.name_index(authority.path, name),
            after=after,
            limit=limit,
        )
    )


def event(offer: Offer, action: str, *, actor: str, at: int) -> audit.Event:
    """Return the line of the audit log that tells of an offer."""
    return audit.Event(at=at, actor=actor, action=action, authority=offer.authority, subject=offer.id)
