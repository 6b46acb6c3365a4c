"""A wallet provider and one of its wallets, which can do each step wrong."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from comity import x509
from comity.keys import KeySigner
from comity.openid import client_attestation, key_attestation
from comity.openid.attester import Attester
from comity.openid.key_attestation import BASIC
from tests.support.forging import forged

CLIENT_ID = "https://wallet.example/comity"
DAY = timedelta(days=1)


@dataclass
class Provider:
    """Vouches for wallets of ``client_id``, by a key or by a certificate under its own anchor."""

    at: datetime
    client_id: str = CLIENT_ID
    name: str = "Wallet maker (DEMO)"
    signer: KeySigner = field(default_factory=KeySigner.generate)
    anchor_key: KeySigner = field(default_factory=KeySigner.generate)

    def __post_init__(self) -> None:
        window: dict[str, Any] = {"not_before": self.at - DAY, "not_after": self.at + 400 * DAY}
        self.anchor = x509.issue_anchor(name="wallet maker", signer=self.anchor_key, **window)
        self.leaf = x509.issue_leaf(
            name="wallet maker",
            uri_san=None,
            dns_san="wallet.example",
            public_jwk=self.signer.public_jwk,
            anchor=self.anchor,
            anchor_signer=self.anchor_key,
            **window,
        )

    @property
    def chain(self) -> tuple[str, ...]:
        return (x509.to_base64(self.leaf),)

    @property
    def attester(self) -> Attester:
        return Attester(
            name=self.name,
            client_ids=frozenset({self.client_id}),
            keys={self.signer.thumbprint: self.signer.public_jwk},
            anchors=(self.anchor,),
        )

    def entry(self, **changes: Any) -> dict[str, Any]:
        """Return what ``ISSUER_WALLET_PROVIDERS_FILE`` says of it."""
        own = {"keys": [dict(self.signer.public_jwk)], "anchors": [x509.to_base64(self.anchor)]}
        return {"name": self.name, "client_ids": [self.client_id], **own, **changes}

    def attestation(self, instance: KeySigner, at: datetime | None = None, **changes: Any) -> str:
        """Return an attestation of ``instance``, with ``header`` and ``payload`` changed and signed by ``signer``."""
        signer, chain = changes.pop("signer", self.signer), changes.pop("chain", ())
        made = client_attestation.attest(
            signer,
            issuer="https://wallet.example",
            client_id=self.client_id,
            instance_jwk=instance.public_jwk,
            at=at or self.at,
            lifetime=timedelta(hours=1),
            chain=chain,
        )
        return forged(made, signer.sign, **changes) if changes else made

    def pop(self, instance: KeySigner, audience: str, challenge: str | None, **changes: Any) -> str:
        """Return a proof of possession, with ``header`` and ``payload`` changed."""
        at = changes.pop("at", self.at)
        signer = changes.pop("signer", instance)
        made = client_attestation.prove(signer, client_id=self.client_id, audience=audience, at=at, challenge=challenge)
        return forged(made, signer.sign, **changes) if changes else made

    def key_attestation(self, *holders: KeySigner, nonce: str | None, **changes: Any) -> str:
        """Return an attestation of the keys of ``holders``, of basic resistance."""
        signer, chain = changes.pop("signer", self.signer), changes.pop("chain", ())
        made = key_attestation.build(
            signer,
            issuer="https://wallet.example",
            jwks=[each.public_jwk for each in holders],
            nonce=nonce,
            at=changes.pop("at", self.at),
            lifetime=timedelta(hours=1),
            key_storage=[BASIC],
            user_authentication=[BASIC],
            chain=chain,
        )
        return forged(made, signer.sign, **changes) if changes else made
