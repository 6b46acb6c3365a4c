"""Scanning a code that somebody shows: by camera, as a picture, or typed by a handheld scanner."""

from fastapi import APIRouter
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from comity.web import i18n, parts, scan, scanning
from comity.web.forms import Form
from comity.web.parts import Gathered
from comity.web.scan import Kind
from verifier.counter import gathering
from verifier.counter.face import Face, place_name
from verifier.counter_store import Device

_CREDENTIALS = {Kind.CREDENTIAL, Kind.PRESENTATION}


class _Other(Struct, frozen=True, kw_only=True):
    """Words about something that was scanned and is no credential."""

    title: str
    meaning: str
    next_step: str


def router(face: Face) -> APIRouter:
    """Return the pages of scanning."""
    routes, pages, journal = face.pages.router("/counter"), face.pages, face.deployment.journal

    @routes.get("/scan")
    async def show(request: Request) -> Response:
        return _page(face, request, await face.device(request), Form())

    @routes.post("/scan")
    async def take(request: Request) -> Response:
        device, form = await face.device(request), await pages.form(request)
        offered = {each.policy: each for each in face.presets(device) if each.is_scannable}
        policy = form.choice("policy", offered)
        text = await _shown(form)
        gathered = gathering.add(form, text) if form.is_ok and parts.is_part(text) else None
        if not form.is_ok:
            return _page(face, request, device, form, status=422)
        if gathered is not None:
            if gathered.text is None:
                return _page(face, request, device, form, gathered=gathered)
            text = gathered.text
        found = scan.read(text)
        if found.kind not in _CREDENTIALS or found.problem is not None:
            return _page(face, request, device, form, status=422, other=_about(found.kind, pages.language(request)))
        check = await journal.scan(device, offered[policy], text.strip())
        return pages.to(request, f"/counter/checks/{check.id}")

    @routes.post("/scan/frame")
    async def frame(request: Request) -> Response:
        await face.device(request)
        return await scanning.frame(request, pages)

    return routes


async def _shown(form: Form) -> str:
    """Return the text in the file that was chosen, else the one that was scanned or typed: it may be left of before."""
    text = form.text("text", is_needed=False, most=scan.MAX_CHARACTERS)
    if form.is_ok and form.file(scanning.IMAGE):
        return await scanning.uploaded(form)
    if not text:
        form.fail("text", "counter.scan_nothing")
    return text


def _about(kind: Kind, language: str) -> _Other:
    """Return the words about a code of another kind; those for damaged credentials are the same as for unknown ones."""
    key = f"cli.scan_{(Kind.UNKNOWN if kind in _CREDENTIALS else kind).value}"
    return _Other(
        title=i18n.text(f"{key}.title", language),
        meaning=i18n.text(f"{key}.meaning", language),
        next_step=i18n.text("counter.scan_ask_instead", language),
    )


def _page(
    face: Face,
    request: Request,
    device: Device,
    form: Form,
    *,
    status: int = 200,
    other: _Other | None = None,
    gathered: Gathered | None = None,
) -> Response:
    language, place = face.pages.language(request), face.place(device)
    questions = [face.question(each.policy, place, language) for each in face.presets(device) if each.is_scannable]
    chosen = request.query_params.get("policy", "") or questions[0]["policy"]
    return face.pages.render(
        request,
        "scan.html",
        status=status,
        form=form,
        other_code=other,
        gathered=gathered,
        questions=questions,
        chosen=chosen,
        place=place_name(place, language),
    )
