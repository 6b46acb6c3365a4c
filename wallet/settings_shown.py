"""The part of an installation's settings that pages show or need; they read no settings themselves."""

from pathlib import Path

from msgspec import Struct


class Shown(Struct, frozen=True, kw_only=True):
    """What pages know of the installation.

    Attributes:
        public_url: where the wallet is.
        folder: its private folder, for the key of its forms.
        lock_seconds: idle time after which an open page locks the wallet.
        contact: how a person reaches whoever runs the wallet, an e-mail address or a telephone number; empty: not set.
    """

    public_url: str
    folder: Path
    lock_seconds: int
    contact: str = ""
