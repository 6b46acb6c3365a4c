"""Webhooks: which systems of the office are told what happens, what came of each telling, and sending it again."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.runtime.webhooks.delivery import ATTEMPTS, KEPT_SECONDS, TEST
from comity.runtime.webhooks.outbox import Endpoint
from comity.runtime.webhooks.state import State
from comity.web import i18n
from comity.web.forms import Form
from issuer import subscribing
from issuer.api.access import deployment_of
from issuer.console.desk import Desk
from issuer.operators import Right
from issuer.store.clerks import Clerk
from issuer.store.webhooks import TYPES

SHOWN = 50
_WISHES = ("test", "retry", "renew", "remove")
_BADGES = {State.DELIVERED: "good", State.WAITING: "info", State.GIVEN_UP: "bad"}
_TOLD = {"tested", "retried", "removed"}


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the list of the addresses."""

    @routes.get("/webhooks")
    async def show(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.MANAGE_WEBHOOKS)
        return await _list(request, desk, clerk, Form())

    @routes.post("/webhooks")
    async def add(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk, deployment = await desk.clerk(request, Right.MANAGE_WEBHOOKS), deployment_of(request)
        url = form.text("url", most=subscribing.LONGEST_URL)
        types = [each for each in form.texts("types") if each in TYPES]
        if not form.is_ok:
            return await _list(request, desk, clerk, form)
        added = await subscribing.add(deployment, clerk.authority, url, types, actor=clerk.name)
        if isinstance(added, subscribing.Wrong):
            form.fail("url", f"webhooks.wrong_{added.value}", count=subscribing.MOST)
            return await _list(request, desk, clerk, form)
        endpoint, secret = added
        return await _one(request, desk, endpoint, done="added", secret=secret)


def add_log(routes: APIRouter, desk: Desk) -> None:
    """Add the page of one address: its delivery log, and what can be done with it."""

    @routes.get("/webhooks/{endpoint_id}")
    async def show(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.MANAGE_WEBHOOKS)
        return await _one(request, desk, await _named(request, clerk), done=request.query_params.get("done", ""))

    @routes.post("/webhooks/{endpoint_id}")
    async def change(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk, deployment = await desk.clerk(request, Right.MANAGE_WEBHOOKS), deployment_of(request)
        wish, endpoint = form.choice("wish", _WISHES), await _named(request, clerk)
        if not form.is_ok:
            return await _one(request, desk, endpoint, form=form)
        if wish == "renew":
            secret = await subscribing.renew(deployment, endpoint, actor=clerk.name)
            return await _one(request, desk, endpoint, done="renewed", secret=secret)
        if wish == "remove":
            await subscribing.remove(deployment, endpoint, actor=clerk.name)
            return desk.to(request, "/webhooks?done=removed")
        if wish == "test":
            await deployment.webhooks.test(endpoint.id)
            return desk.to(request, f"/webhooks/{endpoint.id}?done=tested")
        await deployment.webhooks.retry(endpoint.id)
        return desk.to(request, f"/webhooks/{endpoint.id}?done=retried")


async def _named(request: Request, clerk: Clerk) -> Endpoint:
    return await subscribing.find(deployment_of(request), clerk.authority, request.path_params["endpoint_id"])


async def _list(request: Request, desk: Desk, clerk: Clerk, form: Form) -> Response:
    deployment = deployment_of(request)
    endpoints = await subscribing.own(deployment, clerk.authority)
    done = request.query_params.get("done", "")
    return desk.render(
        request,
        "webhooks.html",
        status=200 if form.is_ok else 422,
        form=form,
        endpoints=[(each, await subscribing.last(deployment, each)) for each in endpoints],
        others=await subscribing.of_the_operator(deployment),
        types=TYPES,
        done=done if done in _TOLD and form.is_ok else "",
        **_words(request, desk),
    )


async def _one(
    request: Request, desk: Desk, endpoint: Endpoint, *, done: str = "", secret: str = "", form: Form | None = None
) -> Response:
    deployment, form = deployment_of(request), form or Form()
    asked = request.query_params.get("state", "")
    state = State(asked) if asked in set(State) else None
    return desk.render(
        request,
        "webhook.html",
        status=200 if form.is_ok else 422,
        form=form,
        endpoint=endpoint,
        secret=secret,
        done=done if secret or done in _TOLD else "",
        state=state,
        states=list(State),
        lines=await deployment.webhooks.log(endpoint.id, state=state, limit=SHOWN),
        may_retry=await subscribing.has_given_up(deployment, endpoint),
        shown=SHOWN,
        attempts=ATTEMPTS,
        kept_days=KEPT_SECONDS // 86_400,
        **_words(request, desk),
    )


def _words(request: Request, desk: Desk) -> dict[str, Any]:
    """Return what templates use to say what was told, and what came of it."""
    language = desk.pages.language(request)

    def kind(name: str) -> str:
        return i18n.text(f"webhooks.kind_{(name if name in (*TYPES, TEST) else 'other').replace('.', '_')}", language)

    def outcome(said: str) -> str:
        if said.isdecimal():
            return i18n.text("webhooks.answered", language, status=said)
        key = f"codes.{said}.title"
        return i18n.text(key if i18n.has(key, language) else "webhooks.no_answer", language)

    def state_word(state: State) -> str:
        return i18n.text(f"webhooks.state_{state.value}", language)

    return {"kind": kind, "outcome": outcome, "badge_of": lambda state: _BADGES[state], "state_word": state_word}
