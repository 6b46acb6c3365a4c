"""A foreign wallet that encrypts: the issuer's key from its metadata, a key of its own for each answer."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from comity import jwe, strict_json
from comity.jwe import EncryptionKey
from comity.keys import KeySigner
from tests.services.issuer.deployed import ON, Deployed
from tests.services.issuer.test_dpop import Wallet

JWT = "application/jwt"
PERSON = "person.1.sdjwt"


async def metadata(issuer: Deployed, authority: str = ON) -> dict[str, Any]:
    answer = await issuer.client.get(f"/.well-known/openid-credential-issuer/{authority}")
    found: dict[str, Any] = answer.json()
    return found


async def issuer_key(issuer: Deployed, authority: str = ON) -> dict[str, Any]:
    (key,) = (await metadata(issuer, authority))["credential_request_encryption"]["jwks"]["keys"]
    return dict(key)


@dataclass
class Sealing(Wallet):
    """A DPoP wallet that encrypts what it sends, and can do that wrong in every way."""

    answer_key: EncryptionKey = field(default_factory=lambda: EncryptionKey.generate("mine"))
    holder: KeySigner = field(default_factory=KeySigner.generate)

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """Return ``credential_response_encryption``."""
        return {"jwk": dict(self.answer_key.public_jwk), "enc": "A256GCM", **changes}

    async def asking(self, **members: Any) -> dict[str, Any]:
        """Return the body of a credential request; a member that is None is left out."""
        c_nonce = await self.issuer.nonce()
        body = {
            "credential_configuration_id": PERSON,
            "proofs": {"jwt": [self.issuer.proof(self.holder, c_nonce)]},
            "credential_response_encryption": self.wanted(),
            **members,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def post(
        self,
        body: dict[str, Any] | str,
        *,
        to: dict[str, Any] | None = None,
        endpoint: str = "credential",
        enc: str = "A256GCM",
        content_type: str = JWT,
    ) -> httpx.Response:
        """Send ``body``, encrypted unless it is text already."""
        if not isinstance(body, str):
            key = to or await issuer_key(self.issuer)
            body = jwe.encrypt(strict_json.serialise(body), key, enc=enc)
        return await self.send(endpoint, body, content_type)

    async def plain(self, body: dict[str, Any], endpoint: str = "credential") -> httpx.Response:
        return await self.send(endpoint, strict_json.serialise(body).decode(), "application/json")

    async def send(self, endpoint: str, body: str, content_type: str) -> httpx.Response:
        headers = {
            "authorization": f"DPoP {self.token}",
            "dpop": self.proof(endpoint),
            "content-type": content_type,
        }
        return await self.issuer.client.post(f"/{ON}/{endpoint}", content=body, headers=headers)

    def opened(self, answer: httpx.Response, status: int = 200, key: EncryptionKey | None = None) -> dict[str, Any]:
        """Return what an encrypted answer says; its headers are looked at too."""
        assert (answer.status_code, answer.headers["content-type"]) == (status, JWT), answer.text
        assert answer.headers["cache-control"] == "no-store"
        key = key or self.answer_key
        assert jwe.header(answer.text)["kid"] == key.kid
        return strict_json.parse_object(jwe.decrypt(answer.text, key.private_jwk()))


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    """Errors are never encrypted (OpenID4VCI §8.3.1)."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    assert answer.json()["error"] == error, answer.text
