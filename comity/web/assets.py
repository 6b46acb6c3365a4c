"""Static files under names that change with their content, so that browsers may keep each of them for a year.

``look.css`` is put together from the parts in ``static/look/`` and from the colours of every credential type: a page
may hold no style of its own (strict Content-Security-Policy), so what a card looks like must stand in a file.
"""

import hashlib
import mimetypes
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

import schemas
from comity.errors import Code, NotFound

PREFIX = "/static/"
LONG = "public, max-age=31536000, immutable"
LOOK = "look.css"
_OWN = Path(__file__).parent / "static"
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml"}
_LOGO_LETTERS = 4


class Asset(Struct, frozen=True, kw_only=True):
    """One file: the name it is served under, its type and its bytes."""

    served_as: str
    media_type: str
    content: bytes


class Assets:
    """The static files of one face: those that all faces share, and its own (which win where names are the same)."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        files = {LOOK: _look()}
        for folder in (_OWN, *folders):
            if folder.is_dir():
                files |= {each.name: each.read_bytes() for each in sorted(folder.iterdir()) if each.is_file()}
        self._by_name: Mapping[str, Asset] = {name: _asset(name, content) for name, content in files.items()}
        self._served = {each.served_as: each for each in self._by_name.values()}

    def url(self, name: str) -> str:
        """Return the path of the file called ``name``.

        Raises:
            KeyError: there is no such file.
        """
        return PREFIX + self._by_name[name].served_as

    def urls(self) -> list[str]:
        """Return the path of every file, for a service worker that keeps them."""
        return [PREFIX + each for each in sorted(self._served)]

    async def answer(self, request: Request) -> Response:
        """Answer ``GET /static/{name}``.

        Raises:
            NotFound: there is no file of this name with this content.
        """
        found = self._served.get(request.path_params["name"])
        if found is None:
            raise NotFound(Code.NOT_FOUND)
        return Response(found.content, media_type=found.media_type, headers={"cache-control": LONG})


def card_class(slug: str, version: int) -> str:
    """Return the class under which the look of a type's card stands in ``look.css``."""
    return f"card-{slug}-{version}"


def logo_letters(jurisdiction: str) -> str:
    """Return what stands on a card where others have a logo: the jurisdiction's letters, such as ``ON``."""
    return jurisdiction.rpartition("/")[2].rpartition("-")[2].upper()[:_LOGO_LETTERS]


def _asset(name: str, content: bytes) -> Asset:
    stem, dot, suffix = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:16]
    media_type = _TYPES.get(dot + suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(served_as=f"{stem}.{digest}.{suffix}", media_type=media_type, content=content)


def _look() -> bytes:
    parts = [each.read_text(encoding="utf-8") for each in sorted((_OWN / "look").glob("*.css"))]
    return "\n".join([*parts, *_cards()]).encode()


def _cards() -> Iterable[str]:
    """Yield one rule for each credential type: its colours, which schemas give."""
    for slug, version in schemas.all_types():
        colours = _colours(schemas.type_metadata(slug, version))
        if colours:
            yield f".{card_class(slug, version)}{{--card-paper:{colours[0]};--card-ink:{colours[1]}}}"


def _colours(metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    simple = metadata["display"][0].get("rendering", {}).get("simple", {})
    paper, ink = str(simple.get("background_color", "")), str(simple.get("text_color", ""))
    return (paper, ink) if _COLOUR.fullmatch(paper) and _COLOUR.fullmatch(ink) else None
