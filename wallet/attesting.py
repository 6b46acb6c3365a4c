"""The wallet provider vouches: that this is its wallet, and where the wallet keeps the keys of credentials.

The provider's key belongs to the deployment; a wallet without one, such as a local file, stays anonymous. What a wallet
shows to one issuer, it shows to no other: an instance key is made for each exchange (HAIP 1.0 §4.4.1, catalogue I21).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from comity import keys
from comity.errors import Code, Denied, Misconfigured, NotFound
from comity.keys import KeySigner
from comity.openid import client_attestation, key_attestation, key_proof
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.key_attestation import BASIC
from comity.openid.oauth import AuthorizationServerMetadata
from comity.ports import Fetched, Signer
from comity.record import Discreet
from comity.runtime.keystore import FileKeyStore
from wallet.outbound import header_of

LIFETIME = timedelta(hours=1)
KEY_STORAGE = USER_AUTHENTICATION = (BASIC,)
"""What can truthfully be said of keys in a vault in software that a passphrase opens (OpenID4VCI appendix D.2)."""

ProofKind = Literal["bare", "attested", "attestation"]
"""A ``jwt`` proof, one with a key attestation in its header, or a key attestation alone."""


class WalletProvider(Discreet, frozen=True, kw_only=True):
    """Who vouches for the wallets of this deployment.

    Attributes:
        signer: the provider's key.
        name: its URL (``iss``).
        client_id: the client that every one of its wallets is.
        chain: certificates of the key without the root; () where issuers know the key itself.
    """

    UNPRINTED = frozenset({"chain", "signer"})
    signer: KeySigner
    name: str
    client_id: str
    chain: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """Return what an issuer's ``ISSUER_WALLET_PROVIDERS_FILE`` says of this provider, by its key."""
        return {"name": self.name, "client_ids": [self.client_id], "keys": [dict(self.signer.public_jwk)]}

    def attest(self, instance: Signer, at: datetime) -> str:
        """Return the attestation of one instance."""
        return client_attestation.attest(
            self.signer,
            issuer=self.name,
            client_id=self.client_id,
            instance_jwk=instance.public_jwk,
            at=at,
            lifetime=LIFETIME,
            chain=self.chain,
        )

    def attest_keys(self, holders: Sequence[Signer], nonce: str | None, at: datetime) -> str:
        """Return the attestation of keys in a vault."""
        return key_attestation.build(
            self.signer,
            issuer=self.name,
            jwks=[each.public_jwk for each in holders],
            nonce=nonce,
            at=at,
            lifetime=LIFETIME,
            key_storage=KEY_STORAGE,
            user_authentication=USER_AUTHENTICATION,
            chain=self.chain,
        )


def open_provider(key_file: Path, *, name: str, client_id: str | None) -> WalletProvider:
    """Return the provider whose key is in ``key_file``, with the chain beside it (``….x5c.json``) if there is one.

    Raises:
        Misconfigured: there is no such key, others than its owner can read it, or the chain is unreadable.
    """
    store, stem = FileKeyStore(key_file.parent), key_file.stem
    try:
        signer = store.signer(stem)
    except NotFound:
        raise Misconfigured(Code.MISCONFIGURED, f"there is no wallet provider key at {key_file}") from None
    try:
        chain = store.chain(stem)
    except NotFound:
        chain = ()
    return WalletProvider(signer=signer, name=name, client_id=client_id or name, chain=chain)


def create_key(key_file: Path) -> None:
    """Make the provider's key; one that exists is left as it is.

    Raises:
        Misconfigured: the file cannot be written, or what is there is no key.
    """
    FileKeyStore(key_file.parent).signer_or_create(key_file.stem)


# --- as client


