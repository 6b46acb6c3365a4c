"""``comity wallet provider``: the key with which a deployment vouches for its wallets, as issuers are to know it."""

from typing import Annotated

import typer

from comity import strict_json
from comity.errors import Code, Misconfigured


def show_provider(
    create: Annotated[bool, typer.Option("--create", help="Make the key when there is none.")] = False,
) -> None:
    """Print what issuers write into ISSUER_WALLET_PROVIDERS_FILE to trust this deployment as wallet provider."""
    from comity.runtime.settings import load
    from wallet import attesting
    from wallet.deployment import provider_of
    from wallet.settings import WalletSettings

    settings = load(WalletSettings)
    if create and settings.provider_key_file is not None:
        attesting.create_key(settings.provider_key_file)
    found = provider_of(settings)
    if found is None:
        raise Misconfigured(Code.MISCONFIGURED, "WALLET_PROVIDER_KEY_FILE must be set")
    typer.echo(strict_json.serialise([found.entry()]).decode())
