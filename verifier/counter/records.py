"""What a counter did, and how it is set."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import Unreachable
from comity.trust.places import PROVINCES_AND_TERRITORIES
from comity.web import i18n
from comity.web.forms import Form
from verifier.counter.face import Face, place_name, places
from verifier.counter_store import CounterCheck, Device
from verifier.journal import PAGE

CLEAR_CHOICES = (0, 10, 20, 30, 60, 120)
_KINDS = {"green": "good", "amber": "warn", "red": "bad"}


def router(face: Face) -> APIRouter:
    """Return the pages of history and settings."""
    routes, pages, journal = face.pages.router("/counter"), face.pages, face.deployment.journal

    @routes.get("/history")
    async def show_history(request: Request) -> Response:
        device, language = await face.device(request), pages.language(request)
        page = _number(request.query_params.get("page", ""))
        found = await journal.history(device, page=page)
        return pages.render(
            request,
            "history.html",
            lines=[_line(face, each, language, _names(face, language)) for each in found[:PAGE]],
            page=page,
            has_more=len(found) > PAGE,
            days=face.deployment.settings.history_days,
        )

    @routes.get("/history.csv")
    async def export(request: Request) -> Response:
        device = await face.device(request)
        name = 'attachment; filename="comity-history.csv"'
        return Response(
            await journal.export(device), media_type="text/csv; charset=utf-8", headers={"content-disposition": name}
        )

    @routes.get("/settings")
    async def show_settings(request: Request) -> Response:
        return _settings(face, request, await face.device(request), Form())

    @routes.post("/settings")
    async def change(request: Request) -> Response:
        device, form = await face.device(request), await pages.form(request)
        place = form.choice("place", PROVINCES_AND_TERRITORIES)
        seconds = form.choice("clear", {str(each) for each in CLEAR_CHOICES})
        if not form.is_ok:
            return _settings(face, request, device, form, status=422)
        await face.deployment.pairing.change(device, place=place, clear_seconds=int(seconds), sound=form.flag("sound"))
        return pages.to(request, "/counter/settings?saved=yes")

    return routes


def _names(face: Face, language: str) -> dict[str, str]:
    """Return the authorities' names as the registry has them now; none while it was never seen."""
    try:
        issuers = face.deployment.registry.snapshot().issuers()
    except Unreachable:
        return {}
    return {each.authority: i18n.pick(each.name, language) for each in issuers}


def _line(face: Face, check: CounterCheck, language: str, names: dict[str, str]) -> dict[str, object]:
    code, asked = check.code or "", face.question(check.policy, check.place, language)
    authorities = (check.issuer or "").split(", ")
    return {
        "at": check.started_at,
        "question": asked["title"],
        "about": asked["about"],
        "place": place_name(check.place, language),
        "means": i18n.text(f"counter.means.{check.means}", language),
        "kind": _KINDS[check.signal or "amber"],
        "word": i18n.text(f"counter.signal.{check.signal or 'amber'}", language),
        "reason": "" if code == "ok" else i18n.text(f"codes.{code}.title", language),
        "issuer": ", ".join(names.get(each, each) for each in authorities),
    }


def _settings(face: Face, request: Request, device: Device, form: Form, status: int = 200) -> Response:
    language = face.pages.language(request)
    clears = [(str(each), i18n.text(_clear_key(each), language, count=each)) for each in CLEAR_CHOICES]
    return face.pages.render(
        request,
        "settings.html",
        status=status,
        form=form,
        device=device,
        place=face.place(device),
        places=places(language),
        clears=clears,
        is_saved=request.query_params.get("saved") == "yes",
    )


def _clear_key(seconds: int) -> str:
    return "counter.clear_after" if seconds else "counter.clear_never"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0
