"""Finding routes by the last part of their path, where all that stands before it names whose they are."""

from collections.abc import Iterable

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

_TEMPLATE = "/{path:path}/"


class Endings(BaseRoute):
    """Stands before other routes, and hands requests to ``/{path:path}/<ending>`` to the route of that ending.

    Routes are otherwise tried in turn, each with a regular expression. The routes themselves stay where they are: they
    are described there, and refuse other methods there.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Take those among ``routes`` that are found like this."""
        found = (each for each in routes if isinstance(each, Route) and each.path.startswith(_TEMPLATE))
        named = ((each, each.path.removeprefix(_TEMPLATE)) for each in found)
        self._routes = {
            (method, ending): route
            for route, ending in named
            if not {"/", "{"} & set(ending)
            for method in route.methods or ()
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route of a request."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path, _, ending = scope["path"].rpartition("/")
        route = self._routes.get((scope["method"], ending))
        if route is None or not path.startswith("/"):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": route.endpoint, "path_params": {"path": path[1:]}, "route": route}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found answer."""
        await scope["route"].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Leave names to the routes themselves."""
        raise NoMatchFound(name, path_params)
