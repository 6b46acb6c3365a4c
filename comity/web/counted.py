"""Protocol routes whose refusals are counted for the audit (decision record 0029)."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from comity.errors import Code, ComityError, Denied

Count = Callable[[Request, ComityError], None]
"""Takes note of a refusal. It neither waits nor fails: the answer comes after it."""


def install(app: FastAPI, count: Count) -> None:
    """Let every :class:`CountedRoute` of ``app`` tell ``count`` what it refuses."""
    app.state.count_refusal = count


def tell(request: Request, error: ComityError) -> None:
    """Count a refusal that a route answers by itself."""
    request.app.state.count_refusal(request, error)


class CountedRoute(APIRoute):
    """A route of which every refusal is counted, and then answered as ever."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its refusals counted."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except ComityError as error:
                tell(request, error)
                raise
            if response.status_code == 401:  # no token at all: a challenge, without an error code (RFC 6750 §3.1)
                tell(request, Denied(Code.NOT_AUTHENTICATED, "no access token"))
            return response

        return answer


def endpoint_of(request: Request) -> str:
    """Return the last fixed part of the route's template, such as ``token``; never what was asked for."""
    template = str(getattr(request.scope.get("route"), "path", ""))
    return next((part for part in reversed(template.split("/")) if part and "{" not in part), "")
