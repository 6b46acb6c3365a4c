"""Metadata as a JWT (OpenID4VCI §12.2.3): for whoever asks, by a key that signs nothing else."""

import pytest

from comity import jose, x509
from comity.errors import Malformed
from comity.openid.issuance import signed_metadata
from comity.openid.issuance.metadata import IssuerMetadata
from issuer.api.negotiation import prefers
from tests.services.issuer.deployed import BC, ON, PUBLIC_URL, Deployed
from tests.services.issuer.sealing import JWT, metadata

ISSUER = f"{PUBLIC_URL}/{ON}"


async def signed(issuer: Deployed, accept: str = JWT) -> str:
    answer = await issuer.client.get(f"/.well-known/openid-credential-issuer/{ON}", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, JWT)
    assert answer.headers["vary"].lower() == "accept"
    return answer.text


@pytest.mark.clause("VCI-5")
async def test_they_say_what_the_plain_ones_say(issuer: Deployed) -> None:
    token, plain = await signed(issuer), await metadata(issuer)
    jws = jose.parse(token)
    assert (jws.header["typ"], len(jws.header["x5c"])) == ("openidvci-issuer-metadata+jwt", 1)
    payload = jose.payload_object(jws)
    claims = {name: payload.pop(name) for name in ("iss", "sub", "iat", "exp")}
    assert payload == plain
    assert (claims["iss"], claims["sub"]) == (ISSUER, ISSUER)
    anchor = issuer.deployment.authority(ON).anchor
    at = issuer.clock.now()
    found = signed_metadata.read(token, credential_issuer=ISSUER, anchors=[anchor], at=at)
    assert found == IssuerMetadata.parse(plain, credential_issuer=ISSUER)


async def test_another_authoritys_anchor_does_not_vouch(issuer: Deployed) -> None:
    anchor = issuer.deployment.authority(BC).anchor
    with pytest.raises(Malformed):
        signed_metadata.read(await signed(issuer), credential_issuer=ISSUER, anchors=[anchor], at=issuer.clock.now())


async def test_the_metadata_key_signs_no_credential(issuer: Deployed) -> None:
    """Its leaf names the metadata's address, and a credential needs one that names the issuer."""
    authority = issuer.deployment.authority(ON)
    (leaf,) = x509.parse_chain(authority.metadata_chain.chain)
    assert x509.uri_sans(leaf) == (IssuerMetadata.url(ISSUER),) != (ISSUER,)
    assert authority.metadata_signer.thumbprint not in {
        authority.credential_signer.thumbprint,
        authority.did_signer.thumbprint,
        authority.status_signer.thumbprint,
    }


@pytest.mark.parametrize(
    ("accept", "is_signed"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/jwt", True),
        ("application/jwt, application/json", True),
        ("application/json, application/jwt", False),
        ("application/json;q=0.5, Application/JWT", True),
        ("application/jwt;q=0.5, */*", False),
        ("application/jwt;q=0", False),
        ("application/jwt;q=nonsense", True),
    ],
)
def test_who_gets_which(accept: str, is_signed: bool) -> None:
    assert prefers(accept, JWT, "application/json") is is_signed
