"""An installation on disk as a demo leaves it, made by the library: a registry, caches that are filled, keys."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from comity import cli, strict_json
from comity.credential import Format, Status
from comity.demo.pocket import tampered
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime.clock import FixedClock
from comity.runtime.held import registry_client
from comity.runtime.http import TableFetcher
from comity.runtime.installation import Installation
from comity.runtime.keystore import FileKeyStore
from comity.runtime.registry_repository import RegistryRepository
from comity.runtime.status_cache import StatusCache
from comity.trust.authoring import Edit, type_edit
from comity.verification.status import BITSTRING_LIST_TYPE, TOKEN_LIST_TYPE
from tests.support.world import LICENCE, NOW, PERSON, Authority, World

REVOKED = 11
NOBODY = "http://localhost:9"
"""Where nothing listens."""


class Published(Fetcher):
    """Serves a registry's published folder at ``NOBODY``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def fetch(self, request: FetchRequest) -> Fetched:
        path = self.folder / request.url.removeprefix(NOBODY).lstrip("/")
        body = path.read_bytes() if path.is_file() else b""
        status = 200 if body else 404
        return Fetched(
            url=request.url, status=status, content_type="application/json", body=body, headers={}, fetched_at=NOW
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the installation lies, and credentials to try on it, by file name."""

    folder: Path
    installation: Installation
    files: Mapping[str, str]


def furnish(folder: Path) -> Desk:
    """Make an installation below ``folder`` as of ``NOW``, with every cache filled and nothing running."""
    world = World()
    world.on.bits.set(REVOKED, Status.REVOKED)
    world.publish()
    installation = Installation(
        registry_url=NOBODY,
        registry_root_file=str(folder / "registry" / "root.json"),
        registry_cache=str(folder / "cache" / "registry"),
        status_cache=str(folder / "cache" / "status"),
        allow_loopback_http=True,
        place="ca-on",
        data_folders={"issuer": str(folder / "issuer")},
    )
    repository = RegistryRepository.create(folder / "registry", FixedClock(NOW), name_en="Test", name_fr="Essai")
    repository.apply(_edits(world))
    asyncio.run(_fill(installation, repository.public_folder, world))
    FileKeyStore(folder / "issuer" / "keys").create("ca-on/services/credential")
    installation.save(folder / ".comity")
    for name, encoded in (files := _files(world)).items():
        (folder / name).write_text(encoded + "\n", encoding="ascii")
    return Desk(folder=folder, installation=installation, files=files)


def _edits(world: World) -> list[Edit]:
    edits: list[Edit] = [type_edit("person/1"), type_edit("drivers-licence/1")]
    for authority in (world.bc, world.on):
        place = authority.authority.partition("/")[0]
        entry = authority.registry_entry()
        given = {name: entry[name] for name in ("authority", "name", "identifiers", "status_signers")}
        named = {"en": place, "fr": place}
        edits += [
            {"edit": "member", "id": place, "name": named, "level": "province", "since": "2026-01-01"},
            {"edit": "delegation", "to": place, "types": ["person/1", "drivers-licence/1"]},
            {"edit": "issuer", **given, "types": list(authority.types), "since": "2026-01-01"},
        ]
    return edits


async def _fill(installation: Installation, published: Path, world: World) -> None:
    clock = FixedClock(NOW)
    await registry_client(installation, Published(published), clock).refresh()
    wanted = [
        (url, kind, body)
        for authority in (world.bc, world.on)
        for url, kind, body in (
            (authority.document_url, "application/json", authority.document),
            (authority.list_uri(), TOKEN_LIST_TYPE, authority.token_list().encode()),
            *(
                (authority.list_uri(each), BITSTRING_LIST_TYPE, authority.bitstring_list(each).encode())
                for each in _BITS
            ),
        )
    ]
    answers = {
        url: Fetched(url=url, status=200, content_type=t, body=b, headers={}, fetched_at=NOW) for url, t, b in wanted
    }
    cache = StatusCache(Path(installation.status_cache), TableFetcher(answers), clock)
    for url, kind, _ in wanted:
        await cache.get(url, (kind,))


_BITS = ("revocation", "suspension")


def _files(world: World) -> dict[str, str]:
    sd, w3c = Format.DC_SD_JWT, Format.VC_JWT

    def issue(authority: Authority, kind: Format, what: Any = PERSON, **changes: Any) -> str:
        return world.issue(authority, kind, what, **changes).encoded

    good = issue(world.bc, sd)
    body = good.partition("~")[0]
    return {
        "person.sdjwt": good,
        "licence.vcjwt": issue(world.on, w3c, LICENCE),
        "revoked.sdjwt": issue(world.on, sd, LICENCE, status=world.on.status_entries(sd, REVOKED)),
        "expired.sdjwt": issue(world.bc, sd, valid_until=world.credential(world.bc, sd, PERSON).valid_from),
        "not-accredited.sdjwt": issue(world.bc, sd, LICENCE),
        "unknown.sdjwt": issue(world.stranger, sd),
        "tampered.sdjwt": tampered(good, "family_name", "Somebody Else"),
        "signature.sdjwt": good.replace(body, body[:-6] + ("AAAAAA" if body[-6:] != "AAAAAA" else "AAAAAE")),
        "presented.sdjwt": world.present(world.issue(world.bc, sd, PERSON)),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        return strict_json.parse_object(self.out)


def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Told:
    """Run ``comity`` with ``arguments`` in this process, as its entry point does."""
    monkeypatch.setattr(sys, "argv", ["comity", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return Told(code=int(ended.value.code or 0), out=out, err=err)


class Service(ThreadingHTTPServer):
    """Answers every request with ``answer`` and tells ``date`` as the time."""

    answer = 200
    date = ""

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Answer)
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        service = self.server
        assert isinstance(service, Service)
        self.send_response_only(service.answer)
        if service.date:
            self.send_header("Date", service.date)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
