"""Overseeing what wallets were refused: counted by the hour, since anybody may send bad requests by the million."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.runtime import refusals
from comity.web import i18n
from issuer import looking_up, spreadsheet
from issuer.api.access import deployment_of
from issuer.console.desk import Desk, time_of
from issuer.operators import Right

EXPORT_LIMIT = 100_000
_COLUMNS = ("first", "last", "where", "error", "code", "times")


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the page and its export."""

    @routes.get("/log/refusals")
    async def show(request: Request) -> Response:
        clerk, deployment = await desk.clerk(request, Right.READ_AUDIT), deployment_of(request)
        lines = await deployment.refusals.newest(clerk.authority, limit=refusals.SHOWN + 1)
        shown: dict[str, Any] = {
            "lines": lines[: refusals.SHOWN],
            "is_more": len(lines) > refusals.SHOWN,
            "events": await deployment.refusals.events(clerk.authority),
            "most": refusals.EVENTS,
        }
        return desk.render(request, "refusals.html", **shown)

    @routes.get("/log/refusals/export")
    async def export(request: Request) -> Response:
        clerk, deployment = await desk.clerk(request, Right.READ_AUDIT), deployment_of(request)
        language = desk.pages.language(request)
        await looking_up.note(deployment, clerk.authority, "log_exported", clerk.id, actor=clerk.name)
        lines = await deployment.refusals.newest(clerk.authority, limit=EXPORT_LIMIT)
        data = spreadsheet.write(
            [i18n.text(f"console.refused_{each}", language) for each in _COLUMNS],
            ([*_moments(each), each.kind.endpoint, each.kind.error, each.kind.code, str(each.times)] for each in lines),
        )
        headers = {"content-disposition": 'attachment; filename="refusals.csv"'}
        return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


def _moments(line: refusals.Refused) -> list[str]:
    return [time_of(line.first_at).isoformat(), time_of(line.last_at).isoformat()]
