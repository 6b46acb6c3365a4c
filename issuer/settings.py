"""What an issuer deployment sets (``ISSUER_…``)."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from comity.runtime.settings import BaseUrl, ServiceSettings, reasons_against_url
from comity.status.bits import MINIMUM_ENTRIES


class IssuerSettings(ServiceSettings):
    """Settings of one issuer deployment, which may host several authorities.

    Attributes:
        authorities_file: JSON: who issues from here, and which types.
        operators_file: JSON: who may use the operators' API, and as what.
        status_public_url: where the world reads the status lists; the static host behind it serves
            ``status_directory``.
        status_directory: where the lists are written.
        status_ttl_seconds: how long a copy of a list may be used.
        status_valid_seconds: how long a signed list holds; it is signed anew at half of that.
        status_list_size: entries of a new list.
        status_lists_open: lists of one authority that take entries at one time.
        publish_seconds: how long changes are gathered before lists are written.
        offer_seconds: how long a pre-authorized code can be used.
        token_seconds: how long an access token can be used; a bearer token lives 5 minutes at most.
        nonce_seconds: how long a nonce can be used.
        require_dpop: refuse wallets that do not prove that an access token is theirs; recommended in production.
        retry_seconds: how long after delivery a lost answer can be asked for again; then the claims are erased.
        erase_every_seconds: how often what is due is erased.
        transaction_code_attempts: wrong transaction codes after which an offer is dead.
        batch_size: most copies of one credential in one request.
        encryption_required: refuse plain credential requests, and requests for plain answers.
        encryption_key_seconds: how long a key for encrypted requests stands in the metadata; it is read twice as long.
        deferred_interval_seconds: how long a wallet waits before it asks again for what a clerk has yet to decide.
        deferred_seconds: how long a decision may take, and a token bound by DPoP lives that waits for it.
    """

    model_config = SettingsConfigDict(env_prefix="ISSUER_", frozen=True, extra="forbid", hide_input_in_errors=True)
    service: ClassVar[str] = "issuer"

    authorities_file: Path
    operators_file: Path
    status_public_url: BaseUrl
    status_directory: Path
    status_ttl_seconds: int = Field(default=300, ge=1, le=86_400)
    status_valid_seconds: int = Field(default=86_400, ge=60)
    status_list_size: int = Field(default=MINIMUM_ENTRIES, ge=MINIMUM_ENTRIES, le=1 << 24, multiple_of=8)
    status_lists_open: int = Field(default=2, ge=2, le=64)
    publish_seconds: float = Field(default=1.0, ge=0)
    offer_seconds: int = Field(default=600, ge=1, le=600)
    token_seconds: int = Field(default=300, ge=1, le=300)
    nonce_seconds: int = Field(default=300, ge=1, le=600)
    require_dpop: bool = False
    retry_seconds: int = Field(default=600, ge=0, le=600)
    erase_every_seconds: float = Field(default=10.0, gt=0)
    transaction_code_attempts: int = Field(default=5, ge=1, le=5)
    batch_size: int = Field(default=8, ge=2, le=100)
    encryption_required: bool = False
    encryption_key_seconds: int = Field(default=86_400, ge=600, le=30 * 86_400)
    deferred_interval_seconds: int = Field(default=60, ge=1, le=86_400)
    deferred_seconds: int = Field(default=14 * 86_400, ge=300, le=90 * 86_400)

    @property
    def keys_folder(self) -> Path:
        """Where the keys of this deployment lie."""
        return self.data_folder / "keys"

    def refuse_in_production(self) -> Iterator[str]:
        """See :meth:`ServiceSettings.refuse_in_production`."""
        yield from super().refuse_in_production()
        yield from reasons_against_url("STATUS_PUBLIC_URL", self.status_public_url)
