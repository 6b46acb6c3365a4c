"""Everybody as real processes around the service under test, founded once for each kind of database."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from comity.demo import cast, founding
from comity.demo.clients import Counter, Desk
from comity.demo.founding import Stage
from comity.demo.processes import Process
from tests.faults.harness import Service
from tests.faults.matrix import LONG
from tests.support.stage import forking

FARE_AUTHORITY = "ca-on/peel/services"
FARE: Mapping[str, Any] = {"eligible": True, "tier": "half", "valid_until": "2027-06-30"}
FARE_FILE = "fare"
"""The record of the fare subsidy in its authority's register, from which further copies are issued."""
SHORT = {
    "issuer": {"ISSUER_DEFERRED_INTERVAL_SECONDS": "1"},
    "verifier": {"VERIFIER_RESULT_SECONDS": "60" if LONG else "20", "VERIFIER_ERASE_EVERY_SECONDS": "0.3"},
}


_settings = Stage.settings


def _quick(stage: Stage, name: str) -> dict[str, str]:
    """Return the settings of a service, with short times: for what a clerk has yet to decide, and for reports."""
    return {**_settings(stage, name), **SHORT.get(name, {})}


@contextlib.contextmanager
def _ours() -> Iterator[None]:
    """Let the demo's founding fork its processes with short times; for as long as this lasts only."""
    authorities = cast.deployment()
    next(each for each in authorities if each["authority"] == FARE_AUTHORITY)["source"] = {"people": cast.PEOPLE_FILE}
    people = {**cast.people(), FARE_FILE: {"fare-subsidy": dict(FARE)}}
    with (
        forking(),
        mock.patch.object(cast, "deployment", return_value=authorities),
        mock.patch.object(cast, "people", return_value=people),
        mock.patch.object(Stage, "settings", _quick),
    ):
        yield


@contextlib.contextmanager
def standing(folder: Path, databases: Mapping[str, str]) -> Iterator[Stage]:
    """Found a federation of forked processes in ``folder``, and stop it at the end."""
    with _ours():
        stage = asyncio.run(founding.found(folder, databases=databases))
    try:
        yield stage
    finally:
        stage.stop()


async def all_up(stage: Stage) -> None:
    """Start again what an earlier trial left dead."""
    async with httpx.AsyncClient(trust_env=False) as connection:
        for name, process in list(stage.processes.items()):
            if process._process is None or process._process.poll() is not None:
                stage.processes[name] = again = _process(stage, name)
                again.start()
                await again.wait_ready(connection)


def service(stage: Stage, name: str) -> Service:
    """Return one service of a federation as the one under test."""
    stage.processes[name].stop()

    def make(more: dict[str, str]) -> Process:
        found = _process(stage, name)
        found.settings = {**found.settings, **more}
        stage.processes[name] = found
        return found

    return Service(make, name.upper())


def _process(stage: Stage, name: str) -> Process:
    with _ours():
        return stage.process(name)


def desk(stage: Stage, connection: httpx.AsyncClient) -> Desk:
    """Return the clerk."""
    return Desk(client=connection, url=stage.urls["issuer"], token=stage.operator_token)


def counter(stage: Stage, connection: httpx.AsyncClient) -> Counter:
    """Return the relying party."""
    return Counter(client=connection, url=stage.urls["verifier"], token=stage.relying_party_token)
