"""What one running issuer is made of; handed to every use case."""

from collections.abc import Mapping
from dataclasses import dataclass

from comity.errors import Code, NotFound
from comity.ports import ClaimsSource, Clock
from comity.runtime.database import Database
from issuer.authorities import Authority
from issuer.catalog import CatalogEntry
from issuer.encryption import RequestKeys
from issuer.secrecy import Secrecy
from issuer.status_lists import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers from the settings, named as there; durations in seconds."""

    offer_seconds: int
    token_seconds: int
    nonce_seconds: int
    retry_seconds: int
    transaction_code_attempts: int
    batch_size: int
    deferred_interval_seconds: int
    deferred_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
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
        request_keys: the keys of encrypted requests.
        require_dpop: whether bearer tokens are refused.
        encryption_required: whether plain credential requests and answers are refused.
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
    require_dpop: bool = False
    encryption_required: bool = False

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
