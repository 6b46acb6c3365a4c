"""Real services for the tests of a run: registry, status host, issuer, wallet and verifier, each its own process."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from comity.demo import founding
from comity.demo.founding import Stage


@contextmanager
def standing(folder: Path, *, databases: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """Found a federation in ``folder``, which must not exist, and stop its services at the end.

    ``databases`` gives services a database of their own, by name; SQLite files in the folder otherwise.
    """
    made = asyncio.run(founding.found(folder, databases=databases))
    try:
        yield made
    finally:
        made.stop()
