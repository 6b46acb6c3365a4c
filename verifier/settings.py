"""What a verifier installation sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from comity.runtime.settings import BaseUrl, RegistryReaderSettings, ServiceSettings, reasons_against_url
from comity.trust.places import PROVINCES_AND_TERRITORIES


class VerifierSettings(RegistryReaderSettings, ServiceSettings):
    """Settings of the verifier; environment variables begin with ``VERIFIER_``.

    Attributes:
        place: ISO 3166-2:CA code of the place of use assumed when a relying party names none, such as ``ca-on``.
        relying_parties_file: JSON list of ``{name, token_sha256}``: who may start requests.
        client_id_prefix: how the verifier names itself to wallets; under ``redirect_uri`` requests are not signed.
        attestation_file: who this verifier is, as an attester of the registry signed it; needed under the prefix
            ``verifier_attestation``.
        entitlement_file: what a jurisdiction attests that this verifier may ask, as a signed text; sent along.
        policies_file: further policies, as DCQL queries with what the claims must be; see ``verifier/policy_file.py``.
        trusted_authorities: whether requests name the authorities that the registry accredits, so that wallets offer
            nothing else; a relying party may also ask for it in one request.
        response_mode: how wallets answer; ``direct_post`` sends presentations in the clear inside TLS.
        request_seconds: how long a request can be answered.
        result_seconds: how long a result can be read; then everything but the verdict and its codes is erased.
        erase_every_seconds: how often that is looked after.
        status_refresh_seconds: how often every status list at hand is read again, whether or not it is needed.
        max_status_age_seconds: status lists older than this are re-validated; absent: the list's own ttl.
        accept_stale_status: whether a list past its ttl whose host is down may still be used until it ends.
        history_days: how long the counters' history is kept; it holds no personal data.
        wallet_url: a hosted wallet that people without an installed one are led to on the same device.
        demo_counter: name of a relying party for which anybody may open a counter; only for demonstrations.
    """

    model_config = SettingsConfigDict(env_prefix="VERIFIER_", frozen=True, extra="forbid", hide_input_in_errors=True)
    service: ClassVar[str] = "verifier"

    place: str = ""
    relying_parties_file: Path
    client_id_prefix: Literal[
        "x509_hash", "x509_san_dns", "decentralized_identifier", "verifier_attestation", "redirect_uri"
    ] = "x509_hash"
    attestation_file: Path | None = None
    entitlement_file: Path | None = None
    policies_file: Path | None = None
    trusted_authorities: bool = False
    response_mode: Literal["direct_post", "direct_post.jwt"] = "direct_post.jwt"
    request_seconds: int = Field(default=300, ge=10, le=3600)
    result_seconds: int = Field(default=600, ge=10, le=86_400)
    erase_every_seconds: float = Field(default=30, gt=0)
    status_refresh_seconds: float = Field(default=300, gt=0)
    max_status_age_seconds: int | None = Field(default=None, ge=0)
    accept_stale_status: bool = True
    history_days: int = Field(default=90, ge=1, le=3650)
    wallet_url: BaseUrl | Literal[""] = ""
    demo_counter: str = ""

    @field_validator("place")
    @classmethod
    def _is_a_place(cls, place: str) -> str:
        if place and place not in PROVINCES_AND_TERRITORIES:
            raise ValueError("no province or territory has this code")
        return place

    def refuse_in_production(self) -> Iterator[str]:
        """Yield what must not reach production."""
        yield from super().refuse_in_production()
        yield from self.reasons_against_registry()
        if self.response_mode == "direct_post":
            yield "RESPONSE_MODE must be direct_post.jwt"
        if self.client_id_prefix == "redirect_uri":
            yield "CLIENT_ID_PREFIX must be one under which requests are signed"
        if self.wallet_url:
            yield from reasons_against_url("WALLET_URL", self.wallet_url)
        if self.demo_counter:
            yield "DEMO_COUNTER must not be set"
