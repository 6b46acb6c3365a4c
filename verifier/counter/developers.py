"""For who builds it into a site: examples that really run, and a button for other people's pages."""

from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.web import i18n
from comity.web.routes import LateRoute
from verifier import policies
from verifier.counter.face import Face

_HERE = Path(__file__).parent
SNIPPETS = {"curl": "ask.sh.txt", "Python": "ask.py.txt", "JavaScript": "ask.mjs.txt"}
"""Language → file; ``tests/services/verifier/test_snippets.py`` runs each of them."""
_HOUR = "public, max-age=3600"
_TEXTS = {each.name: each.read_text(encoding="utf-8") for each in sorted((_HERE / "snippets").iterdir())}
_BUTTON = (_HERE / "static" / "button.js").read_bytes()
"""Both are read once: what is shown belongs to the software that runs."""


def router(face: Face) -> APIRouter:
    """Return the developers' page and the button."""
    routes, base = APIRouter(include_in_schema=False, route_class=LateRoute), face.pages.public_url

    @routes.get("/{lang:lang}/developers")
    async def show(request: Request) -> Response:
        language = face.pages.language(request)
        return face.pages.render(
            request,
            "developers.html",
            snippets=[(name, snippet(file, base)) for name, file in SNIPPETS.items()],
            button=button(base, language),
            policies=list(policies.POLICIES),
        )

    @routes.get("/embed/button.js")
    async def serve_button() -> Response:
        """Return the script of the button, which pages of other sites load."""
        headers = {"cache-control": _HOUR, "cross-origin-resource-policy": "cross-origin"}
        headers["access-control-allow-origin"] = "*"  # a module script of another site is fetched with CORS
        return Response(_BUTTON, media_type="text/javascript", headers=headers)

    return routes


def snippet(file: str, base: str) -> str:
    """Return one example for the verifier at ``base``."""
    return _TEXTS[file].replace("@BASE@", base)


def button(base: str, language: str) -> str:
    """Return the HTML of the button for somebody's page."""
    words = i18n.text("counter.prove_age", language)
    return snippet("button.html.txt", base).replace("@LANG@", language).replace("@WORDS@", words)
