"""Overseeing: the audit log with its filter and export, and the accounts of the clerks."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.errors import ComityError, Conflict
from comity.web import i18n
from comity.web.forms import Form
from issuer import looking_up, passwords, signing_in, spreadsheet
from issuer.api.access import deployment_of
from issuer.console.desk import Desk, time_of
from issuer.operators import Right, Role
from issuer.store import clerks as store
from issuer.store.audit import Event
from issuer.store.clerks import Clerk
from issuer.store.desk import LogFilter

PAGE = 50
EXPORT_LIMIT = 10_000
ACTIONS = (
    "offer_created", "offer_cancelled", "credential_issued", "suspended", "reinstated", "revocation_asked",
    "revocation_started", "revocation_refused", "revocation_undone", "revoked", "slip_opened", "file_checked",
    "file_started", "file_links", "file_codes", "signed_in", "sign_in_refused", "clerk_added", "clerk_disabled",
    "clerk_enabled", "clerk_password", "log_exported", "credential_accepted", "credential_failure",
    "credential_deleted", "credential_deferred", "credential_reissued", "offer_approved", "offer_denied", "authorized",
    "authorization_refused", "token_given", "token_refreshed", "code_replayed", "refresh_token_replayed", "restored",
    "webhook_added", "webhook_removed", "webhook_renewed",
)  # fmt: skip
"""What the log may hold; the pages have words for each."""
ABOUT_OFFERS = frozenset(
    {"offer_created", "offer_cancelled", "credential_issued", "slip_opened", "offer_approved", "offer_denied"}
)
ABOUT_RECORDS = frozenset(
    {"suspended", "reinstated", "revocation_asked", "revocation_started", "revocation_refused", "revocation_undone"}
    | {"revoked"}
)
"""Actions whose subject has a page that leads on from the log."""


def add_log(routes: APIRouter, desk: Desk) -> None:
    """Add the audit log."""

    @routes.get("/log")
    async def show(request: Request) -> Response:
        clerk, deployment = await desk.clerk(request, Right.READ_AUDIT), deployment_of(request)
        typed = _typed(request)
        before = request.query_params.get("before", "")
        lines = await looking_up.log(
            deployment,
            clerk.authority,
            _filter(typed),
            before=int(before) if before.isdecimal() and len(before) < 18 else None,
            limit=PAGE + 1,
        )
        more = f"?{urlencode({**typed, 'before': str(lines[PAGE - 1].number)})}" if len(lines) > PAGE else ""
        return desk.render(
            request,
            "log.html",
            form=Form(values=typed),
            lines=lines[:PAGE],
            more=more,
            export=f"?{urlencode(typed)}" if typed else "",
            actions=ACTIONS,
            leads_to=_page_of,
        )

    @routes.get("/log/export")
    async def export(request: Request) -> Response:
        clerk, deployment = await desk.clerk(request, Right.READ_AUDIT), deployment_of(request)
        language = desk.pages.language(request)
        wanted = _filter(_typed(request))
        await looking_up.note(deployment, clerk.authority, "log_exported", clerk.id, actor=clerk.name)
        lines = await looking_up.log(deployment, clerk.authority, wanted, limit=EXPORT_LIMIT)
        header = [i18n.text(f"console.log_{each}", language) for each in ("when", "who", "what", "about")]
        data = spreadsheet.write(
            header,
            (
                [time_of(each.event.at).isoformat(), each.event.actor, each.event.action, each.event.subject]
                for each in lines
            ),
        )
        headers = {"content-disposition": 'attachment; filename="log.csv"'}
        return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


def _page_of(event: Event) -> str:
    """Return the page of what a line of the log is about; empty when that has none."""
    if event.action in ABOUT_OFFERS:
        return f"/offers/{event.subject}"
    return f"/records/{event.subject}" if event.action in ABOUT_RECORDS else ""


def _typed(request: Request) -> dict[str, str]:
    """Return what the filter holds; nothing in it is personal, so it may stand in an address."""
    names = ("actor", "action", "since", "until")
    return {name: value[:100] for name in names if (value := request.query_params.get(name, "").strip())}


def _filter(typed: dict[str, str]) -> LogFilter:
    until = _day(typed.get("until"))
    return LogFilter(
        actor=typed.get("actor"),
        action=typed.get("action"),
        since=_instant(_day(typed.get("since"))),
        until=_instant(until + timedelta(days=1) if until is not None and until < date.max else None),
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _instant(day: date | None) -> int | None:
    return None if day is None else int(datetime.combine(day, time(), tzinfo=UTC).timestamp())


def add_clerks(routes: APIRouter, desk: Desk) -> None:
    """Add the accounts."""

    @routes.get("/clerks")
    async def show(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.MANAGE_CLERKS)
        return await _clerks(request, desk, clerk, Form())

    @routes.post("/clerks")
    async def change(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk, deployment = await desk.clerk(request, Right.MANAGE_CLERKS), deployment_of(request)
        wish = form.choice("wish", ("add", "close", "open", "reset"))
        name = form.text("name", most=60).lower()
        if wish == "add":
            role = form.choice("role", [each.value for each in Role])
            return await _add(request, desk, clerk, form, name=name, role=role)
        if name == clerk.name:
            form.fail("", "console.clerk_self")
        if form.is_ok and wish == "reset":
            password = passwords.new()
            await signing_in.reset(deployment, name, authority=clerk.authority, password=password, actor=clerk.name)
            return await _clerks(request, desk, clerk, Form(), added=name, password=password)
        if form.is_ok:
            await signing_in.set_disabled(
                deployment, name, authority=clerk.authority, disabled=wish == "close", actor=clerk.name
            )
            return desk.to(request, "/clerks")
        return await _clerks(request, desk, clerk, form)


async def _add(request: Request, desk: Desk, clerk: Clerk, form: Form, *, name: str, role: str) -> Response:
    """Add a clerk and show the first password, this once."""
    deployment, password = deployment_of(request), passwords.new()
    if form.is_ok:
        try:
            await signing_in.add(
                deployment,
                name=name,
                role=Role(role),
                authority=clerk.authority,
                password=password,
                actor=clerk.name,
            )
            return await _clerks(request, desk, clerk, Form(), added=name, password=password)
        except Conflict:
            form.fail("name", "console.clerk_taken")
        except ComityError:
            form.fail("name", "console.clerk_name_form")
    return await _clerks(request, desk, clerk, form)


async def _clerks(request: Request, desk: Desk, clerk: Clerk, form: Form, **shown: Any) -> Response:
    found = await deployment_of(request).database.read(
        lambda connection: store.of_authority(connection, clerk.authority)
    )
    return desk.render(
        request,
        "clerks.html",
        status=200 if form.is_ok else 422,
        form=form,
        clerks=found,
        roles=[each.value for each in Role],
        **{"added": "", "password": "", **shown},
    )
