"""The operators' API: offers, look-ups and changes of status, each by role and authority."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from comity.credential import Format
from comity.errors import Code, Malformed
from comity.formats.instants import date_time_stamp, to_date_time_stamp
from comity.openid.code_flow import CODE_GRANT
from comity.web import qr
from comity.web.body import json_object
from comity.web.routes import LateRoute
from issuer import deferring, looking_up, offering, offering_once, revoking
from issuer.api import described, paging
from issuer.api.access import deployment_of, operator_of
from issuer.api.members import Members
from issuer.deployment import Deployment
from issuer.offering import Wanted
from issuer.operators import Right
from issuer.revoking import Change
from issuer.store.credentials import IssuedCredential
from issuer.store.desk import LogFilter
from issuer.store.offers import Decision, Offer, OfferState

router = APIRouter(prefix="/api/v1", route_class=LateRoute)

_SEARCH = frozenset({"authority", "record_reference", "number", "name", "cursor", "limit"})

Verdict = Literal["approve", "deny"]
_DECISIONS: Mapping[str, Decision] = {"approve": Decision.APPROVED, "deny": Decision.DENIED}


@router.post("/offers", status_code=201, **described.CREATE_OFFER)
async def create_offer(request: Request) -> JSONResponse:
    """Create an offer. The answer alone holds the transaction code: tell it to the person apart from the link.

    With an ``Idempotency-Key`` the same call gives the same offer for a day, however often it is sent.
    """
    deployment, operator = deployment_of(request), operator_of(request)
    said = await json_object(request)
    wanted = _wanted(said)
    operator.require(Right.ISSUE, wanted.authority)
    if (key := paging.idempotency_key(request)) is None:
        created = await offering.create_offer(deployment, wanted, actor=operator.name)
    else:
        created = await offering_once.create(deployment, wanted, actor=f"api {operator.name}", key=key, said=said)
    body = _offer(deployment, created.offer, with_link=True)
    if created.transaction_code is not None:
        body["transaction_code"] = created.transaction_code
    return JSONResponse(body, 201)


@router.get("/offers/{offer_id}", **described.SHOW_OFFER)
async def show_offer(request: Request, offer_id: str) -> JSONResponse:
    """Tell how an offer stands and what came of it; its link only to those who may issue, and only while open."""
    deployment, operator = deployment_of(request), operator_of(request)
    offer = await offering.find_offer(deployment, offer_id)
    operator.require(Right.LOOK_UP, offer.authority)
    body = _offer(deployment, offer, with_link=operator.may(Right.ISSUE) and offer.state is OfferState.OPEN)
    issued = await offering.issued_by(deployment, offer)
    return JSONResponse(body | {"credentials": [_credential(deployment, each) for each in issued]})


@router.get("/offers/{offer_id}/qr.png", **described.OFFER_QR)
async def offer_qr(request: Request, offer_id: str) -> Response:
    """Draw the link of an offer; it leads to something while the offer is open."""
    deployment, operator = deployment_of(request), operator_of(request)
    offer = await offering.find_offer(deployment, offer_id)
    operator.require(Right.ISSUE, offer.authority)
    image = await qr.png_async(offering.offer_reference(deployment, offer).link())
    return Response(image, media_type="image/png")


@router.post("/offers/{offer_id}/cancel", **described.CANCEL_OFFER)
async def cancel_offer(request: Request, offer_id: str) -> JSONResponse:
    """Withdraw an offer."""
    deployment, operator = deployment_of(request), operator_of(request)
    offer = await offering.find_offer(deployment, offer_id)
    operator.require(Right.ISSUE, offer.authority)
    await offering.cancel_offer(deployment, offer, actor=operator.name)
    return JSONResponse(_offer(deployment, await offering.find_offer(deployment, offer_id), with_link=False))


@router.post("/offers/{offer_id}/{verdict}", **described.DECIDE)
async def decide(request: Request, offer_id: str, verdict: Verdict) -> JSONResponse:
    """Approve or deny what an offer made with ``decide_later`` waits for; a clerk may offer it, and not decide it."""
    deployment, operator = deployment_of(request), operator_of(request)
    offer = await offering.find_offer(deployment, offer_id)
    operator.require(Right.CHANGE_STATUS, offer.authority)
    await deferring.decide(deployment, offer, _DECISIONS[verdict], actor=operator.name)
    return JSONResponse(_offer(deployment, await offering.find_offer(deployment, offer_id), with_link=False))


@router.post("/credentials/search", **described.SEARCH)
async def search_credentials(request: Request) -> JSONResponse:
    """Find records: ``{authority}`` and one of ``record_reference``, ``number`` and ``name`` (exact, in full).

    A search posts, because what is searched for is personal and URLs are written down by every proxy.
    """
    deployment, operator = deployment_of(request), operator_of(request)
    members = Members(await json_object(request), allowed=_SEARCH)
    path = members.required_text("authority")
    operator.require(Right.LOOK_UP, path)
    found = await offering.search(
        deployment,
        deployment.authority(path),
        record_reference=members.text("record_reference"),
        number=members.text("number"),
        name=members.text("name"),
        after=paging.record_after(members.text("cursor")),
        limit=paging.limit(members.count("limit")) + 1,
    )
    page, more = paging.cut(found, members.count("limit"))
    cursor = {"next_cursor": paging.after_record(page[-1])} if more else {}
    return JSONResponse({"credentials": [_credential(deployment, each) for each in page], **cursor})


@router.get("/credentials/{credential_id}", **described.SHOW_CREDENTIAL)
async def show_credential(request: Request, credential_id: str) -> JSONResponse:
    """Show one record."""
    deployment, operator = deployment_of(request), operator_of(request)
    found = await revoking.find(deployment, credential_id)
    operator.require(Right.LOOK_UP, found.authority)
    return JSONResponse(_credential(deployment, found))


@router.post("/credentials/{credential_id}/{change}", **described.CHANGE_STATUS)
async def change_status(request: Request, credential_id: str, change: Change) -> JSONResponse:
    """Revoke, suspend or reinstate, with a reason for the authority's own file."""
    deployment, operator = deployment_of(request), operator_of(request)
    found = await revoking.find(deployment, credential_id)
    operator.require(Right.CHANGE_STATUS, found.authority)
    reason = Members(await json_object(request), allowed={"reason"}).required_text("reason")
    changed = await revoking.change_status(deployment, found, change, reason=reason, actor=operator.name)
    return JSONResponse(_credential(deployment, changed))


