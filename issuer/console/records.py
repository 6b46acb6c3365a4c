"""One credential: what it is, what happened to it, and what can be done about it."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.credential import Status
from comity.errors import Code, Conflict, NotFound
from comity.web.forms import Form
from issuer import approving, catalog, deferring, looking_up, revoking, signing_in
from issuer.api.access import deployment_of
from issuer.console.desk import Desk
from issuer.operators import Right
from issuer.revoking import Change
from issuer.store.clerks import Clerk
from issuer.store.credentials import IssuedCredential

REASONS: Mapping[Change, tuple[str, ...]] = {
    Change.SUSPEND: ("lost", "under_review", "asked_by_holder", "other"),
    Change.REINSTATE: ("found_again", "review_ended", "asked_by_holder", "other"),
    Change.REVOKE: ("lost", "wrong_details", "replaced", "no_longer_entitled", "asked_by_holder", "in_error", "other"),
}
_RIGHT: Mapping[Change, Right] = {
    Change.SUSPEND: Right.CHANGE_STATUS,
    Change.REINSTATE: Right.CHANGE_STATUS,
    Change.REVOKE: Right.ASK_REVOCATION,
}
MAX_NOTE = 120


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the page of a credential and of each change."""

    @routes.get("/records/{credential_id}")
    async def show(request: Request, credential_id: str) -> Response:
        clerk = await desk.clerk(request, Right.LOOK_UP)
        record = await _record(request, clerk, credential_id)
        deployment = deployment_of(request)
        return desk.render(
            request,
            "record.html",
            record=record,
            events=await looking_up.timeline(deployment, record),
            under_way=await approving.open_for(deployment, record.id),
            changes=await _possible(request, clerk, record),
            done=request.query_params.get("done", "") in {"yes", "asked"},
        )

    @routes.get("/records/{credential_id}/{change}")
    async def ask(request: Request, credential_id: str, change: Change) -> Response:
        clerk = await desk.clerk(request, _RIGHT[change])
        record = await _record(request, clerk, credential_id)
        return await _page(request, desk, record, change, Form())

    @routes.post("/records/{credential_id}/{change}")
    async def do(request: Request, credential_id: str, change: Change) -> Response:
        form = await desk.pages.form(request)
        clerk = await desk.clerk(request, _RIGHT[change])
        record = await _record(request, clerk, credential_id)
        code, note = form.choice("why", REASONS[change]), form.text("note", is_needed=False, most=MAX_NOTE)
        if code == "other" and not note:
            form.fail("note", "console.note_needed")
        if not note.isprintable():
            form.fail("note", "console.note_one_line")
        if form.is_ok:
            try:
                await _change(request, clerk, record, change, f"{code}: {note}" if note else code)
                return desk.to(request, f"/records/{record.id}?done=yes")
            except Conflict:
                form.fail("", "console.settled_meanwhile")
        return await _page(request, desk, record, change, form)


def add_approving(routes: APIRouter, desk: Desk) -> None:
    """Add what a second person does, and taking back."""

    @routes.get("/approvals")
    async def waiting(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.CHANGE_STATUS)
        return await _approvals(request, desk, clerk, Form())

    @routes.post("/approvals")
    async def decide(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk, deployment = await desk.clerk(request, Right.CHANGE_STATUS), deployment_of(request)
        which, wish = form.text("revocation", most=43), form.choice("wish", ("agree", "refuse", "undo"))
        if form.is_ok:
            act = {"agree": approving.agree, "refuse": approving.refuse, "undo": approving.undo}[wish]
            try:
                settled = await act(deployment, which, authority=clerk.authority, actor=clerk.name)
                return desk.to(request, f"/records/{settled.credential_id}?done=yes")
            except (Conflict, NotFound):
                form.fail("", "console.settled_meanwhile")
        return await _approvals(request, desk, clerk, form)


async def _approvals(request: Request, desk: Desk, clerk: Clerk, form: Form) -> Response:
    deployment = deployment_of(request)
    found = await approving.waiting(deployment, clerk.authority)
    lines = [(each, await revoking.find(deployment, each.credential_id)) for each in found]
    return desk.render(
        request,
        "approvals.html",
        status=200 if form.is_ok else 409,
        form=form,
        lines=lines,
        offers=await deferring.waiting(deployment, clerk.authority),
        decided=request.query_params.get("decided", ""),
    )


async def _record(request: Request, clerk: Clerk, credential_id: str) -> IssuedCredential:
    """Return a record of the clerk's own authority; of another's nothing is told, not even that it exists."""
    found = await revoking.find(deployment_of(request), credential_id)
    if found.authority != clerk.authority:
        raise NotFound(Code.CREDENTIAL_UNKNOWN, "there is no record of such a credential")
    return found


async def _possible(request: Request, clerk: Clerk, record: IssuedCredential) -> list[Change]:
    """Return what can be done to this record by this clerk, now."""
    if record.status is Status.REVOKED or await approving.open_for(deployment_of(request), record.id) is not None:
        return []
    wanted = [Change.REVOKE]
    if record.status is Status.SUSPENDED:
        wanted.insert(0, Change.REINSTATE)
    elif catalog.is_suspendable(record.type):
        wanted.insert(0, Change.SUSPEND)
    return [each for each in wanted if signing_in.may(clerk, _RIGHT[each])]


async def _change(request: Request, clerk: Clerk, record: IssuedCredential, change: Change, reason: str) -> None:
    deployment = deployment_of(request)
    if change is Change.REVOKE:
        may_decide = signing_in.may(clerk, Right.CHANGE_STATUS)
        await approving.ask(deployment, record, reason=reason, actor=clerk.name, may_decide=may_decide)
        return
    await looking_up.change_all(deployment, record, change, reason=reason, actor=clerk.name)


async def _page(request: Request, desk: Desk, record: IssuedCredential, change: Change, form: Form) -> Response:
    deployment, clerk = deployment_of(request), request.state.clerk
    waits = change is Change.REVOKE and (
        approving.needs_second_person(deployment, record.authority) or not signing_in.may(clerk, Right.CHANGE_STATUS)
    )
    return desk.render(
        request,
        "change.html",
        status=200 if form.is_ok else 422,
        form=form,
        record=record,
        change=change.value,
        reasons=REASONS[change],
        is_possible=change in await _possible(request, clerk, record),
        waits=waits,
        undo_minutes=approving.undo_seconds(record) // 60 if change is Change.REVOKE else 0,
        most=MAX_NOTE,
    )
