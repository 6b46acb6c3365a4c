"""A verifier and a wallet that the tests of this folder share. Everything is fictional."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from comity import dcql, x509
from comity.credential import X5c
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from comity.openid.presentation import client_id
from comity.openid.presentation.client_id import ClientId
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.presentation.request import RequestObject, ResponseMode
from comity.x509 import Certificate

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
QUERY = {
    "credentials": [
        {
            "id": "person",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["https://types.comity.example/person/1"]},
            "claims": [{"path": ["age_over_19"]}],
        },
        {"id": "many", "format": "vc+jwt", "meta": {"type_values": [["x"]]}, "multiple": True},
    ]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A verifier with a certificate, a DID and a key for answers."""

    signer: KeySigner
    leaf: Certificate
    anchor: Certificate
    encryption: EncryptionKey

    @property
    def chain(self) -> X5c:
        return X5c(chain=(x509.to_base64(self.leaf),))

    @property
    def client(self) -> ClientId:
        return client_id.of_certificate(self.leaf)

    @property
    def metadata(self) -> ClientMetadata:
        return ClientMetadata(
            jwks=(self.encryption.public_jwk,),
            encryption_methods=("A128GCM", "A256GCM"),
            formats={"dc+sd-jwt": {"sd-jwt_alg_values": ("ES256",), "kb-jwt_alg_values": ("ES256", "EdDSA")}},
        )

    def request(self) -> RequestObject:
        return RequestObject(
            client_id=self.client,
            response_mode=ResponseMode.DIRECT_POST_JWT,
            response_uri="https://verifier.example/openid/responses/1",
            nonce="n0nce-n0nce-n0nce-n0nce",
            query=dcql.parse(QUERY),
            state="st4te",
            client_metadata=self.metadata,
            issued_at=AT,
            expires_at=AT + timedelta(minutes=5),
        )


def make_verifier() -> Verifier:
    """Return a relying party with a fresh certificate."""
    root, signer = KeySigner.generate(), KeySigner.generate()
    start, end = AT - timedelta(days=1), AT + timedelta(days=30)
    anchor = x509.issue_anchor(name="Verifiers DEMO", signer=root, not_before=start, not_after=end)
    leaf = x509.issue_leaf(
        name="Bar DEMO",
        uri_san=None,
        dns_san="verifier.example",
        public_jwk=signer.public_jwk,
        anchor=anchor,
        anchor_signer=root,
        not_before=start,
        not_after=end,
    )
    return Verifier(signer=signer, leaf=leaf, anchor=anchor, encryption=EncryptionKey.generate("enc-1"))
