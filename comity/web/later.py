"""What a service needs only when somebody asks for it is loaded once the service answers, in a thread.

A page, an encrypted answer or a passkey each need a package that takes as long to load as some fifty modules of ours.
A start does not wait for them (``benchmarks/floor.md``), and nor does whoever first asks: they are imported where they
are used, and before that here. The event loop meets such an import only in the first moments after a start.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from importlib import import_module

import structlog

from comity.runtime.logging import without_message

WAIT_SECONDS = 1.0
"""How long after a start: what asks whether the service is up is answered first."""
OF_EVERY_SERVICE = ("pydantic.v1", "jinja2", "joserfc.jwe")
"""What FastAPI loads for the first route that it analyses; what draws pages; what encrypts and decrypts."""

_log = structlog.get_logger("comity.web")


@contextlib.asynccontextmanager
async def loading_later(modules: Iterable[str]) -> AsyncIterator[asyncio.Task[None]]:
    """Load ``modules`` a moment after the service has started, one after the other; less when it ends before."""
    task = asyncio.create_task(_load_later(tuple(modules)))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _load_later(modules: Iterable[str]) -> None:
    await asyncio.sleep(WAIT_SECONDS)
    await load(modules)


async def load(modules: Iterable[str]) -> None:
    """Load ``modules`` in threads. One that cannot be loaded is logged: who needs it is told by what they ask."""
    for name in modules:
        try:
            await asyncio.to_thread(import_module, name)
        except Exception as error:  # noqa: BLE001  (the others are loaded all the same)
            _log.error("module not loaded", module=name, **without_message(error))
