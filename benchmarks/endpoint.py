"""CPU of one credential request, beside a bare ASGI application that does the same signing and the same commits.

The issuer runs as a process of its own, over SQLite or PostgreSQL. This process is the client: it prepares offers,
tokens bound by DPoP, nonces and proofs first, so that nothing but the credential endpoint is asked while it counts.
Then the database is copied, and the bare application (``benchmarks/bare_endpoint.py`` says what it does, and what it
leaves out) takes the very same requests over its copy. Both take turns, eight requests at once. What counts is the CPU
of all threads of each server, from ``/proc``; the least of all turns, as everywhere; PostgreSQL's own is in neither.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import make_url

from benchmarks.credentials import Row
from comity import strict_json
from comity.demo.clients import answer_of
from comity.demo.processes import HOST, START_SECONDS, command, environment, free_ports
from comity.keys import KeySigner
from comity.openid import dpop, key_proof
from comity.runtime.clock import SystemClock
from tests.services.issuer.deployed import GRANT, LICENCE, ON, PUBLIC_URL, Place
from tests.support import postgres

TURNS, REQUESTS, AT_ONCE = 6, 60, 8
"""Turns, the first of which only warms up; how many requests each has, and how many of them at one time."""
MUST = 2.5
_ISSUER = f"{PUBLIC_URL}/{ON}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One credential request, as it goes over the wire."""

    headers: Mapping[str, str]
    body: bytes


def measure() -> list[Row]:
    """Measure on each database that there is."""
    rows = [_on_sqlite()]
    if (why := postgres.why_not()) is not None:
        print(f"PostgreSQL is not measured: {why}", file=sys.stderr)
        return rows
    postgres.OPTIONS.update({"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"})
    is_ours = postgres.begin_run()
    try:
        return [*rows, _on_postgresql()]
    finally:
        if is_ours:
            postgres.end_run()


def _on_sqlite() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        place, copy = Place(Path(folder) / "place"), Path(folder) / "copy.db"

        def copied() -> str:
            url = make_url(place.settings().database)
            shutil.copy(str(url.database), copy)  # nobody has it open
            return str(copy)

        return _row("SQLite", _measured(place, copied))


def _on_postgresql() -> Row:
    with tempfile.TemporaryDirectory() as folder, postgres.database() as url:
        place, copies = Place(Path(folder) / "place", database=url), list[str]()

        def copied() -> str:
            copies.append(postgres.create(template=url))
            return copies[0]

        try:
            return _row("PostgreSQL", _measured(place, copied))
        finally:
            for each in copies:
                postgres.drop(each)


def _row(database: str, took: list[tuple[float, float]]) -> Row:
    return Row(
        measure=f"credential endpoint, one request, {database}",
        against="bare ASGI application, same signing, same commits",
        ours_us=min(ours for ours, _ in took),
        yardstick_us=min(bare for _, bare in took),
        must=MUST,
    )


def _measured(place: Place, copied: Callable[[], str]) -> list[tuple[float, float]]:
    """Return the microseconds of CPU of one request, of the issuer and of the bare application, turn by turn."""
    place.prepare()
    ports = free_ports(2)
    issuer = command("issuer", "serve", "--port", str(ports[0])), _settings(place)
    with _running(ports[0], *issuer):
        prepared = asyncio.run(_prepare(ports[0], place.tokens["clerk"]))
    bare = [sys.executable, "-m", "benchmarks.bare_endpoint", str(ports[1]), copied()], dict[str, str]()
    with _running(ports[0], *issuer) as ours, _running(ports[1], *bare) as theirs:
        return asyncio.run(_turns(prepared, {ours: ports[0], theirs: ports[1]}))[1:]


def _settings(place: Place) -> Mapping[str, str]:
    named = place.settings(publish_seconds=1.0).model_dump(exclude_none=True)
    plain = {name: value for name, value in named.items() if isinstance(value, str | int | float | Path)}
    secret = {} if place.database is None else {"DATABASE_URL": place.database}
    return {f"ISSUER_{name.upper()}": str(value) for name, value in (plain | secret).items()}


