"""The issuer's modules about signed metadata and encryption, derived from their names (no certification)."""

import pytest

from comity.openid.issuance import signed_metadata
from comity.openid.issuance.metadata import IssuerMetadata
from tests.services.issuer.deployed import ON, PUBLIC_URL, Deployed
from tests.services.issuer.sealing import JWT, Sealing, metadata

ISSUER = f"{PUBLIC_URL}/{ON}"


@pytest.mark.derived("oid4vci-1_0-issuer-metadata-test-signed")
async def test_signed_metadata(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/openid-credential-issuer/{ON}", headers={"accept": JWT})
    assert (answer.status_code, answer.headers["content-type"]) == (200, JWT)
    anchors = [issuer.deployment.authority(ON).anchor]
    read = signed_metadata.read(answer.text, credential_issuer=ISSUER, anchors=anchors, at=issuer.clock.now())
    assert read == IssuerMetadata.parse(await metadata(issuer), credential_issuer=ISSUER)


@pytest.mark.derived("oid4vci-1_0-issuer-fail-unsupported-encryption-algorithm")
@pytest.mark.clause("VCI-52")
async def test_unsupported_encryption_algorithm(issuer: Deployed) -> None:
    wallet = Sealing(issuer)
    await wallet.take()
    good = wallet.wanted()
    bad = {**good, "jwk": {**good["jwk"], "alg": "RSA-OAEP"}}
    refused = await wallet.post(await wallet.asking(credential_response_encryption=bad))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_encryption_parameters")
    answer = await wallet.post(await wallet.asking(credential_response_encryption=good))
    assert len(wallet.opened(answer)["credentials"]) == 1
