"""Many credentials at once: a file is checked, shown with its reasons, and run; only what failed comes back."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.credential import CredentialType
from comity.errors import Code, Malformed
from comity.web import i18n, live
from comity.web.forms import Form
from issuer import bulk, catalog, fields, looking_up, offering, offering_once, spreadsheet
from issuer.api.access import deployment_of
from issuer.bulk import Standing
from issuer.console.desk import Desk, time_of, type_of
from issuer.deployment import Deployment
from issuer.operators import Right
from issuer.store.bulk import Job, JobState, RowState, StoredRow
from issuer.store.clerks import Clerk
from issuer.store.offers import Offer, OfferState

_SHOWN_ROWS = 200
_CSV = "text/csv; charset=utf-8"


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the pages of files."""

    @routes.get("/files")
    async def show_all(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.ISSUE)
        return await _all(request, desk, clerk, Form())

    @routes.post("/files")
    async def upload(request: Request) -> Response:
        form = await desk.pages.form(request, max_bytes=spreadsheet.MAX_BYTES)
        clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
        types = {f"{each.slug}/{each.version}": each for each in _types(deployment, clerk)}
        chosen, data = form.choice("type", types), form.file("file")
        if not data:
            form.fail("file", "console.file_needed")
        if form.is_ok:
            try:
                job_id = await bulk.check(
                    deployment,
                    authority=clerk.authority,
                    credential_type=types[chosen],
                    data=data,
                    actor=clerk.name,
                )
                return desk.to(request, f"/files/{job_id}")
            except Malformed as error:
                form.fail(
                    "file", "console.file_too_large" if error.code is Code.TOO_LARGE else "console.file_unreadable"
                )
        return await _all(request, desk, clerk, form)

    @routes.get("/files/sample/{slug}/{version}")
    async def sample(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.ISSUE)
        chosen, language = type_of(request, clerk), desk.pages.language(request)
        today = time_of(deployment_of(request).now()).date()
        data = spreadsheet.sample(chosen, language, fields.defaults(chosen, today))
        return _download(data, f"{chosen.slug}-{language}.csv")


def add_running(routes: APIRouter, desk: Desk) -> None:
    """Add the page of one file, from its check to its end."""

    @routes.get("/files/{job_id}")
    async def show(request: Request, job_id: str) -> Response:
        clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
        standing = await bulk.find(deployment, job_id, authority=clerk.authority)
        return desk.render(request, "file.html", **await _shown(request, desk, standing))

    @routes.post("/files/{job_id}")
    async def start(request: Request, job_id: str) -> Response:
        form = await desk.pages.form(request)
        clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
        standing = await bulk.find(deployment, job_id, authority=clerk.authority)
        if form.is_ok:
            await bulk.start(deployment, standing.job, actor=clerk.name)
            request.app.state.bulk.wake()
        return desk.to(request, f"/files/{job_id}")

    @routes.get("/files/{job_id}/events")
    async def events(request: Request, job_id: str) -> Response:
        clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
        language = desk.pages.language(request)
        await bulk.find(deployment, job_id, authority=clerk.authority)  # before the stream has begun

        async def current() -> Mapping[str, Any]:
            standing = await bulk.find(deployment, job_id, authority=clerk.authority)
            return _progress(standing, language)

        return live.stream(live.changes(current, is_final=lambda state: bool(state["final"]), poll_seconds=0.3))


def add_downloads(routes: APIRouter, desk: Desk) -> None:
    """Add what can be taken away: rows that failed; links; and the codes, which go another way than the links."""

    @routes.get("/files/{job_id}/refused")
    async def refused(request: Request, job_id: str) -> Response:
        clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
        standing = await bulk.find(deployment, job_id, authority=clerk.authority)
        job, language = standing.job, desk.pages.language(request)
        header = [*spreadsheet.header_of(job.type, language), i18n.text("console.file_reason", language)]
        lines = [
            [*_cells(deployment, job, row), "; ".join(_problems(job.type, row, language))]
            for row in await bulk.rows(deployment, job)
            if row.state is RowState.REFUSED
        ]
        return _download(spreadsheet.write(header, lines), "refused.csv")

    @routes.get("/files/{job_id}/links")
    async def links(request: Request, job_id: str) -> Response:
        return await _secrets(request, desk, job_id, "links")

    @routes.get("/files/{job_id}/codes")
    async def codes(request: Request, job_id: str) -> Response:
        return await _secrets(request, desk, job_id, "codes")


