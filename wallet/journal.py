"""The journal: one line for each credential that is asked for, durable before the proof leaves (catalogue F06, F07)."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.metadata import IssuerMetadata
from comity.ports import Signer
from wallet import attesting, holdings
from wallet.attesting import WalletProvider
from wallet.records import KEY, PENDING, Kept, OpenWallet

Line = Mapping[str, Any]
"""A line of the journal: what is needed to ask for one credential, or once more for it, and what came."""


def line_of(
    configuration: CredentialConfiguration, metadata: IssuerMetadata, provider: WalletProvider | None
) -> dict[str, Any]:
    """Return what a line of the journal holds of an offer; ``provider`` vouches for keys.

    Raises:
        Denied: ``key_attestation_invalid``: the issuer wants keys kept in a way that this wallet does not keep them.
        OAuthError: ``metadata_invalid``: the issuer demands an encryption that this wallet does not have.
    """
    choice = metadata.encryption()
    return {
        "issuer": metadata.credential_issuer,
        "configuration_id": configuration.id,
        "proof": attesting.proof_kind(configuration, provider),
        "format": configuration.format.value,
        "title": {each.locale[:2]: each.name for each in configuration.display if each.locale},
        "type_name": configuration.vct or configuration.contexts[-1].removesuffix("/context"),
        "credential_endpoint": metadata.credential_endpoint,
        "nonce_endpoint": metadata.nonce_endpoint,
        "deferred_endpoint": metadata.deferred_credential_endpoint,
        "notification_endpoint": metadata.notification_endpoint,
        "notification_id": None,
        "encryption": None if choice is None else choice.to_dict(),
    }


def leftovers(line_id: str, line: Line) -> list[tuple[str, str]]:
    """Return what goes when nothing came of a line: itself, and the keys that were made for it."""
    return [(PENDING, line_id), *((KEY, each) for each in keys_of(line).values() if line["own_key"])]


def keys_of(line: Line) -> Mapping[str, str]:
    """Return the wallet's names of the keys by thumbprint; lines of before batches have one."""
    found: Mapping[str, str] = line.get("keys") or {str(line.get("holder_key")): str(line.get("key"))}
    return found


def came(line: Line) -> list[str]:
    """Return what came; lines of before batches hold one credential."""
    came: list[str] | str = line["encoded"]
    return [came] if isinstance(came, str) else came


async def signers(wallet: OpenWallet, line: Line) -> list[Signer]:
    """Return the holder keys of a line, for signing only; raises as :func:`wallet.holdings.signer_of`."""
    return [await holdings.signer_of(wallet, each) for each in keys_of(line).values()]


async def rewritten(wallet: OpenWallet, record: Kept, content: Line) -> Kept:
    """Store a line of the journal anew; of several who try at once, one succeeds."""
    changed = replace(record, content=content, version=record.version + 1)
    await wallet.put(PENDING, record.id, content, version=changed.version)
    return changed
