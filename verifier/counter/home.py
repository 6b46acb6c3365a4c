"""The verifier's first page, and where a wallet sends a person whose relying party named no address of its own."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from verifier.counter.face import Face


def router(face: Face) -> APIRouter:
    """Return the pages for whoever comes by."""
    routes = face.pages.router()

    @routes.get("/")
    async def show(request: Request) -> Response:
        return face.pages.render(request, "home.html")

    return routes
