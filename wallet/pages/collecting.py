"""Collecting: the offer as it is before anything is taken, the code told apart, and what came of it."""

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import Response

from comity.errors import Code, ComityError, Conflict, NotFound
from comity.openid.issuance.display import in_language
from comity.web.forms import Form
from wallet import holdings
from wallet.offers import Preview
from wallet.pages import cards
from wallet.pages.cards import Card
from wallet.pages.face import Face
from wallet.receiving import Terms
from wallet.records import DOOR, HISTORY, Kept, OpenWallet, Sheet
from wallet.wrong_codes import WrongCode

_ABOUT_THE_CODE = {
    Code.TRANSACTION_CODE_WRONG,
    Code.TRANSACTION_CODE_ATTEMPTS_EXHAUSTED,
    Code.TRANSACTION_CODE_REQUIRED,
}
_LOCKED = 0
_PASSED = "passed"


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/offers/{offer_id}")
    async def preview(request: Request) -> Response:
        wallet = await face.wallet(request)
        return await _show(face, request, await _offer(wallet, request), Form())

    @routes.post("/offers/{offer_id}")
    async def decide(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        offer = await _offer(wallet, request)
        if offer.content["state"] != "open":
            return pages.to(request, _after(offer))
        if not form.is_ok:
            return await _show(face, request, offer, form, status=422)
        if form.values.get("answer") == "decline":
            await _decline(wallet, offer)
            return pages.to(request, "/")
        if form.values.get("answer") == "sign_in":
            return await _sign_in(face, request, wallet, offer, form)
        return await _collect(face, request, wallet, offer, form)

    return routes


async def _offer(wallet: OpenWallet, request: Request) -> Kept:
    found = await wallet.find(DOOR, request.path_params["offer_id"])
    if found is None or found.content.get("what") != "offer":
        raise NotFound(Code.OFFER_UNKNOWN, "this offer is not open here any more; scan it again")
    return found


def _after(offer: Kept) -> str:
    """Return where somebody goes who sends the same form again: to what came of it."""
    kept = offer.content.get("kept") or []
    return f"/cards/{kept[0]}" if len(kept) == 1 else "/"


async def _decline(wallet: OpenWallet, offer: Kept) -> None:
    line = Sheet(kind=HISTORY, id=holdings.new_id(), content={"what": "offer_declined", "issuer": _source(offer)})
    await wallet.commit(put=[line], delete=[(DOOR, offer.id)])


def _source(offer: Kept) -> str:
    return str(offer.content.get("issuer") or "")


async def _show(face: Face, request: Request, offer: Kept, form: Form, *, status: int = 200) -> Response:
    """Show the offer: who, whether the registry vouches, every claim. Only offer and metadata are read for it."""
    if offer.content["state"] != "open":
        return face.pages.to(request, _after(offer))
    if (left := offer.content.get("left")) == _LOCKED:  # the issuer does not show it any more
        return face.pages.render(request, "offer_locked.html", status=status)
    preview = await face.deployment.receiving.preview(offer.content["link"])
    language = face.language(request)
    issuer, name = preview.metadata.credential_issuer, _issuer_name(preview, language)
    known = any(each["known"] for each in preview.facts.values())
    may = all(each["may_issue"] == _PASSED for each in preview.facts.values())
    grant = preview.offer.pre_authorized
    return face.pages.render(
        request,
        "offer.html",
        status=status,
        form=form,
        offer_id=offer.id,
        issuer=issuer,
        issuer_name=name,
        is_known=known,
        may_issue=may,
        codes=sorted({each["code"] for each in preview.facts.values() if each["may_issue"] != _PASSED}),
        offered=[_offered(face, preview, each.id, name, language) for each in preview.configurations],
        code=grant.transaction_code if grant else None,
        is_by_sign_in=preview.is_by_sign_in,
        tries=offer.content["tries"],
        left=left,
    )


def _issuer_name(preview: Preview, language: str) -> str:
    return preview.issuer_name(language) or preview.metadata.credential_issuer


def _offered(face: Face, preview: Preview, configuration_id: str, issuer: str, language: str) -> dict[str, Any]:
    each = next(found for found in preview.configurations if found.id == configuration_id)
    title = name.name if (name := in_language(each.display, language)) else each.id
    snapshot = face.snapshot()
    return {
        "card": Card(
            id=each.id,
            css=cards.css_of(each.credential_type) if preview.facts[each.id]["may_issue"] == _PASSED else "",
            title=title,
            issuer=issuer,
            initials=cards.initials(preview.metadata.credential_issuer, issuer, snapshot),
        ),
        "claims": [
            label.name if (label := in_language(claim.display, language)) else str(claim.path[-1])
            for claim in each.claims
        ],
    }


async def _sign_in(face: Face, request: Request, wallet: OpenWallet, offer: Kept, form: Form) -> Response:
    """Begin a sign-in at the issuer, and say where the person goes for it; a link leads there, never a form of ours.

    What is chosen there comes back to :mod:`wallet.pages.returning`. Beginning twice is no harm.
    """
    preview = await face.deployment.receiving.preview(offer.content["link"])
    language = face.language(request)
    terms = Terms(keep_unrecognised=form.flag("keep_unrecognised"))
    started = await face.deployment.authorizing.start(wallet, preview, terms, ui_locales=f"{language}-CA")
    name, host = _issuer_name(preview, language), urlsplit(started.url).netloc
    return face.pages.render(request, "leaving.html", issuer_name=name, host=host, url=started.url, offer_id=offer.id)


async def _collect(face: Face, request: Request, wallet: OpenWallet, offer: Kept, form: Form) -> Response:
    """Take the offer. The record says so before anything leaves: the same form sent twice collects once."""
    terms = Terms(
        transaction_code=form.text("code", is_needed=False, most=64).replace(" ", "") or None,
        keep_unrecognised=form.flag("keep_unrecognised"),
    )
    taking = Sheet(kind=DOOR, id=offer.id, content={**offer.content, "state": "taking"}, version=offer.version + 1)
    try:
        await wallet.commit(put=[taking])
    except Conflict:
        return face.pages.to(request, "/")
    try:
        kept = await face.deployment.receiving.receive(wallet, offer.content["link"], terms)
    except ComityError as error:
        again = await _reopened(wallet, taking, error)
        if again is None or error.code not in _ABOUT_THE_CODE:
            raise
        _tell(form, error)
        form.values.pop("code", None)
        return await _show(face, request, again, form, status=422)
    ids = [each.credential_id for each in kept]
    done = {**taking.content, "state": "done", "kept": ids, "link": ""}
    await wallet.put(DOOR, offer.id, done, version=taking.version + 1)
    return face.pages.to(request, f"/cards/{ids[0]}?new=yes" if len(ids) == 1 else "/")


async def _reopened(wallet: OpenWallet, taking: Sheet, error: ComityError) -> Kept | None:
    """Open the offer again after something went wrong, and count a wrong code; ``left`` is what the issuer tells."""
    content = {**taking.content, "state": "open"}
    if isinstance(error, WrongCode):
        content |= {"tries": int(taking.content["tries"]) + 1, "left": error.tries_left}
    await wallet.put(DOOR, taking.id, content, version=taking.version + 1)
    return await wallet.find(DOOR, taking.id)


def _tell(form: Form, error: ComityError) -> None:
    """Say what is wrong with the code, and how many tries are left where the issuer says so."""
    if not isinstance(error, WrongCode):
        form.fail("code", "pages.field_needed")
    elif error.tries_left is None:
        form.fail("code", "wallet.offer.code_wrong")
    elif error.tries_left != _LOCKED:
        form.fail("code", "wallet.offer.code_wrong_left", count=error.tries_left)
