"""What a wallet installation sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from comity.runtime.settings import RegistryReaderSettings, ServiceSettings


class WalletSettings(RegistryReaderSettings, ServiceSettings):
    """Settings of the hosted wallet; environment variables begin with ``WALLET_``.

    Attributes:
        pepper_file: 32 random bytes that are *not* in the database; what a thief of the database lacks.
        session_seconds: idle time after which a wallet locks itself.
        longest_session_seconds: time after which it locks itself however busy it is.
        status_refresh_seconds: how often status lists are read again, for everybody at once, without being asked; also
            how old a look at a credential may be before an open wallet looks again.
        attempts: wrong passphrases in a row after which an account waits.
        wait_seconds: for how long it waits then.
        provider_key_file: private key (PEM, mode 600) with which this deployment vouches for its wallets towards
            issuers; absent: wallets stay anonymous. A chain beside it, ``<name>.x5c.json``, is sent along.
        client_id: the client that all wallets of this deployment are towards issuers; absent: the public URL.
        contact: how people reach whoever runs the wallet, an e-mail address or a telephone number; shown under Help.
        unlock_threads: passphrases tried at one time; each costs some 100 ms and 19 MiB.
        encrypt_requests: whether verifiers must encrypt their requests to this wallet where it posts for them; what is
            asked then stays hidden from whoever ends their TLS, and verifiers that cannot do it are refused.
    """

    model_config = SettingsConfigDict(env_prefix="WALLET_", frozen=True, extra="forbid", hide_input_in_errors=True)
    service: ClassVar[str] = "wallet"

    pepper_file: Path | None = None
    provider_key_file: Path | None = None
    client_id: str | None = Field(default=None, min_length=1, max_length=200)
    session_seconds: int = Field(default=900, ge=30, le=3600)
    longest_session_seconds: int = Field(default=43_200, ge=60, le=86_400)
    status_refresh_seconds: float = Field(default=3600, gt=0)
    attempts: int = Field(default=5, ge=1, le=20)
    wait_seconds: int = Field(default=60, ge=1, le=86_400)
    contact: str = Field(default="", max_length=200)
    unlock_threads: int = Field(default=2, ge=1, le=64)
    encrypt_requests: bool = False

    @property
    def deletions_file(self) -> Path:
        """The journal of deletions; all workers of one installation share it, and no backup is restored without it."""
        return self.data_folder / "deletions.jsonl"

    def refuse_in_production(self) -> Iterator[str]:
        """Yield what must not reach production."""
        yield from super().refuse_in_production()
        yield from self.reasons_against_registry()
        if self.pepper_file is None:
            yield "PEPPER_FILE must be set"
