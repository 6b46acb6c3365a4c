"""The wallet on a home screen: a manifest for each language, and a shell that says so when there is no network.

The service worker keeps static files and one page without anybody's data. Cards that are readable without network are
kept by a script of the pages, sealed (:mod:`wallet.pages.offline`).
"""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response

from comity.web import i18n
from wallet.pages.face import Face


def router(face: Face) -> APIRouter:
    """Return the routes below the language."""
    routes = face.routes()

    @routes.get("/app.webmanifest")
    async def manifest(request: Request) -> Response:
        language = face.language(request)
        return JSONResponse(_manifest(face, language), media_type="application/manifest+json")

    return routes


def add_worker(face: Face, app: FastAPI) -> None:
    """Serve the service worker at the top, so that it may answer for every page."""

    @cache
    def content() -> str:
        return face.pages.text("worker.js", shell=_shell(face), version=face.pages.assets.url("look.css"))

    async def worker(_request: Request) -> Response:
        return Response(content(), media_type="text/javascript", headers={"cache-control": "no-cache"})

    app.add_route("/worker.js", worker, methods=["GET"], include_in_schema=False)


def _shell(face: Face) -> list[str]:
    return [*(f"/{each}/offline" for each in i18n.LANGUAGES), *face.pages.assets.urls()]


def _manifest(face: Face, language: str) -> dict[str, Any]:
    """Return the web application manifest (W3C)."""
    icon = face.pages.assets.url("mark.svg")
    return {
        "id": "/",
        "name": i18n.text("wallet.site_name", language),
        "short_name": i18n.text("wallet.short_name", language),
        "description": i18n.text("wallet.about", language),
        "lang": f"{language}-CA",
        "dir": "ltr",
        "start_url": f"/{language}/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#f6f4ee",
        "theme_color": "#0a5760",
        "icons": [{"src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        "shortcuts": [{"name": i18n.text("wallet.nav.door", language), "url": f"/{language}/door"}],
    }