@contextmanager
def _running(port: int, arguments: Sequence[str], settings: Mapping[str, str]) -> Iterator[int]:
    """Start a server, wait until it answers, yield its process id, and stop it."""
    with subprocess.Popen(  # noqa: S603  (our own commands)
        arguments, env=environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            end = time.monotonic() + START_SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"{arguments[-4:]} does not answer")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://{HOST}:{port}/readyz", trust_env=False)
    except httpx.HTTPError:
        return False
    return True


async def _prepare(port: int, clerk: str) -> list[Prepared]:
    """Return as many requests as are sent, each with a token, a nonce and keys of its own."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(
        base_url=f"http://{HOST}:{port}", trust_env=False, timeout=60, limits=limits
    ) as client:
        room = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(_prepared(client, clerk, room) for _ in range(TURNS * REQUESTS)))


async def _prepared(client: httpx.AsyncClient, clerk: str, room: asyncio.Semaphore) -> Prepared:
    wanted = {"authority": ON, "type": "drivers-licence/1", "claims": LICENCE, "transaction_code": False}
    headers, now = {"authorization": f"Bearer {clerk}"}, SystemClock().now()
    key, bound = KeySigner.generate(), KeySigner.generate()
    async with room:
        offer = answer_of(await client.post("/api/v1/offers", json=wanted, headers=headers))
        given = await client.post(f"/{ON}/nonce")
        form = {
            "grant_type": GRANT,
            "pre-authorized_code": offer["credential_offer"]["grants"][GRANT]["pre-authorized_code"],
        }
        own = given.headers[dpop.NONCE_HEADER]
        proven = dpop.build(bound, method="POST", url=f"{_ISSUER}/token", at=now, nonce=own)
        token = answer_of(await client.post(f"/{ON}/token", data=form, headers={dpop.HEADER: proven}))["access_token"]
    proof = key_proof.build(key, audience=_ISSUER, nonce=answer_of(given)["c_nonce"], issued_at=now)
    proven = dpop.build(bound, method="POST", url=f"{_ISSUER}/credential", at=now, nonce=own, access_token=token)
    body = {"credential_configuration_id": offer["configuration_ids"][0], "proofs": {"jwt": [proof]}}
    sent = {"authorization": f"DPoP {token}", dpop.HEADER: proven, "content-type": "application/json"}
    return Prepared(headers=sent, body=strict_json.serialise(body))


async def _turns(prepared: list[Prepared], ports: Mapping[int, int]) -> list[tuple[float, float]]:
    """Send every request to each server; return the microseconds of CPU of one, by turn, in the order of ``ports``."""
    took = list[tuple[float, float]]()
    for first in range(0, len(prepared), REQUESTS):
        some = prepared[first : first + REQUESTS]
        ours, bare = [await _turn(some, pid, port) for pid, port in ports.items()]
        took.append((ours, bare))
    return took


async def _turn(some: list[Prepared], pid: int, port: int) -> float:
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client:
        before = cpu_nanoseconds(pid)
        sent = (client.post(f"http://{HOST}:{port}/{ON}/credential", headers=x.headers, content=x.body) for x in some)
        for answer in await asyncio.gather(*sent):
            if not answer_of(answer)["credentials"]:
                raise AssertionError("no credential came")
        return (cpu_nanoseconds(pid) - before) / 1000 / len(some)


def cpu_nanoseconds(pid: int) -> int:
    """Return the CPU time of all threads of a process, as the scheduler counts it (proc(5), ``schedstat``)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text("ascii").split()[0]) for each in threads)


if __name__ == "__main__":
    for row in measure():
        print(f"| {row.measure} | {row.against} | {row.ours_us:.0f} | {row.yardstick_us:.0f} | {row.ratio:.2f} |")
