"""Work that services do by themselves, again and again, until they stop."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from comity.errors import ComityError
from comity.runtime.logging import without_message

SHORTEST = 0.8
"""The shortest interval, as a part of the one that is set. Which it is, is drawn for each round: services that started
at the same moment, such as after an outage, do not go on asking the same hosts at the same moment (catalogue Q11)."""

_log = structlog.get_logger("comity.periodic")


@asynccontextmanager
async def periodic(seconds: float, name: str, job: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run ``job`` every ``seconds`` or up to a fifth sooner while the context lasts, the first time after one interval.

    A round that fails, for whatever reason, is logged under ``name`` and the next one comes all the same: a refresh
    that ends silently would leave a service with an ever older registry.
    """
    task = asyncio.create_task(_rounds(seconds, name, job))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _rounds(seconds: float, name: str, job: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(interval(seconds))
        try:
            await job()
        except ComityError as error:
            _log.warning("periodic work failed", job=name, code=error.code.value)
        except Exception as error:  # noqa: BLE001 - the next round must come
            _log.error("periodic work failed", job=name, **without_message(error))


def interval(seconds: float) -> float:
    """Return how long to wait for the next round: between four fifths of ``seconds`` and all of it, never longer."""
    return seconds * (SHORTEST + (1 - SHORTEST) * secrets.randbelow(1001) / 1000)
