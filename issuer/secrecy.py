"""What an issuer derives from its one secret: sealed claims, hashes of codes, blind indexes, signed nonces.

The secret lies in the key store, never in the database: a copy of the database alone opens nothing and lets nobody
guess a transaction code, a name or a number.
"""

import hashlib
import hmac
import secrets
import struct
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

from comity import base64url, strict_json
from comity.errors import Malformed
from comity.jwe import EncryptionKey
from comity.runtime import keystore

_PURPOSES = (
    "claims",
    "code",
    "transaction code",
    "digits",
    "blind index",
    "holder",
    "nonce",
    "dpop nonce",
    "dpop",
    "link",
    "state",
    "sign-in",
    "once",
    "row",
    "deferral",
    "holder keys",
    "encryption key",
    "webhook",
)
_CLIENT_PURPOSES = ("client challenge", "client proof")
_NONCES = ("nonce", "dpop nonce", "client challenge")
_NONCE = struct.Struct(">Q16s16s")

NoncePurpose = Literal["nonce", "dpop nonce", "client challenge"]
"""For key proofs, for proofs that an access token is one's own, or for client attestations; none does for another."""

LinkPurpose = Literal["link", "state"]
"""The address of an offer, or the ``issuer_state`` of one that is had by signing in; neither does for the other."""


