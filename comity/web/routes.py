"""Routes that FastAPI analyses when they are first asked or described, and once.

FastAPI reads the signature and the types of a route when it is added, and all of that again when the router that holds
it is included. A service has about sixty routes and a start, like a test, asks a few of them: the others need to be
found, and that takes their path and their methods alone (decision record 0041).
"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path, get_name


class LateRoute(APIRoute):
    """A route that can be found at once, and whose function is looked at when it is first needed.

    What FastAPI would say against the function is said then; ``tests/services/wallet/test_routes.py`` asks every
    route of every service.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Note what finds the route; ``options`` are those of ``APIRoute``."""
        self._later = {"path": path, "endpoint": endpoint, **options}
        self.path, self.endpoint = path, endpoint
        self.name = options.get("name") or get_name(endpoint)
        self.methods = {method.upper() for method in options.get("methods") or ("GET",)}
        self.include_in_schema = options.get("include_in_schema", True)
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)

    def __getattr__(self, name: str) -> Any:
        """Let FastAPI make the rest of the route; only what is not there yet is asked for here.

        Raises:
            AttributeError: a route has no such attribute.
        """
        later = self.__dict__.pop("_later", None)
        if later is None:
            raise AttributeError(name)
        APIRoute.__init__(self, **later)
        return getattr(self, name)


def take_over(app: FastAPI, router: APIRouter) -> None:
    """Let ``app`` answer at the routes of ``router``, as they are.

    ``include_router`` would make every one of them anew, to add a prefix, tags or dependencies; here there are none.
    """
    app.router.routes.extend(router.routes)
