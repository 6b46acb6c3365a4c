"""Everything one verifier process holds, put together from its settings."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from comity.errors import Code, Misconfigured
from comity.openid.presentation.parameters import ResponseMode
from comity.openid.presentation.verifier_info import ENTITLEMENT, VerifierInfo
from comity.ports import Clock, Fetcher
from comity.runtime.database import Database, open_database
from comity.runtime.evidence import EvidenceShell
from comity.runtime.http import GuardedFetcher
from comity.runtime.keystore import FileKeyStore
from comity.runtime.refusals import Refusals
from comity.runtime.registry_client import RegistryClient
from comity.runtime.status_cache import StatusCache
from comity.runtime.webhooks.delivery import Webhooks
from comity.verification.status import StatusDemand
from comity.web.live import Bell
from verifier import identity, policy_file, store
from verifier.clients import Clients
from verifier.journal import Journal
from verifier.keyring import keys_of
from verifier.pairing import Pairing
from verifier.policy_file import OwnPolicy
from verifier.relying_parties import RelyingParties
from verifier.requesting import Requesting
from verifier.same_device import SameDevice
from verifier.scanning import Scanning
from verifier.settings import VerifierSettings
from verifier.signing_in import SigningIn
from verifier.verifying import Verifying


class Deployment(Struct, frozen=True, kw_only=True):
    """What the routes work with."""

    settings: VerifierSettings
    keys: FileKeyStore
    database: Database
    fetcher: Fetcher
    registry: RegistryClient
    relying_parties: RelyingParties
    bell: Bell
    requesting: Requesting
    verifying: Verifying
    same_device: SameDevice
    documents: StatusCache
    pairing: Pairing
    journal: Journal
    refusals: Refusals
    webhooks: Webhooks
    signing_in: SigningIn

    async def close(self) -> None:
        """Let go of connections, threads and files."""
        if isinstance(self.fetcher, GuardedFetcher):
            await self.fetcher.close()
        await self.database.close()


def bridge_of(settings: VerifierSettings) -> str:
    """Return the issuer identifier of the bridge to OpenID Connect; it may have a path, so one host is enough."""
    return f"{settings.public_url}/oidc"


def open_deployment(settings: VerifierSettings, clock: Clock, fetcher: Fetcher | None = None) -> Deployment:
    """Put a verifier together; nothing is fetched yet.

    Args:
        settings: what the installation sets.
        clock: the time.
        fetcher: sends the requests; a guarded one of its own when absent.

    Raises:
        Misconfigured: no keys, no registry, no relying parties' file.
    """
    keys = keys_of(settings)
    own = identity.load(keys, settings.public_url, settings.client_id_prefix, settings.attestation_file)
    parties = RelyingParties.load(settings.relying_parties_file)
    fetcher = fetcher or GuardedFetcher(
        clock, allow_loopback_http=settings.allow_loopback_http, neighbour=settings.neighbour()
    )
    folder = settings.data_folder
    registry = RegistryClient(
        settings.registry_url, settings.registry_root_file, folder / "registry", fetcher=fetcher, clock=clock
    )
    database = open_database(settings.database)
    bell, documents = Bell(), StatusCache(folder / "status", fetcher, clock)
    policies = policy_file.load(settings.policies_file)
    requesting = _requesting(settings, policies, own=own, database=database, registry=registry, clock=clock, bell=bell)
    verifying = Verifying(
        requesting=requesting,
        snapshot=registry.snapshot,
        shell=EvidenceShell(documents),
        status=StatusDemand(max_age_seconds=settings.max_status_age_seconds, accept_stale=settings.accept_stale_status),
        keep=timedelta(seconds=settings.result_seconds),
    )
    return Deployment(
        settings=settings,
        keys=keys,
        database=database,
        fetcher=fetcher,
        registry=registry,
        relying_parties=parties,
        bell=bell,
        requesting=requesting,
        verifying=verifying,
        same_device=SameDevice(requesting=requesting),
        documents=documents,
        pairing=Pairing(database=database, clock=clock),
        journal=_journal(verifying, settings, policies),
        refusals=Refusals(database=database, tables=store.REFUSALS, clock=clock),
        webhooks=Webhooks(outbox=store.OUTBOX, database=database, clock=clock, fetcher=fetcher, key=own.seal),
        signing_in=_signing_in(verifying, keys, settings),
    )


def _requesting(
    settings: VerifierSettings,
    policies: Mapping[str, OwnPolicy],
    *,
    own: identity.Identity,
    database: Database,
    registry: RegistryClient,
    clock: Clock,
    bell: Bell,
) -> Requesting:
    return Requesting(
        database=database,
        identity=own,
        clock=clock,
        public_url=settings.public_url,
        place=settings.place or None,
        response_mode=ResponseMode(settings.response_mode),
        lifetime=timedelta(seconds=settings.request_seconds),
        on_change=bell.ring,
        snapshot=registry.snapshot,
        trusted_authorities=settings.trusted_authorities,
        verifier_info=_verifier_info(settings),
        own_policies={name: each.prepare for name, each in policies.items()},
    )


def _verifier_info(settings: VerifierSettings) -> tuple[VerifierInfo, ...]:
    """Return the entitlement that is sent along; not verified here, since wallets do not believe this verifier.

    Raises:
        Misconfigured: the file cannot be read.
    """
    if settings.entitlement_file is None:
        return ()
    try:
        data = settings.entitlement_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(Code.MISCONFIGURED, "the entitlement file cannot be read") from None
    return (VerifierInfo(format=ENTITLEMENT, data=data),)


def _journal(verifying: Verifying, settings: VerifierSettings, policies: Mapping[str, OwnPolicy]) -> Journal:
    """Return the counters' journal over the same registry, documents and demands as every verification."""
    clock, shell = verifying.requesting.clock, verifying.shell
    scanning = Scanning(clock=clock, snapshot=verifying.snapshot, shell=shell, status=verifying.status)
    own = {name: preset for name, each in policies.items() if (preset := each.preset()) is not None}
    return Journal(verifying=verifying, scanning=scanning, keep=timedelta(days=settings.history_days), own=own)


def _signing_in(verifying: Verifying, keys: FileKeyStore, settings: VerifierSettings) -> SigningIn:
    """Return the bridge to OpenID Connect; its key is looked for when it is needed first."""
    requesting, issuer = verifying.requesting, bridge_of(settings)
    seal = requesting.identity.seal
    clients = Clients(database=requesting.database, clock=requesting.clock, seal=seal, issuer=issuer)
    return SigningIn(verifying=verifying, clients=clients, signer=lambda: keys.signer(identity.ID_TOKEN), issuer=issuer)
