"""What one running issuer is made of; handed to every use case."""

from collections.abc import Mapping

from msgspec import Struct, field

from comity.errors import Code, NotFound
from comity.ports import ClaimsSource, Clock
from comity.runtime.database import Database
from comity.runtime.refusals import Refusals
from comity.runtime.webhooks.delivery import Webhooks
from issuer.attestation_status import AttestationStatus
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.client_trust import ClientTrust
from issuer.encryption import RequestKeys
from issuer.identity import IdentityProvider
from issuer.secrecy import Secrecy
from issuer.sources import Roll
from issuer.status_lists import Publisher
from issuer.store.open_lists import OpenLists


class Limits(Struct, frozen=True, kw_only=True):
    """Numbers from the settings, named as there; durations in seconds."""

    offer_seconds: int
    long_offer_seconds: int
    token_seconds: int
    nonce_seconds: int
    retry_seconds: int
    transaction_code_attempts: int
    batch_size: int
    deferred_interval_seconds: int
    deferred_seconds: int
    pushed_seconds: int = 60
    sign_in_seconds: int = 600
    code_seconds: int = 60
    refresh_seconds: int = 0


class Deployment(Struct, frozen=True, kw_only=True):
    """One issuer deployment.

    Attributes:
        public_url: what every link of this service starts with.
        authorities: by path.
        catalogs: what each authority issues: path → configuration id → entry.
        sources: where the claims of an authority come from; absent where clerks type them.
        database: the store's database.
        clock: the time.
        secrecy: everything derived from the deployment's secret.
        publisher: writes status lists.
        limits: numbers.
        open_lists: which status lists take entries, as last read.
        request_keys: the keys of encrypted requests.
        refusals: counts what wallets are refused.
        webhooks: whoever is told what happens.
        attestation_status: looks up whether attestations were taken back.
        require_dpop: whether bearer tokens are refused.
        encryption_required: whether plain credential requests and answers are refused.
        identity_provider: where people sign in; None for the demo's own page, or for nowhere.
        demo_sign_in: whether people sign in by choosing a name from a list. Never in production.
        client_trust: whom this deployment trusts as client.
        wallet_url: the hosted wallet that a clerk may open for the person present; None for none.
    """

    public_url: str
    authorities: Mapping[str, Authority]
    catalogs: Mapping[str, Mapping[str, CatalogEntry]]
    sources: Mapping[str, ClaimsSource]
    database: Database
    clock: Clock
    secrecy: Secrecy
    publisher: Publisher
    limits: Limits
    request_keys: RequestKeys
    refusals: Refusals
    webhooks: Webhooks
    attestation_status: AttestationStatus
    require_dpop: bool = False
    encryption_required: bool = False
    identity_provider: IdentityProvider | None = None
    demo_sign_in: bool = False
    client_trust: ClientTrust = field(default_factory=ClientTrust)
    open_lists: OpenLists = field(default_factory=OpenLists)
    wallet_url: str | None = None

    def can_sign_in(self, authority: Authority) -> bool:
        """Say whether people can sign in and get credentials of this authority: it needs a source of claims."""
        source: object = self.sources.get(authority.path)
        if source is None:
            return False
        return self.identity_provider is not None or (self.demo_sign_in and isinstance(source, Roll))

    def now(self) -> int:
        """Return the current instant in whole Unix seconds."""
        return int(self.clock.now().timestamp())

    def authority(self, path: str) -> Authority:
        """Return the authority at ``path``.

        Raises:
            NotFound: ``authority_unknown``.
        """
        found = self.authorities.get(path)
        if found is None:
            raise NotFound(Code.AUTHORITY_UNKNOWN, "no such authority issues from here")
        return found
