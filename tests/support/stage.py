"""Real services for the tests of a run: registry, status host, issuer, wallet and verifier, each its own process."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

from comity.demo import founding
from comity.demo.founding import Stage
from tests.support import nursery
from tests.support.nursery import Grown


@contextmanager
def standing(folder: Path, *, databases: Mapping[str, str] | None = None, forked: bool = True) -> Iterator[Stage]:
    """Found a federation in ``folder``, which must not exist, and stop its services at the end.

    ``databases`` gives services a database of their own, by name; SQLite files in the folder otherwise. Its processes
    and set-up commands are forked from one that has loaded everything; unless ``forked``, each is started as people
    start it, which takes five times as long.
    """
    with forking() if forked else nullcontext():
        made = asyncio.run(founding.found(folder, databases=databases))
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def forking() -> Iterator[None]:
    """Let the demo's founding fork its processes, for as long as this lasts only."""
    with mock.patch.object(founding, "Process", Grown), mock.patch.object(founding, "run", nursery.run):
        yield
