"""The wallet as one encrypted file on the citizen's own machine: the same engine, one account, no service."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from comity.errors import Code, ComityError, Misconfigured, NotFound
from comity.ports import Clock
from comity.runtime import installation, migrations
from wallet.deployment import Deployment, Surroundings, open_deployment
from wallet.records import OpenWallet

ACCOUNT = "local"


class Opened(Struct, frozen=True, kw_only=True):
    """A local wallet, unlocked, with its engine. ``recovery_code`` is set when the file was made just now."""

    deployment: Deployment
    wallet: OpenWallet
    recovery_code: str | None = None


@asynccontextmanager
async def opened(file: Path, passphrase: str, clock: Clock, *, create: bool = False) -> AsyncIterator[Opened]:
    """Open the wallet in ``file`` and close it again; the registry is that of this machine's installation.

    Raises:
        NotFound: there is no such file and ``create`` is not set.
        Denied: ``passphrase_wrong``.
        Misconfigured: no registry is known here.
    """
    left = installation.load()
    root = Path(left.registry_root_file)
    url, is_new = await asyncio.to_thread(_prepare, file, create=create)
    around = Surroundings(
        database_url=url,
        folder=file.parent / f"{file.name}.cache" / await asyncio.to_thread(_federation, root),
        registry_url=left.registry_url,
        registry_root_file=root,
        allow_loopback_http=left.allow_loopback_http,
    )
    deployment = open_deployment(around, clock)
    is_open = False
    try:
        if is_new:
            wallet, code = await deployment.custody.create(ACCOUNT, passphrase)
        else:
            wallet, code = await deployment.custody.unlock(ACCOUNT, passphrase), None
        try:
            await deployment.registry.refresh()
        except ComityError:
            deployment.registry.snapshot()  # what is on disk will do; with nothing on disk this says so
        await deployment.receiving.recover(wallet)
        is_open = True
        yield Opened(deployment=deployment, wallet=wallet, recovery_code=code)
    finally:
        await deployment.close()
        if is_new and not is_open:  # nobody was shown the recovery code; the next try begins anew
            await asyncio.to_thread(_remove, file)


def _prepare(file: Path, *, create: bool) -> tuple[str, bool]:
    """Return the database URL of the wallet file, brought up to date, and whether it was made just now."""
    is_new = not file.exists()
    if is_new and not create:
        raise NotFound(Code.NOT_FOUND, f"there is no wallet file {file}; 'comity wallet create' makes one")
    url = f"sqlite:///{file.absolute()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    migrations.upgrade(url, "wallet")
    return url, is_new


def _federation(root_file: Path) -> str:
    """Name the cache after the root of trust: copies of another federation's lists and registry are worth nothing.

    Raises:
        Misconfigured: the root file cannot be read.
    """
    try:
        return hashlib.sha256(root_file.read_bytes()).hexdigest()[:16]
    except OSError:
        raise Misconfigured(Code.MISCONFIGURED, "the registry's root file cannot be read") from None


def _remove(file: Path) -> None:
    for each in (file, *(file.with_name(f"{file.name}-{ending}") for ending in ("wal", "shm"))):
        each.unlink(missing_ok=True)
