"""The pages of a sign-in: the code for a wallet elsewhere, the way to one on this device, and why it did not work.

They belong to the browser that a website sent here, by the cookie of :func:`verifier.signing_in.cookie_of`. An accepted
answer has no page: the browser goes on to the website. For any other one the person is told why, in words, and the
website is told only that it did not work, when the person goes back.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from comity import strict_json
from comity.errors import Code, Denied
from comity.verification.checks import Verdict
from comity.web import counted, i18n, live, qr
from comity.web.counted import CountedRoute
from comity.web.forms import Form
from verifier.counter.face import Face, place_name, wallet_links
from verifier.policies import POLICIES
from verifier.requesting import Flow
from verifier.same_device import cookie
from verifier.signing_in import Away, Standing, cookie_of
from verifier.states import Answered

DEVICES: Mapping[str, Flow] = {"here": Flow.SAME_DEVICE, "other": Flow.CROSS_DEVICE}
"""What the form says → where the wallet is."""


def router(face: Face) -> APIRouter:
    """Return the pages of a sign-in; what they refuse is counted, as a part of the protocol (decision record 0036)."""
    pages, signing_in = face.pages, face.deployment.signing_in
    routes = pages.router("/sign-in", CountedRoute)

    @routes.get("/{sign_in_id}")
    async def show(request: Request) -> Response:
        now = await _standing(face, request)
        go = await signing_in.finish(now, request.query_params.get("response_code"))
        if go is not None:
            return _leave(request, now, go)
        if isinstance(now.request, Answered):
            return _refused(face, request, now)
        return await _waiting(face, request, now)

    @routes.post("/{sign_in_id}")
    async def ask_again(request: Request) -> Response:
        now, form = await _standing(face, request), await pages.form(request)
        device = form.choice("device", DEVICES)
        if not form.is_ok:
            counted.tell(request, Denied(Code.REQUEST_INVALID, "the form is stale, or says nothing of a device"))
            return await _waiting(face, request, now, form, status=422)
        return await _ask_again(face, request, now, DEVICES[device])

    @routes.get("/{sign_in_id}/leave")
    async def leave(request: Request) -> Response:
        now = await _standing(face, request)
        return _leave(request, now, await signing_in.leave(now))

    _add_events(routes, face)
    return routes


def _add_events(routes: APIRouter, face: Face) -> None:
    @routes.get("/{sign_in_id}/events")
    async def events(request: Request) -> Response:
        first = await _standing(face, request)
        page = f"/{face.pages.language(request)}/sign-in/{first.sign_in.id}"

        async def current() -> Mapping[str, Any]:
            try:
                state = (await _standing(face, request)).request.name
            except Denied:  # it ended in another tab, whose page says so
                state = "answered"
            return {"state": state, "final": True, "go": page} if state == "answered" else {"state": state}

        return live.stream(
            live.changes(
                current,
                is_final=lambda now: now["state"] in {"answered", "expired"},
                topic=first.row.id,
                bell=face.deployment.bell,
            )
        )


async def _standing(face: Face, request: Request) -> Standing:
    sign_in_id = request.path_params["sign_in_id"]
    return await face.deployment.signing_in.standing(sign_in_id, request.cookies.get(cookie_of(sign_in_id)))


async def _ask_again(face: Face, request: Request, now: Standing, flow: Flow) -> Response:
    """Ask anew and show the page of it; on this device the request is bound to this browser as well."""
    settings, pages, sign_in_id = face.deployment.settings, face.pages, now.sign_in.id
    path = f"/sign-in/{sign_in_id}"
    back = f"{pages.public_url}/{pages.language(request)}{path}"
    browser = request.cookies.get(cookie_of(sign_in_id))
    request_id, begun = await face.deployment.signing_in.ask_again(sign_in_id, browser, flow, back=back)
    response = pages.to(request, path)
    if begun is not None:
        seconds = settings.request_seconds + settings.result_seconds
        response.set_cookie(**cookie(begun, request_id, public_url=pages.public_url, seconds=seconds))
    return response


async def _waiting(
    face: Face, request: Request, now: Standing, form: Form | None = None, status: int = 200
) -> Response:
    language = face.pages.language(request)
    is_drawn = now.link and not now.is_here
    return face.pages.render(
        request,
        "bridge_ask.html",
        status=status,
        site="bridge.site_name",
        form=form or Form(),
        sign_in=now.sign_in,
        website=i18n.pick(now.client.name, language),
        asked=_question(face, now, language),
        state=now.request.name,
        is_here=now.is_here,
        links=wallet_links(face, now.link, language),
        drawn=await qr.outline_async(now.link) if is_drawn else None,
    )


def _refused(face: Face, request: Request, now: Standing) -> Response:
    """Tell the person why it did not work; an answer that was erased meanwhile is one that took too long."""
    language = face.pages.language(request)
    codes = [str(each) for each in strict_json.parse(now.row.codes or "[]")]
    code = codes[0] if codes else Code.REQUEST_EXPIRED.value
    is_red = now.row.verdict == Verdict.REJECTED and code != Code.WALLET_REFUSED
    return face.pages.render(
        request,
        "bridge_refused.html",
        site="bridge.site_name",
        sign_in=now.sign_in,
        website=i18n.pick(now.client.name, language),
        kind="bad" if is_red else "warn",
        reason=_own_words("reason", code, language) or i18n.text(f"codes.{code}.meaning", language),
        next_step=_own_words("next", code, language)
        or i18n.text("bridge.next_bad" if is_red else "bridge.next_warn", language),
        device="here" if now.is_here else "other",
    )


def _own_words(kind: str, code: str, language: str) -> str:
    """Return what is said to the person whose credential it is; codes speak to whoever stands at a counter."""
    key = f"bridge.{kind}.{code}"
    return i18n.text(key, language) if i18n.has(key, language) else ""


def _question(face: Face, now: Standing, language: str) -> dict[str, Any]:
    """Return what is asked in words; of a policy of the installation's own that has no words only the name is known."""
    if now.sign_in.policy not in (*POLICIES, *face.deployment.journal.own):
        return {"title": now.sign_in.policy, "about": "", "asked": [], "how": ""}
    return {**face.question(now.sign_in.policy, now.row.place, language), "place": place_name(now.row.place, language)}


def _leave(request: Request, now: Standing, away: Away) -> Response:
    """Send the browser to the website; the sign-in is over. What the website is refused is counted."""
    if away.refusal is not None:
        counted.tell(request, away.refusal)
    response = RedirectResponse(away.url, 303, headers={"cache-control": "no-store"})
    response.delete_cookie(cookie_of(now.sign_in.id), path="/")
    return response
