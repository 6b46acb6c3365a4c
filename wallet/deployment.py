"""Everything one wallet process holds, put together; the hosted service and the local file share it."""

from datetime import timedelta
from pathlib import Path

from msgspec import Struct, field

from comity.errors import Code, Misconfigured
from comity.ports import Clock, Fetcher
from comity.runtime.database import Database, open_database
from comity.runtime.evidence import EvidenceShell
from comity.runtime.http import GuardedFetcher
from comity.runtime.neighbour import Neighbour
from comity.runtime.registry_client import RegistryClient
from comity.runtime.status_cache import StatusCache
from wallet import attesting
from wallet.attesting import WalletProvider
from wallet.authorizing import Authorizing
from wallet.custody import Custody
from wallet.deletions import Deletions
from wallet.opening import Opening
from wallet.outbound import Outbound
from wallet.patience import Patience
from wallet.presenting import Presenting
from wallet.receiving import Receiving
from wallet.refilling import Refilling
from wallet.settings import WalletSettings
from wallet.watching import Watching

PEPPER_BYTES = 32


class Deployment(Struct, frozen=True, kw_only=True):
    """What routes and commands work with."""

    clock: Clock
    database: Database
    guarded: GuardedFetcher
    registry: RegistryClient
    custody: Custody
    receiving: Receiving
    authorizing: Authorizing
    refilling: Refilling
    presenting: Presenting
    watching: Watching
    documents: StatusCache
    patience: Patience = field(default_factory=Patience)

    async def close(self) -> None:
        """Let go of connections, threads and files."""
        self.custody.close()
        await self.guarded.close()
        await self.database.close()


class Surroundings(Struct, frozen=True, kw_only=True):
    """Where a wallet stands: its files, its registry, and what it may reach."""

    database_url: str
    folder: Path
    registry_url: str
    registry_root_file: Path
    registry_cache: Path | None = None
    allow_loopback_http: bool = False
    pepper: bytes | None = None
    status_interval: timedelta = timedelta(hours=1)
    session: timedelta = timedelta(minutes=15)
    longest_session: timedelta = timedelta(hours=12)
    attempts: int = 5
    wait: timedelta = timedelta(seconds=60)
    unlock_threads: int = 2
    encrypt_requests: bool = False
    public_url: str | None = None
    provider: WalletProvider | None = None
    neighbour: Neighbour | None = None
    deletions: Path | None = None


def of_settings(settings: WalletSettings) -> Surroundings:
    """Return the surroundings of the hosted wallet.

    Raises:
        Misconfigured: the pepper file does not hold 32 bytes, or the provider's key cannot be used.
    """
    return Surroundings(
        database_url=settings.database,
        folder=settings.data_folder,
        registry_url=settings.registry_url,
        registry_root_file=settings.registry_root_file,
        allow_loopback_http=settings.allow_loopback_http,
        neighbour=settings.neighbour(),
        pepper=pepper_of(settings.pepper_file),
        status_interval=timedelta(seconds=settings.status_refresh_seconds),
        session=timedelta(seconds=settings.session_seconds),
        longest_session=timedelta(seconds=settings.longest_session_seconds),
        attempts=settings.attempts,
        wait=timedelta(seconds=settings.wait_seconds),
        unlock_threads=settings.unlock_threads,
        encrypt_requests=settings.encrypt_requests,
        public_url=settings.public_url,
        provider=provider_of(settings),
        deletions=settings.deletions_file,
    )


def provider_of(settings: WalletSettings) -> WalletProvider | None:
    """Return who vouches for the wallets of this deployment; None when nobody does.

    Raises:
        Misconfigured: the key cannot be used.
    """
    if settings.provider_key_file is None:
        return None
    return attesting.open_provider(settings.provider_key_file, name=settings.public_url, client_id=settings.client_id)


def open_deployment(around: Surroundings, clock: Clock, *, fetcher: Fetcher | None = None) -> Deployment:
    """Put a wallet together; nothing is fetched yet. ``fetcher`` is another door to the outside, for tests.

    Raises:
        Misconfigured: no registry, or a database that cannot be opened.
    """
    guarded = GuardedFetcher(clock, allow_loopback_http=around.allow_loopback_http, neighbour=around.neighbour)
    door = fetcher or guarded
    cache = around.registry_cache or around.folder / "registry"
    registry = RegistryClient(around.registry_url, around.registry_root_file, cache, fetcher=door, clock=clock)
    documents = StatusCache(around.folder / "status", door, clock)
    shell = EvidenceShell(documents)
    database, outbound = open_database(around.database_url), Outbound(fetcher=door)
    receiving = Receiving(
        outbound=outbound, clock=clock, snapshot=registry.snapshot, shell=shell, provider=around.provider
    )
    opening = Opening(
        outbound=outbound, clock=clock, snapshot=registry.snapshot, encrypt_requests=around.encrypt_requests
    )
    authorizing = Authorizing(receiving=receiving, outbound=outbound, clock=clock, public_url=around.public_url)
    return Deployment(
        clock=clock,
        database=database,
        guarded=guarded,
        registry=registry,
        custody=_custody(around, database, clock),
        receiving=receiving,
        refilling=Refilling(receiving=receiving, renew=authorizing.access_again),
        authorizing=authorizing,
        presenting=Presenting(outbound=outbound, clock=clock, opening=opening),
        watching=Watching(clock=clock, snapshot=registry.snapshot, shell=shell, interval=around.status_interval),
        documents=documents,
    )


def pepper_of(path: Path | None) -> bytes | None:
    """Return the pepper in a file, None without one.

    Raises:
        Misconfigured: the file does not hold 32 bytes.
    """
    if path is None:
        return None
    try:
        pepper = path.read_bytes()
    except OSError:
        raise Misconfigured(Code.MISCONFIGURED, "the pepper file cannot be read") from None
    if len(pepper) != PEPPER_BYTES:
        raise Misconfigured(Code.MISCONFIGURED, f"the pepper file must hold exactly {PEPPER_BYTES} random bytes")
    return pepper


def _custody(around: Surroundings, database: Database, clock: Clock) -> Custody:
    return Custody(
        database,
        clock,
        pepper=around.pepper,
        attempts=around.attempts,
        wait=around.wait,
        session=around.session,
        longest_session=around.longest_session,
        threads=around.unlock_threads,
        deletions=Deletions(around.deletions) if around.deletions else None,
    )
