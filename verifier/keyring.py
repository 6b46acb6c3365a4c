"""The verifier's keys. The command line needs them without the application, and so without what answers over HTTP."""

from comity.runtime.keystore import FileKeyStore
from verifier.settings import VerifierSettings


def keys_of(settings: VerifierSettings) -> FileKeyStore:
    """Return the store of the verifier's keys."""
    return FileKeyStore(settings.data_folder / "keys")
