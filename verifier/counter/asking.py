"""The counter at work: choose a question, show the code, see the verdict."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel.dates import format_timedelta
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Code
from comity.verification.checks import ORDER
from comity.web import i18n, live, qr
from comity.web.forms import Form
from verifier import presets
from verifier.counter.face import Face, place_name, value_in_words, wallet_links
from verifier.counter_store import Device
from verifier.counter_view import Signal
from verifier.journal import Standing

RENEWALS = 12
"""How often an unanswered code is drawn anew by itself: an hour with the usual lifetime, then somebody has to tap."""
_LOCALES = {"en": "en_CA", "fr": "fr_CA"}
_KINDS: Mapping[str, str] = {Signal.GREEN.value: "good", Signal.AMBER.value: "warn", Signal.RED.value: "bad"}
_REMARKS = (Code.STATUS_STALE.value, Code.STATUS_FROM_CACHE.value, Code.WITHDRAWN_KEEPS_EFFECT.value)


def router(face: Face) -> APIRouter:
    """Return the pages of asking."""
    routes, pages, journal = face.pages.router("/counter"), face.pages, face.deployment.journal

    @routes.get("")
    async def choose(request: Request) -> Response:
        return _choice(face, request, await face.device(request))

    @routes.post("")
    async def ask(request: Request) -> Response:
        device, form = await face.device(request), await pages.form(request)
        offered = {each.policy: each for each in face.presets(device)}
        policy = form.choice("policy", offered)
        if not form.is_ok:
            return _choice(face, request, device, form, status=422)
        check = await journal.ask(device, offered[policy])
        renewal = _number(form.values.get("renewal", ""))
        return pages.to(request, f"/counter/checks/{check.id}" + (f"?renewal={renewal}" if renewal else ""))

    @routes.get("/checks/{check_id}")
    async def show(request: Request) -> Response:
        device = await face.device(request)
        standing = await journal.standing(device, request.path_params["check_id"])
        language = pages.language(request)
        asked = face.question(standing.check.policy, standing.check.place, language)
        if standing.state != "ended":
            return await _waiting(face, request, standing, asked)
        told = _verdict(standing, asked, language, face.deployment.requesting.clock.now())
        return pages.render(request, "verdict.html", device=device, asked=asked, told=told, check=standing.check)

    @routes.get("/checks/{check_id}/events")
    async def events(request: Request) -> Response:
        device, check_id = await face.device(request), request.path_params["check_id"]
        first = await journal.standing(device, check_id)
        page = f"/{pages.language(request)}/counter/checks/{check_id}"

        async def current() -> Mapping[str, Any]:
            state = (await journal.standing(device, check_id)).state
            return {"state": state, "final": True, "go": page} if state == "ended" else {"state": state}

        return live.stream(
            live.changes(
                current,
                is_final=lambda now: now["state"] in {"ended", "expired"},
                topic=first.check.request_id or "",
                bell=face.deployment.bell,
            )
        )

    return routes


def _choice(face: Face, request: Request, device: Device, form: Form | None = None, status: int = 200) -> Response:
    language, place = face.pages.language(request), face.place(device)
    questions = [face.question(each.policy, place, language) for each in face.presets(device)]
    return face.pages.render(
        request,
        "choose.html",
        status=status,
        form=form or Form(),
        device=device,
        place=place_name(place, language),
        questions=questions,
    )


async def _waiting(face: Face, request: Request, standing: Standing, asked: Mapping[str, Any]) -> Response:
    renewal = _number(request.query_params.get("renewal", ""))
    return face.pages.render(
        request,
        "ask.html",
        asked=asked,
        check=standing.check,
        state=standing.state,
        link=standing.link,
        drawn=await qr.outline_async(standing.link) if standing.link else None,
        links=wallet_links(face, standing.link, face.pages.language(request)),
        renewal=renewal + 1,
        renews=renewal < RENEWALS,
        place=place_name(standing.check.place, face.pages.language(request)),
    )


def _verdict(standing: Standing, asked: Mapping[str, Any], language: str, now: datetime) -> dict[str, Any]:
    """Return everything that the page of a verdict says, in words."""
    check, view = standing.check, standing.view or {}
    signal, code = check.signal or Signal.AMBER.value, check.code or Code.INTERNAL.value
    credentials = [_credential(each, language, now) for each in view.get("credentials", ())]
    remarks = [line["code"] for each in view.get("credentials", ()) for line in each["checks"]]
    return {
        "kind": _KINDS[signal],
        "signal": signal,
        "word": i18n.text(_word(signal, code), language),
        "reason": asked["met"] if signal == Signal.GREEN else _reason(code, language),
        "next": "" if signal == Signal.GREEN else _next(code, language),
        "code": code,
        "credentials": credentials,
        "checks": [_line(each, language) for each in view.get("checks", ())],
        "registry": _ago(view.get("registry_at"), now, language),
        "remarks": [i18n.text(f"codes.{each}.meaning", language) for each in _REMARKS if each in remarks],
        "is_erased": standing.view is None,
    }


def _word(signal: str, code: str) -> str:
    """Return the key of the one word that is read from three metres."""
    special = {Code.HELD_WITHOUT_PROOF.value, Code.WALLET_REFUSED.value}
    return f"counter.word.{code}" if signal == Signal.AMBER and code in special else f"counter.word.{signal}"


def _reason(code: str, language: str) -> str:
    own = f"counter.reason.{code}"
    return i18n.text(own if i18n.has(own, language) else f"codes.{code}.meaning", language)


def _next(code: str, language: str) -> str:
    own = f"counter.next.{code}"
    return i18n.text(own if i18n.has(own, language) else f"codes.{code}.next_step", language)


def _credential(each: Mapping[str, Any], language: str, now: datetime) -> dict[str, Any]:
    type_id = each["type_id"]
    issuer = i18n.pick(each["issuer_name"], language) if each["issuer_name"] else ""
    order = [name.value for name in ORDER]
    lines = sorted(each["checks"], key=lambda check: order.index(check["name"]))
    return {
        "type": presets.Asked(type_id=type_id, claims=()).type_name(language) if type_id else "",
        "issuer": issuer,
        "status": _ago(each["status_at"], now, language),
        "checks": [_line(line, language) for line in lines],
        "claims": [
            {
                "label": presets.label(type_id, claim["claim"], language),
                "words": value_in_words(claim["value"], language),
            }
            for claim in each["claims"]
        ],
    }


def _line(check: Mapping[str, Any], language: str) -> dict[str, str]:
    code = check["code"]
    return {
        "name": i18n.text(f"codes.check.{check['name']}", language),
        "outcome": check["outcome"],
        "words": i18n.text(f"codes.outcome.{check['outcome']}", language),
        "title": "" if code == Code.OK else i18n.text(f"codes.{code}.title", language),
    }


def _ago(instant: str | None, now: datetime, language: str) -> str:
    """Return how long ago an instant was, in words; empty when it is not known."""
    if not instant:
        return ""
    seconds = max(int((now - datetime.fromisoformat(instant)).total_seconds()), 1)
    return format_timedelta(-seconds, granularity="second", add_direction=True, locale=_LOCALES[language])


def _number(text: str) -> int:
    return min(int(text), RENEWALS) if text.isdecimal() and text.isascii() and len(text) < 4 else 0
