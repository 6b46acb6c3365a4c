"""The status host: a small static server for published status lists. It knows no keys, no database, no secrets.

A CDN or any web server can take its place: what it serves is what lies in the directory, by the layout that
:mod:`issuer.status_lists` describes. Whoever asks for a list here does not meet the issuer.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

DEFAULT_MAX_AGE = 60
"""Seconds a cache may keep a list without asking; must not exceed the lists' ttl."""

_LIST = re.compile(r"/((?:[a-z0-9][a-z0-9-]{0,63}/){1,8}status/[0-9]{1,9})(?:/(revocation|suspension))?\Z")
_AGGREGATION = re.compile(r"/((?:[a-z0-9][a-z0-9-]{0,63}/){1,8}status/lists)\Z")
_TYPES: Mapping[str, str] = {
    "token": "application/statuslist+jwt",
    "revocation": "application/vc+jwt",
    "suspension": "application/vc+jwt",
    "lists": "application/json",
}
_MAX_KEPT = 512


class _Version(Struct, frozen=True, kw_only=True):
    """One version of one file, read into memory."""

    identity: tuple[int, int, int]
    body: bytes
    etag: str


class StatusHost:
    """An ASGI application that serves one directory."""

    def __init__(self, directory: Path, *, max_age: int = DEFAULT_MAX_AGE) -> None:
        self._directory = directory
        self._max_age = max_age
        self._kept: dict[Path, _Version] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's questions about start and end."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self.answer(Request(scope))(scope, receive, send)

    def answer(self, request: Request) -> Response:
        """Return the file that a URL names, or 304, 404 or 405."""
        if request.method not in {"GET", "HEAD"}:
            return Response(status_code=405, headers={"allow": "GET, HEAD"})
        if request.url.path == "/healthz":
            return Response(b'{"status":"ok"}', media_type="application/json")
        # The raw path: what was percent-encoded is no list, and nothing is decoded twice.
        file = _file_of(request.scope["raw_path"].decode("latin-1").partition("?")[0])
        if file is None:
            return _missing()
        path, name = self._directory / file, file.rpartition("/")[2]
        zipped = self._version(path.with_name(f"{name}.gz")) if _takes_gzip(request) else None
        version = zipped or self._version(path)
        if version is None:
            return _missing()
        headers = {
            "etag": version.etag,
            "cache-control": f"public, max-age={self._max_age}",
            "vary": "Accept-Encoding",
            "access-control-allow-origin": "*",
            "x-content-type-options": "nosniff",
        }
        if zipped is not None:
            headers["content-encoding"] = "gzip"
        if _is_known(request.headers.get("if-none-match", ""), version.etag):
            return Response(status_code=304, headers=headers)
        return Response(version.body, headers=headers, media_type=_TYPES[name])

    def _version(self, path: Path) -> _Version | None:
        """Return the file at ``path``, from memory while it is the same file on disk; None when there is none."""
        try:
            status = path.stat()
            identity = (status.st_mtime_ns, status.st_ino, status.st_size)
            kept = self._kept.get(path)
            if kept is not None and kept.identity == identity:
                return kept
            body = path.read_bytes()
        except OSError:
            return None
        version = _Version(identity=identity, body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[path] = version
        return version


def _file_of(path: str) -> str | None:
    """Return which file of the directory a path names; None for anything else."""
    if aggregation := _AGGREGATION.match(path):
        return aggregation[1]
    found = _LIST.match(path)
    return None if found is None else f"{found[1]}/{found[2] or 'token'}"


def _takes_gzip(request: Request) -> bool:
    """Read ``Accept-Encoding`` (RFC 9110 §12.5.3); a client that names gzip with ``q=0`` does not take it."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_known(if_none_match: str, etag: str) -> bool:
    """Compare weakly (RFC 9110 §13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return bool(tags & {etag, "*"})


def _missing() -> Response:
    return Response(b"there is no such status list", 404, {"cache-control": "no-store"}, "text/plain")


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the server's start and end; there is nothing to open or close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
