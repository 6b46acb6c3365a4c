"""Waiting for what comes in its own time, as long as a loaded machine may take; what never comes fails the test."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 120.0
"""No test passes or fails by how long something took; this only ends those in which it never comes."""


async def until(has_come: Callable[[], Awaitable[bool]], what: str, *, every_seconds: float = 0.01) -> None:
    """Ask again and again until ``has_come`` says so.

    Raises:
        AssertionError: it did not come; ``what`` says what should have.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await has_come():
                await asyncio.sleep(every_seconds)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None
