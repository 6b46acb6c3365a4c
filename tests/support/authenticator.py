"""A security key in software: what a device answers to WebAuthn, with everything in it said otherwise on demand."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from comity import base64url, strict_json

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass(slots=True)
class Authenticator:
    """One credential of one person at one origin. ``secret`` is what its PRF would compute."""

    origin: str
    host: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user: str = ""
    count: int = 0
    secret: str = field(default_factory=lambda: base64url.encode(secrets.token_bytes(32)))

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ``navigator.credentials.create`` (attestation ``none``)."""
        self.user = str(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        named = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(_PRESENT | _VERIFIED | _ATTESTED) + named + public
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._said("webauthn.create", str(options["challenge"]))
        return self._answer({"clientDataJSON": said, "attestationObject": attestation})

    def get(self, options: Mapping[str, Any], *, flags: int = _PRESENT | _VERIFIED) -> dict[str, Any]:
        """Answer ``navigator.credentials.get``."""
        self.count += 1
        data, said = self._data(flags), self._said("webauthn.get", str(options["challenge"]))
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        answer = self._answer({"clientDataJSON": said, "authenticatorData": data, "signature": signature})
        answer["response"]["userHandle"] = self.user
        return answer

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _said(self, kind: str, challenge: str) -> bytes:
        return strict_json.serialise(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        )

    def _answer(self, response: Mapping[str, bytes]) -> dict[str, Any]:
        name = base64url.encode(self.credential_id)
        encoded = {each: base64url.encode(value) for each, value in response.items()}
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": encoded,
        }