@dataclass(slots=True, kw_only=True)
class Instance:
    """This wallet as a client of one authorization server.

    Attributes:
        provider: vouches for it.
        key: the instance key, used with this server only.
        server: the server's issuer identifier, the audience of every proof.
        challenge_endpoint: where challenges are had; None when the server has none.
        challenge: the one for the next proof.
    """

    provider: WalletProvider
    key: KeySigner = field(repr=False)
    server: str
    challenge_endpoint: str | None = None
    challenge: str | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, provider: WalletProvider | None, metadata: AuthorizationServerMetadata) -> "Instance | None":
        """Return a new instance, with a key of its own; None where the server or this wallet knows no attestations."""
        asked = metadata.client_authentication
        if provider is None or not asked.takes_attestations:
            return None
        known = [each for each in keys.ALGORITHMS if each in (asked.pop_algorithms or ("ES256",))]
        if not known or provider.signer.algorithm not in (asked.attestation_algorithms or (provider.signer.algorithm,)):
            return None
        return cls(
            provider=provider,
            key=KeySigner.generate(known[0]),
            server=metadata.issuer,
            challenge_endpoint=asked.challenge_endpoint,
        )

    @classmethod
    def resume(cls, provider: WalletProvider | None, kept: Mapping[str, Any] | None) -> "Instance | None":
        """Return the instance that a line of the journal tells of; it keeps its key (WA-4)."""
        if provider is None or kept is None:
            return None
        key = KeySigner.from_private_jwk(kept["key"])
        return cls(provider=provider, key=key, server=kept["server"], challenge_endpoint=kept["challenge_endpoint"])

    def for_journal(self) -> dict[str, Any]:
        """Return what a line of the journal needs to be the same instance again."""
        return {"key": self.key.private_jwk(), "server": self.server, "challenge_endpoint": self.challenge_endpoint}

    def headers(self, at: datetime) -> dict[str, str]:
        """Return what one request carries: the attestation, and a proof of possession with the challenge.

        A challenge is used once where there is an endpoint for the next one; else the latest one serves until the
        server gives another.
        """
        challenge = self.challenge
        if self.challenge_endpoint is not None:
            self.challenge = None
        name = self.provider.client_id
        proof = client_attestation.prove(self.key, client_id=name, audience=self.server, at=at, challenge=challenge)
        return {client_attestation.HEADER: self.provider.attest(self.key, at), client_attestation.POP_HEADER: proof}

    def remember(self, answer: Fetched) -> None:
        """Keep the challenge that came with an answer for the next proof."""
        given = header_of(answer, client_attestation.CHALLENGE_HEADER)
        if given is not None:
            self.challenge = given


# --- as holder of keys


def proof_kind(configuration: CredentialConfiguration, provider: WalletProvider | None) -> ProofKind:
    """Return how the key of a credential is to be shown.

    Raises:
        Denied: ``key_attestation_invalid``: the issuer wants more than can truthfully be said of keys in this wallet.
    """
    demand = configuration.key_attestation
    takes_jwt = bool(configuration.proof_algorithms) or not configuration.attestation_algorithms
    if demand is None and takes_jwt:
        return "bare"
    if provider is None or (demand is not None and not demand.is_met_by(KEY_STORAGE, USER_AUTHENTICATION)):
        detail = "the issuer wants keys to be kept in a way that this wallet does not keep them"
        raise Denied(Code.KEY_ATTESTATION_INVALID, detail)
    return "attested" if takes_jwt else "attestation"


def request_for(
    line: Mapping[str, Any],
    holders: Sequence[Signer],
    *,
    nonce: str | None,
    at: datetime,
    provider: WalletProvider | None,
) -> CredentialRequest:
    """Return the credential request of a line of the journal, with what proves each of its keys.

    That is one ``jwt`` proof for each key, each with an attestation of that key where attested ones are wanted; or
    one attestation of all of them.

    Raises:
        Denied: ``key_attestation_invalid``: the line needs a provider that this deployment has no more.
    """
    kind, wanted = line.get("proof") or "bare", line["configuration_id"]
    if kind != "bare" and provider is None:
        raise Denied(Code.KEY_ATTESTATION_INVALID, "nobody vouches for the keys of this wallet any more")
    if provider is not None and kind == "attestation":
        return CredentialRequest(configuration_id=wanted, attestation=provider.attest_keys(holders, nonce, at))

    def proof(holder: Signer) -> str:
        attested = None if provider is None or kind == "bare" else provider.attest_keys([holder], nonce, at)
        return key_proof.build(holder, audience=line["issuer"], nonce=nonce, issued_at=at, attestation=attested)

    return CredentialRequest(configuration_id=wanted, proofs=tuple(proof(each) for each in holders))
