"""What an issuer deployment sets (``ISSUER_…``)."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from comity.openid.identity_provider import is_issuer
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
        long_offer_seconds: how long an offer can be used that is collected later, at home; always with a code.
        wallet_url: the hosted wallet that a clerk may open at the counter for a person without a phone.
        token_seconds: how long an access token can be used; a bearer token lives 5 minutes at most.
        nonce_seconds: how long a nonce can be used.
        require_dpop: refuse wallets that do not prove that an access token is theirs; recommended in production.
        client_authentication: ``required`` refuses wallets that do not show who made them; HAIP demands it.
        wallet_providers_file: JSON: who vouches for wallets and for their keys; absent trusts nobody.
        clients_file: JSON: clients that are registered with their keys (``private_key_jwt``); absent: none.
        attestation_challenges: proofs of a client attestation need a challenge of this server.
        attestation_seconds: oldest client attestation that is fresh enough.
        retry_seconds: how long after delivery a lost answer can be asked for again; then the claims are erased.
        erase_every_seconds: how often what is due is erased.
        transaction_code_attempts: wrong transaction codes after which an offer is dead.
        batch_size: most copies of one credential in one request.
        pushed_seconds: how long a pushed authorization request can be used.
        sign_in_seconds: how long a person may take to sign in and agree.
        code_seconds: how long an authorization code can be used.
        refresh_seconds: how long after the sign-in a wallet can get the credential anew; 0 gives no refresh tokens.
        demo_sign_in: people sign in by choosing a name from a list; absent: in development without a provider.
        identity_provider_issuer: the OpenID provider at which people sign in, exactly as it calls itself.
        identity_provider_client_id: how this issuer is registered there.
        identity_provider_client_secret: absent: ``private_key_jwt`` with a key of our own.
        identity_provider_scope: what is asked for there.
        identity_provider_subject_claim: the claim that is the person's file number.
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
    long_offer_seconds: int = Field(default=259_200, ge=600, le=1_209_600)
    wallet_url: BaseUrl | None = None
    token_seconds: int = Field(default=300, ge=1, le=300)
    nonce_seconds: int = Field(default=300, ge=1, le=600)
    require_dpop: bool = False
    client_authentication: Literal["optional", "required"] = "optional"
    wallet_providers_file: Path | None = None
    clients_file: Path | None = None
    attestation_challenges: bool = True
    attestation_seconds: int = Field(default=86_400, ge=60, le=2_678_400)
    retry_seconds: int = Field(default=600, ge=0, le=600)
    erase_every_seconds: float = Field(default=10.0, gt=0)
    transaction_code_attempts: int = Field(default=5, ge=1, le=5)
    batch_size: int = Field(default=8, ge=2, le=100)
    pushed_seconds: int = Field(default=60, ge=1, le=90)
    sign_in_seconds: int = Field(default=600, ge=60, le=3600)
    code_seconds: int = Field(default=60, ge=1, le=60)
    refresh_seconds: int = Field(default=2_592_000, ge=0, le=31_536_000)
    demo_sign_in: bool | None = None
    identity_provider_issuer: str | None = None
    identity_provider_client_id: str = ""
    identity_provider_client_secret: SecretStr | None = None
    identity_provider_scope: str = "openid"
    identity_provider_subject_claim: str = "sub"
    encryption_required: bool = False
    encryption_key_seconds: int = Field(default=86_400, ge=600, le=30 * 86_400)
    deferred_interval_seconds: int = Field(default=60, ge=1, le=86_400)
    deferred_seconds: int = Field(default=14 * 86_400, ge=300, le=90 * 86_400)

    @property
    def keys_folder(self) -> Path:
        """Where the keys of this deployment lie."""
        return self.data_folder / "keys"

    @property
    def is_demo_sign_in(self) -> bool:
        """Whether people sign in by choosing a name from a list."""
        if self.demo_sign_in is None:
            return self.identity_provider_issuer is None and not self.is_production
        return self.demo_sign_in

    @property
    def sign_in_redirect_uri(self) -> str:
        """Where the identity provider sends browsers back to; to be registered there."""
        return f"{self.public_url}/sign-in/callback"

    @model_validator(mode="after")
    def _check_provider(self) -> Self:
        issuer = self.identity_provider_issuer
        if issuer is not None and not (is_issuer(issuer) and self.identity_provider_client_id):
            raise ValueError("IDENTITY_PROVIDER_ISSUER must be an https URL, with IDENTITY_PROVIDER_CLIENT_ID")
        if issuer is not None and self.demo_sign_in:
            raise ValueError("DEMO_SIGN_IN and IDENTITY_PROVIDER_ISSUER exclude each other")
        if "openid" not in self.identity_provider_scope.split():
            raise ValueError("IDENTITY_PROVIDER_SCOPE must hold openid")
        return self

    def refuse_in_production(self) -> Iterator[str]:
        """See :meth:`ServiceSettings.refuse_in_production`."""
        yield from super().refuse_in_production()
        yield from reasons_against_url("STATUS_PUBLIC_URL", self.status_public_url)
        if self.demo_sign_in:
            yield "DEMO_SIGN_IN must not be set: it lets everybody sign in as anybody"
        if self.identity_provider_issuer is not None:
            yield from reasons_against_url("IDENTITY_PROVIDER_ISSUER", self.identity_provider_issuer)
        if self.wallet_url is not None:
            yield from reasons_against_url("WALLET_URL", self.wallet_url)
