"""Protocol routes whose refusals are counted for the audit (decision record 0036)."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from comity.errors import Code, ComityError, Denied, Malformed
from comity.web.routes import LateRoute

Count = Callable[[Request, ComityError], None]
"""Takes note of a refusal. It neither waits nor fails: the answer comes after it."""
_REFUSED, _TOLD = "refused_before_reading", "refusal_is_told"


def install(app: FastAPI, count: Count, routes: Sequence[BaseRoute]) -> None:
    """Let every :class:`CountedRoute` of ``app`` tell ``count`` what it refuses.

    ``routes`` are those of the application's routers, without a prefix of the application's: which of them a request
    is for must be known of one that no route may read (:func:`hand_over`).
    """
    app.state.count_refusal = count
    app.state.counted_routes = tuple(each for each in routes if isinstance(each, CountedRoute))


def tell(request: Request, error: ComityError) -> None:
    """Count a refusal that a route answers by itself. Of one request the first counts, which knows best."""
    if not getattr(request.state, _TOLD, False):
        setattr(request.state, _TOLD, True)
        request.app.state.count_refusal(request, error)


def hand_over(scope: Scope, error: ComityError) -> bool:
    """Let a counted route refuse, in its own words, what is refused before anything is read of it.

    Returns:
        False when no counted route is asked; the caller answers then.
    """
    routes: Sequence[CountedRoute] = getattr(scope["app"].state, "counted_routes", ())
    if not any(each.path_regex.match(scope["path"]) and scope["method"] in (each.methods or ()) for each in routes):
        return False
    scope["state"][_REFUSED] = error
    return True


class CountedRoute(LateRoute):
    """A route of which every refusal is counted, and then answered as ever."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its refusals counted."""
        handle = self.get_own_handler()

        async def answer(request: Request) -> Response:
            try:
                refused = getattr(request.state, _REFUSED, None)
                if refused is not None:
                    raise refused
                response = await handle(request)
            except ComityError as error:
                tell(request, error)
                return await self.refuse(request, error)
            if response.status_code == 401:  # no token at all: a challenge, without an error code (RFC 6750 §3.1)
                tell(request, Denied(Code.NOT_AUTHENTICATED, "no access token"))
            return response

        return answer

    def get_own_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request that was not refused before; here it is FastAPI's."""
        return super().get_route_handler()

    async def refuse(self, _request: Request, error: ComityError) -> Response:
        """Answer a refusal in the way of whom this route is for; here that is left to the application."""
        raise error

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count one that is made in another way than this address takes."""
        if scope["method"] not in (self.methods or ()):
            tell(Request(scope), Malformed(Code.METHOD_NOT_ALLOWED))
        await super().handle(scope, receive, send)


class DirectRoute(CountedRoute):
    """A counted route whose function takes the request and the parts of its path, and answers with a response.

    FastAPI describes it, and is asked nothing about a request: there is nothing that it could read, check or convert.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Note what answers; ``options`` are those of FastAPI's ``APIRoute``."""
        super().__init__(path, endpoint, **options)
        self._answer = self.get_route_handler()

    def get_own_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function of the route itself."""
        endpoint = self.endpoint

        async def answer(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; one that is made in another way than this address takes is counted and refused."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


def endpoint_of(request: Request) -> str:
    """Return the last fixed part of the route's template, such as ``token``; never what was asked for."""
    return endpoint_of_template(str(getattr(request.scope.get("route"), "path", "")))


def endpoint_of_template(template: str) -> str:
    """Return the last fixed part of the template of a route."""
    return next((part for part in reversed(template.split("/")) if part and "{" not in part), "")
