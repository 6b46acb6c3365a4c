"""The keys of a deployment: made where they are missing, and opened with the authorities that they belong to.

The command line needs them without the application, and so without what answers over HTTP.
"""

from datetime import datetime

from comity.errors import Code, Misconfigured
from comity.runtime.files import alone_in
from comity.runtime.keystore import FileKeyStore
from issuer import authorities, identity
from issuer.authorities import Authority
from issuer.settings import IssuerSettings


def open_keys(settings: IssuerSettings) -> FileKeyStore:
    """Return the key store of this deployment."""
    return FileKeyStore(settings.keys_folder)


def create_missing_keys(settings: IssuerSettings, at: datetime) -> tuple[str, ...]:
    """Make the keys that the deployment lacks; return their names. Keys that exist are left as they are.

    Of several processes that start at once one makes them, and the others take those.

    Raises:
        Misconfigured: the folder cannot be written.
    """
    try:
        with alone_in(settings.keys_folder):
            return _create_missing_keys(settings, at)
    except OSError as error:
        raise Misconfigured(Code.MISCONFIGURED, f"the keys cannot be written: {error.strerror}") from None


def _create_missing_keys(settings: IssuerSettings, at: datetime) -> tuple[str, ...]:
    store = open_keys(settings)
    made: list[str] = []
    for description in authorities.load(settings.authorities_file):
        made += authorities.create_keys(
            store,
            description,
            public_url=settings.public_url,
            status_public_url=settings.status_public_url,
            at=at,
        )
    if _signs_in_by_key(settings) and identity.KEY not in store.names():
        store.create(identity.KEY)
        made.append(identity.KEY)
    if not store.has_secret(authorities.SECRET):
        store.create_secret(authorities.SECRET)
        made.append(authorities.SECRET)
    return tuple(made)


def open_authorities(settings: IssuerSettings, at: datetime) -> dict[str, Authority]:
    """Return the authorities with their keys, by path.

    Raises:
        Misconfigured: a key or a certificate is missing or wrong.
    """
    store = open_keys(settings)
    found = (
        authorities.open_authority(
            store,
            description,
            public_url=settings.public_url,
            status_public_url=settings.status_public_url,
            at=at,
        )
        for description in authorities.load(settings.authorities_file)
    )
    return {authority.path: authority for authority in found}


def _signs_in_by_key(settings: IssuerSettings) -> bool:
    return settings.identity_provider_issuer is not None and settings.identity_provider_client_secret is None
