"""The examples on the developers' page, run as they stand: curl, Python and Node, against a verifier on a socket."""

import asyncio
import html
import os
import re
import shutil
import sys
from pathlib import Path

import httpx
import pytest

from comity.demo.processes import free_ports
from comity.web.serving import beside
from tests.services.verifier.deployed import PUBLIC_URL, Deployed
from tests.services.verifier.federation import LICENCE
from tests.services.verifier.till import Till
from verifier.counter.developers import SNIPPETS, snippet

COMMANDS = {"curl": ["sh"], "Python": [sys.executable], "JavaScript": ["node"]}
SECONDS = 120.0
LINK = re.compile(rb"openid4vp://\S+")


def without_lifespan(verifier: Deployed):  # type: ignore[no-untyped-def]
    """Return the verifier's application, which runs already."""

    async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "lifespan":
            await verifier.app(scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    return app


async def first_link(process: asyncio.subprocess.Process, seen: bytearray) -> str:
    """Return the link that an example shows as a QR code."""
    assert process.stdout is not None
    while not (found := LINK.search(bytes(seen))):
        line = await process.stdout.readline()
        assert line, bytes(seen)
        seen += line
    return found[0].decode()


@pytest.mark.parametrize("name", sorted(SNIPPETS))
async def test_an_example_asks_waits_and_reads_the_answer(verifier: Deployed, tmp_path: Path, name: str) -> None:
    if shutil.which(COMMANDS[name][0]) is None or (name == "curl" and shutil.which("curl") is None):
        pytest.skip(f"{name} is not on this machine")
    (port,) = free_ports(1)
    file = tmp_path / SNIPPETS[name].removesuffix(".txt")
    file.write_text(snippet(SNIPPETS[name], f"http://localhost:{port}"), encoding="utf-8")
    async with beside(without_lifespan(verifier), "localhost", port), asyncio.timeout(SECONDS):
        environment = {"PATH": os.environ["PATH"], "COMITY_TOKEN": verifier.tokens["bar"], "NO_PROXY": "*"}
        process = await asyncio.create_subprocess_exec(
            *COMMANDS[name], str(file), env=environment, stdout=asyncio.subprocess.PIPE
        )
        seen = bytearray()
        link = await first_link(process, seen)
        request_id = re.search(r"requests%2F([A-Za-z0-9_-]{43})", link)
        assert request_id is not None
        chosen = {"drivers-licence_sdjwt": (verifier.held(LICENCE, age_over_19=True), ("age_over_19",))}
        assert (await verifier.answer({"link": link, "request_id": request_id[1]}, chosen)).status_code == 200
        rest, _ = await process.communicate()
    assert (process.returncode, b"accepted" in rest) == (0, True), bytes(seen) + rest


async def test_the_page_shows_the_very_same_examples(verifier: Deployed) -> None:
    page: httpx.Response = await Till(verifier).get("/developers")
    for file in SNIPPETS.values():
        assert snippet(file, PUBLIC_URL) in html.unescape(page.text)