async def _secrets(request: Request, desk: Desk, job_id: str, which: str) -> Response:
    """Return links or codes of the offers that are still open; never both in one file."""
    clerk, deployment = await desk.clerk(request, Right.ISSUE), deployment_of(request)
    standing = await bulk.find(deployment, job_id, authority=clerk.authority)
    await looking_up.note(deployment, clerk.authority, f"file_{which}", job_id, actor=clerk.name)
    language = desk.pages.language(request)
    header = [
        i18n.text("console.file_row", language),
        spreadsheet.RECORD_LABELS[language],
        i18n.text(f"console.file_{which[:-1]}", language),
    ]
    lines = []
    for row in await bulk.rows(deployment, standing.job):
        offer = None if row.offer_id is None else await offering.find_offer(deployment, row.offer_id)
        if offer is not None and offer.state is OfferState.OPEN:
            lines.append([row.number, offer.record_reference or "", _secret(deployment, offer, which)])
    return _download(spreadsheet.write(header, lines), f"{which}.csv")


def _secret(deployment: Deployment, offer: Offer, which: str) -> str:
    if which == "links":
        return offering.offer_reference(deployment, offer).link()
    return offering_once.code_of(deployment, offer) or ""


def _types(deployment: Deployment, clerk: Clerk) -> tuple[CredentialType, ...]:
    authority = deployment.authority(clerk.authority)
    return tuple(catalog.find_type(authority, f"{each.slug}/{each.version}") for each in authority.description.types)


async def _all(request: Request, desk: Desk, clerk: Clerk, form: Form) -> Response:
    deployment = deployment_of(request)
    return desk.render(
        request,
        "files.html",
        status=200 if form.is_ok else 422,
        form=form,
        types=_types(deployment, clerk),
        latest=await bulk.latest(deployment, clerk.authority),
        most_rows=spreadsheet.MAX_ROWS,
    )


async def _shown(request: Request, desk: Desk, standing: Standing) -> dict[str, Any]:
    deployment, language = deployment_of(request), desk.pages.language(request)
    rows = await bulk.rows(deployment, standing.job)
    lines = []
    for row in rows[:_SHOWN_ROWS]:
        offer = None if row.offer_id is None else await offering.find_offer(deployment, row.offer_id)
        lines.append(
            {
                "number": row.number,
                "state": row.state.value if offer is None else offer.state.value,
                "is_offer": offer is not None,
                "offer_id": row.offer_id,
                "record": bulk.cells(deployment, standing.job, row).get(spreadsheet.RECORD, ""),
                "problems": _problems(standing.job.type, row, language),
            }
        )
    progress = _progress(standing, language)
    return {"standing": standing, "lines": lines, "is_cut": len(rows) > _SHOWN_ROWS, "progress": progress}


def _progress(standing: Standing, language: str) -> dict[str, Any]:
    """Return where a job stands, as a page that showed it running is told: when it has ended, to come again.

    It may have ended between the page and its question. A page that shows the end asks no more.
    """
    counts, is_done = standing.counts, standing.job.state is JobState.DONE
    done = counts[RowState.OFFERED] + counts[RowState.REFUSED] + counts[RowState.REPEATED]
    told: dict[str, Any] = {
        "state": standing.job.state.value,
        "done": done,
        "of": standing.total,
        "words": {"count": i18n.text("console.file_progress", language, done=done, of=standing.total)},
        "final": is_done,
    }
    if is_done:
        told["go"] = f"/{language}/files/{standing.job.id}"
    return told


def _problems(credential_type: CredentialType, row: StoredRow, language: str) -> list[str]:
    """Return what is wrong with a row, in words."""
    found = []
    for line in row.problems:
        name, _, rule = line.partition(": ")
        key = f"console.rule_{rule}"
        words = i18n.text(key if i18n.has(key, language) else "console.rule_other", language)
        label = (
            spreadsheet.RECORD_LABELS[language]
            if name == spreadsheet.RECORD
            else fields.label_of(credential_type, name, language)
        )
        found.append(words if name == "$" else f"{label}{i18n.text('pages.colon', language)}{words}")
    return found


def _cells(deployment: Deployment, job: Job, row: StoredRow) -> list[str]:
    found = spreadsheet.Row(number=row.number, cells=bulk.cells(deployment, job, row))
    return spreadsheet.cells_of(found, job.type)


def _download(data: bytes, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(data, media_type=_CSV, headers=headers)
