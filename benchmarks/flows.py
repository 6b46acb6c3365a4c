"""Whole flows over HTTP: real service processes, SQLite and PostgreSQL, one and two workers, and a client of its own.

An issuance is five requests from the clerk's call to the credential, bound by DPoP; a presentation is four from the
relying party's call to its report, signed and encrypted. Both databases flush every commit to the disk. What the table
calls CPU is that of the service's processes, from ``/proc``; PostgreSQL's own and the client's are not in it.

Each worker is warmed by a hundred flows first. A new process compiles each SQL statement once, and each of its new
connections prepares it once more; with two workers twice as much of that is to be done. Two hundred flows that began
after sixteen were told as a third dearer with two workers, and the next two hundred were not (``benchmarks/floor.md``).
"""

import asyncio
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.credentials import Row
from comity import strict_json
from comity.demo.founding import Stage
from comity.demo.processes import Process
from tests.support import postgres, stage
from tests.support.world import DEMO_CLAIMS, LICENCE

FLOWS, AT_ONCE, WARM = 200, 8, 100
"""Flows that count, how many at one time, and how many of them warm each worker before."""
WHATS = {"issuance": "issuer", "presentation": "verifier"}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: how many flows a second, the milliseconds of half and of 99 in 100, and the service's CPU for each."""

    what: str
    database: str
    workers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failed: int


def measure() -> list[Measured]:
    """Run everything; PostgreSQL is left out, and said to be, where there is none."""
    found = _on("SQLite", {}, workers=(1,))
    if (why := postgres.why_not()) is not None:
        print(f"PostgreSQL is not measured: {why}", file=sys.stderr)
        return found
    postgres.OPTIONS.update({"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"})
    is_ours = postgres.begin_run()
    try:
        with postgres.database() as issuer, postgres.database() as verifier:
            found += _on("PostgreSQL", {"issuer": issuer, "verifier": verifier}, workers=(1, 2))
    finally:
        if is_ours:
            postgres.end_run()
    return found


def rows(found: list[Measured]) -> list[Row]:
    """Return what two workers cost against one, by flow."""
    by = {(each.what, each.database, each.workers): each.cpu_ms * 1000 for each in found}
    return [
        Row(
            measure=f"service CPU of one {what}, PostgreSQL, 2 workers",
            against="1 worker",
            ours_us=by[what, "PostgreSQL", 2],
            yardstick_us=by[what, "PostgreSQL", 1],
            must=1.15,
        )
        for what in WHATS
        if (what, "PostgreSQL", 2) in by
    ]


def table(found: list[Measured], busy: str) -> str:
    """Return the runs as Markdown; ``busy`` says what else the machine did."""
    head = (
        f"\n## Whole flows over HTTP\n\n{FLOWS} flows, {AT_ONCE} at once, after {WARM} for each worker that do not "
        f"count; services and client share {os.cpu_count()} cores. Every commit is flushed. {busy}\n\n"
        "| flow | database | workers | flows/s | p50 ms | p99 ms | service CPU ms/flow | failed |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {each.what} | {each.database} | {each.workers} | {each.per_second:.1f} | {each.p50_ms:.0f} "
        f"| {each.p99_ms:.0f} | {each.cpu_ms:.1f} | {each.failed} |\n"
        for each in found
    )


def load() -> str:
    """Say how busy the machine is now: seconds of a busy machine are not those of an idle one."""
    return f"Load average of the machine when it began: {os.getloadavg()[0]:.1f}."


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed."""
    return sorted_values[max(0, math.ceil(len(sorted_values) * share - 1e-9) - 1)]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of all processes below it."""
    parents, used = dict[int, int](), dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(path.parent.name)] = int(fields[1])
        used[int(path.parent.name)] = int(fields[11]) + int(fields[12])
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(used.get(each, 0) for each in family) / _TICKS


def _on(database: str, databases: dict[str, str], *, workers: tuple[int, ...]) -> list[Measured]:
    with (
        tempfile.TemporaryDirectory() as folder,
        stage.standing(Path(folder) / "town", databases=databases, forked=False) as town,
    ):
        return [_run(town, what, service, database, count) for count in workers for what, service in WHATS.items()]


def _run(town: Stage, what: str, service: str, database: str, workers: int) -> Measured:
    process = town.process(service)
    process.arguments = [*process.arguments, "--workers", str(workers)]
    # The demo looks at status lists every second; a verifier that nobody told so takes the lists' own ttl.
    process.settings = {
        name: value
        for name, value in process.settings.items()
        if name not in {"VERIFIER_MAX_STATUS_AGE_SECONDS", "ISSUER_PUBLISH_SECONDS"}
    }
    town.processes[service].stop()
    town.processes[service] = process
    process.start()
    asyncio.run(_ready(process))
    asked = {
        "what": what,
        "issuer": town.urls["issuer"],
        "verifier": town.urls["verifier"],
        "operator_token": town.operator_token,
        "relying_party_token": town.relying_party_token,
        "claims": dict(DEMO_CLAIMS[LICENCE]),
        "flows": FLOWS,
        "at_once": AT_ONCE,
        "warm": WARM * workers,
    }
    with _client(asked) as client:
        before = cpu_seconds(process.pid)
        told = client()
        used = cpu_seconds(process.pid) - before
    took = sorted(told["took"])
    return Measured(
        what=what,
        database=database,
        workers=workers,
        per_second=FLOWS / told["seconds"],
        p50_ms=percentile(took, 0.5),
        p99_ms=percentile(took, 0.99),
        cpu_ms=used / FLOWS * 1000,
        failed=told["failed"],
    )


async def _ready(process: Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await process.wait_ready(client)


@contextmanager
def _client(asked: dict[str, Any]) -> Iterator[Any]:
    """Start the client, wait until it is warm, and yield what lets it begin and returns what it tells."""
    command = [sys.executable, "-m", "benchmarks.flow_client"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:  # noqa: S603  (our own)
        if client.stdin is None or client.stdout is None:
            raise AssertionError("the client has pipes")
        sent, said = client.stdin, client.stdout
        sent.write(strict_json.serialise(asked) + b"\n")
        sent.flush()
        if said.readline().strip() != b"warm":
            raise AssertionError("the client did not get warm; see its errors above")

        def begin() -> dict[str, Any]:
            sent.write(b"go\n")
            sent.flush()
            return strict_json.parse_object(said.readline(), max_bytes=1 << 22)

        yield begin


if __name__ == "__main__":
    BUSY = load()
    MEASURED = measure()
    print(table(MEASURED, BUSY))
    for line in rows(MEASURED):
        print(f"{line.measure} against {line.against}: {line.ratio:.2f}")