class Secrecy:
    """Functions keyed by the deployment's secret; each purpose has a key of its own."""

    def __init__(self, secret: bytes, *, epoch: str = "") -> None:
        """Derive every key. ``epoch`` is another one after each restored backup: nonces given before hold no longer."""
        self._keys = {
            purpose: hmac.digest(secret, f"comity issuer {purpose}".encode(), hashlib.sha256)
            for purpose in (*_PURPOSES, *_CLIENT_PURPOSES)
        }
        for purpose in _NONCES if epoch else ():
            self._keys[purpose] = hmac.digest(self._keys[purpose], epoch.encode(), hashlib.sha256)

    def _mac(self, purpose: str, *parts: str) -> str:
        message = strict_json.serialise(list(parts))  # unambiguous: no two lists give one text
        return hmac.new(self._keys[purpose], message, hashlib.sha256).hexdigest()

    # --- claims at rest

    def seal(self, claims: Mapping[str, Any], offer_id: str) -> bytes:
        """Return the claims encrypted for one offer."""
        return keystore.seal(self._keys["claims"], strict_json.serialise(dict(claims)), context=offer_id.encode())

    def unseal(self, sealed: bytes, offer_id: str) -> dict[str, Any]:
        """Return the claims of an offer.

        Raises:
            Malformed: ``record_tampered``: not sealed by this secret for this offer.
        """
        return strict_json.parse_object(keystore.unseal(self._keys["claims"], sealed, context=offer_id.encode()))

    # --- codes and tokens

    def code_of(self, offer_id: str) -> str:
        """Return the pre-authorized code of an offer: derived, so that it need not be stored to be shown again."""
        return base64url.encode(hmac.digest(self._keys["code"], offer_id.encode(), hashlib.sha256))

    def link_of(self, offer_id: str, purpose: LinkPurpose = "link") -> str:
        """Return what an offer's address ends with. The id alone, which clerks and logs see, opens nothing."""
        return f"{offer_id}.{self._link_mac(offer_id, purpose)}"

    def offer_of_link(self, link: str, purpose: LinkPurpose = "link") -> str | None:
        """Return the offer id of an address that this deployment made; None for anything else."""
        offer_id, _, mac = link.partition(".")
        genuine = hmac.compare_digest(mac.encode("utf-8", "replace"), self._link_mac(offer_id, purpose).encode())
        return offer_id if genuine else None

    def _link_mac(self, offer_id: str, purpose: LinkPurpose) -> str:
        message = offer_id.encode("utf-8", "replace")
        return base64url.encode(hmac.digest(self._keys[purpose], message, hashlib.sha256)[:16])

    def sign_in_secret(self, authorization_id: str, use: str) -> str:
        """Return a secret of one sign-in, the same whenever it is asked for, so that it need not be stored.

        ``use`` tells apart what is sent to the identity provider, what is kept from it, and what a form carries.
        """
        message = strict_json.serialise([authorization_id, use])
        return base64url.encode(hmac.digest(self._keys["sign-in"], message, hashlib.sha256))

    def transaction_code_hash(self, code_hash: str, transaction_code: str) -> str:
        """Return the keyed hash of a transaction code, bound to its offer."""
        return self._mac("transaction code", code_hash, transaction_code)

    def transaction_code_of(self, offer_id: str, length: int) -> str:
        """Return the digits of an offer's transaction code: derived, so that a clerk can be shown them again."""
        number = int.from_bytes(hmac.digest(self._keys["digits"], offer_id.encode(), hashlib.sha256))
        return f"{number % 10**length:0{length}d}"

    def once_digest(self, *parts: str) -> str:
        """Return what recognises the same wish of the same caller, and means nothing elsewhere."""
        return self._mac("once", *parts)

    def row_digest(self, *parts: str) -> str:
        """Return what recognises the same row of a file for the same authority and type."""
        return self._mac("row", *parts)

    def holder_digest(self, token_hash: str, configuration_id: str, thumbprint: str) -> str:
        """Return what recognises the same holder key on a repeated request, and means nothing elsewhere."""
        return self._mac("holder", token_hash, configuration_id, thumbprint)

    def proof_digest(self, thumbprint: str, jti: str) -> str:
        """Return what recognises a DPoP proof that was used, and means nothing elsewhere."""
        return self._mac("dpop", thumbprint, jti)

    def client_proof_digest(self, whose: str, authority: str, name: str) -> str:
        """Return what recognises a proof by which a client showed who it is, and means nothing elsewhere."""
        return self._mac("client proof", whose, authority, name)

    # --- requests that wait for a decision

    def transaction_id(self, offer_id: str, configuration_id: str) -> str:
        """Return the transaction id of a deferred credential: derived, so that it need not be stored."""
        message = f"{offer_id}\0{configuration_id}".encode()
        return base64url.encode(hmac.digest(self._keys["deferral"], message, hashlib.sha256))

    def seal_holder_keys(self, jwks: bytes, offer_id: str, configuration_id: str) -> bytes:
        """Return public holder keys encrypted for one deferred credential."""
        context = f"{offer_id}\0{configuration_id}".encode()
        return keystore.seal(self._keys["holder keys"], jwks, context=context)

    def unseal_holder_keys(self, sealed: bytes, offer_id: str, configuration_id: str) -> bytes:
        """Return what :meth:`seal_holder_keys` sealed; raises as :meth:`unseal`."""
        context = f"{offer_id}\0{configuration_id}".encode()
        return keystore.unseal(self._keys["holder keys"], sealed, context=context)

    # --- keys of encrypted requests

    def seal_encryption_key(self, key: EncryptionKey, authority: str) -> bytes:
        """Return a private key encrypted for one authority."""
        private = strict_json.serialise(key.private_jwk())
        return keystore.seal(self._keys["encryption key"], private, context=authority.encode())

    def unseal_encryption_key(self, sealed: bytes, authority: str) -> EncryptionKey:
        """Return what :meth:`seal_encryption_key` sealed; raises as :meth:`unseal`."""
        opened = keystore.unseal(self._keys["encryption key"], sealed, context=authority.encode())
        return EncryptionKey.from_private_jwk(strict_json.parse_object(opened))

    def webhook_key(self) -> bytes:
        """Return the 32 bytes with which the secrets of webhooks are sealed."""
        return self._keys["webhook"]

    # --- blind indexes

    def number_index(self, authority: str, number: str) -> str:
        """Return the blind index of a document number."""
        return self._mac("blind index", authority, "number", normalised(number))

    def name_index(self, authority: str, name: str) -> str:
        """Return the blind index of a full name."""
        return self._mac("blind index", authority, "name", normalised(name))

    # --- nonces

    def new_nonce(self, authority: str, *, expires_at: int, purpose: NoncePurpose = "nonce") -> str:
        """Return a nonce that proves by itself that this authority gave it out, what for, and until when it holds."""
        random = secrets.token_bytes(16)
        mac = self._nonce_mac(purpose, authority, expires_at, random)
        return base64url.encode(_NONCE.pack(expires_at, random, mac))

    def nonce_expiry(self, authority: str, nonce: str, *, purpose: NoncePurpose = "nonce") -> int | None:
        """Return the last second of a nonce of this authority for this purpose; None for anything else."""
        try:
            expires_at, random, mac = _NONCE.unpack(base64url.decode(nonce))
        except (Malformed, struct.error):
            return None
        genuine = hmac.compare_digest(mac, self._nonce_mac(purpose, authority, expires_at, random))
        return int(expires_at) if genuine else None

    def _nonce_mac(self, purpose: NoncePurpose, authority: str, expires_at: int, random: bytes) -> bytes:
        message = struct.pack(">Q16s", expires_at, random) + authority.encode()
        return hmac.digest(self._keys[purpose], message, hashlib.sha256)[:16]


def hashed(value: str) -> str:
    """Return the SHA-256 of a code, token or nonce of at least 128 random bits, in hex."""
    return hashlib.sha256(value.encode()).hexdigest()


def new_secret() -> str:
    """Return 256 random bits as text, for codes and tokens."""
    return base64url.encode(secrets.token_bytes(32))


def no_code() -> str:
    """Return what stands where the hash of a pre-authorized code would: the hash of something that nobody knows."""
    return hashed(new_secret())


def normalised(text: str) -> str:
    """Return ``text`` as blind indexes compare it: NFC, without case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())