@router.get("/audit", **described.AUDIT)
async def show_audit(
    request: Request, authority: str, cursor: str | None = None, limit: int | None = None
) -> JSONResponse:
    """Show an authority's audit log, the newest lines first; ``cursor`` is the ``next_cursor`` of the page before."""
    deployment, operator = deployment_of(request), operator_of(request)
    operator.require(Right.READ_AUDIT, authority)
    whose = deployment.authority(authority)
    lines = await looking_up.log(
        deployment, whose.path, LogFilter(), before=paging.line_before(cursor), limit=paging.limit(limit) + 1
    )
    page, more = paging.cut(lines, limit)
    told = [
        {
            "at": _time(each.event.at),
            "actor": each.event.actor,
            "action": each.event.action,
            "subject": each.event.subject,
        }
        for each in page
    ]
    return JSONResponse({"events": told, **({"next_cursor": paging.before_line(page[-1])} if more else {})})


# --- reading


def _wanted(body: dict[str, Any]) -> Wanted:
    members = Members(
        body,
        allowed={
            "authority",
            "type",
            "claims",
            "record_reference",
            "valid_until",
            "formats",
            "transaction_code",
            "batch",
            "grant",
            "decide_later",
        },
    )
    return Wanted(
        authority=members.required_text("authority"),
        type_name=members.required_text("type"),
        claims=members.object("claims"),
        record_reference=members.text("record_reference"),
        valid_until=_end(members.text("valid_until")),
        formats=_formats(members.texts("formats")),
        transaction_code=members.flag("transaction_code", default=True),
        batch_size=members.count("batch"),
        by_sign_in=_is_by_sign_in(members.text("grant")),
        decide_later=members.flag("decide_later", default=False),
    )


def _is_by_sign_in(grant: str | None) -> bool:
    if grant not in {None, CODE_GRANT, "pre-authorized_code"}:
        raise Malformed(Code.REQUEST_INVALID, "grant must be pre-authorized_code or authorization_code")
    return grant == CODE_GRANT


def _end(text: str | None) -> datetime | None:
    """Read a day, which then counts to its end, or an instant with a time zone."""
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59), tzinfo=UTC)
    except ValueError:
        return date_time_stamp(text)


def _formats(names: tuple[str, ...] | None) -> tuple[Format, ...]:
    if names is None:
        return (Format.DC_SD_JWT,)
    if not names or not set(names) <= set(Format):
        raise Malformed(Code.REQUEST_INVALID, f"formats must be some of {', '.join(Format)}")
    return tuple(Format(name) for name in dict.fromkeys(names))


# --- showing


def _offer(deployment: Deployment, offer: Offer, *, with_link: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "offer_id": offer.id,
        "authority": offer.authority,
        "type": f"{offer.type.slug}/{offer.type.version}",
        "configuration_ids": list(offer.configuration_ids),
        "batch": offer.batch_size,
        "record_reference": offer.record_reference,
        "state": offer.state.value,
        "grant": CODE_GRANT if offer.by_sign_in else "pre-authorized_code",
        "decision": None if offer.decision is None else offer.decision.value,
        "created_at": _time(offer.created_at),
        "expires_at": _time(offer.expires_at),
        "valid_until": _time(offer.credential_valid_until),
    }
    if with_link:
        document, reference = offering.offer_document(deployment, offer), offering.offer_reference(deployment, offer)
        body |= {
            "link": reference.link(),
            "link_by_value": document.link(),
            "credential_offer": document.to_dict(),
            "credential_offer_uri": reference.url,
            "qr_url": f"{deployment.public_url}/api/v1/offers/{offer.id}/qr.png",
        }
    return body


def _credential(deployment: Deployment, record: IssuedCredential) -> dict[str, Any]:
    return {
        "id": record.id,
        "authority": record.authority,
        "type": f"{record.type.slug}/{record.type.version}",
        "format": record.format.value,
        "status": record.status.name.lower(),
        "status_reason": record.status_reason,
        "status_changed_at": None if record.status_changed_at is None else _time(record.status_changed_at),
        "status_list": deployment.authority(record.authority).list_uri(record.list_number),
        "status_index": record.index,
        "record_reference": record.record_reference,
        "issued_at": _time(record.issued_at),
        "valid_until": _time(record.valid_until),
    }


def _time(seconds: int) -> str:
    return to_date_time_stamp(datetime.fromtimestamp(seconds, tz=UTC))
