"""Envelopes: one request to an issuer, encrypted where it offers that, and the key that its answer is encrypted to.

The key is made for one request and dropped with it; nothing of it is stored (OpenID4VCI 1.0 §10).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity import strict_json
from comity.jwe import EncryptionKey
from comity.openid.issuance import encryption
from comity.openid.issuance.credential_request import RESPONSE_ENCRYPTION
from comity.openid.issuance.encryption import AnswerKey, Choice
from comity.ports import Fetched
from wallet.outbound import JSON, accepted

_KID = "answer"


class Envelope(Struct, frozen=True, kw_only=True):
    """How one request goes out and its answer comes back; both in the clear when ``choice`` is None."""

    choice: Choice | None
    key: EncryptionKey | None

    @classmethod
    def begin(cls, kept: Mapping[str, Any] | None) -> "Envelope":
        """Return an envelope for one request, with a fresh key, from what :meth:`Choice.to_dict` gave."""
        choice = None if kept is None else Choice.from_dict(kept)
        wants_answer = choice is not None and choice.response_enc is not None
        return cls(choice=choice, key=EncryptionKey.generate(_KID) if wants_answer else None)

    def seal(self, body: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the bytes to send and their media type."""
        if self.choice is None:
            return strict_json.serialise(dict(body)), JSON
        if self.key is not None and self.choice.response_enc is not None:
            wanted = AnswerKey(jwk=self.key.public_jwk, enc=self.choice.response_enc)
            body = {**body, RESPONSE_ENCRYPTION: wanted.to_dict()}
        return encryption.seal_request(body, self.choice).encode(), encryption.CONTENT_TYPE

    def open(self, answer: Fetched) -> dict[str, Any]:
        """Return what a 2xx answer says; refusals come in the clear (§8.3.1.2).

        Raises:
            Denied, Unreachable, Malformed: as :func:`wallet.outbound.accepted`; also for an answer in the clear, or
                encrypted otherwise, where an encrypted one was asked for.
        """
        if self.key is None or self.choice is None or answer.status not in range(200, 300):
            return accepted(answer)
        enc = self.choice.response_enc or ""
        return encryption.open_response(answer.body, answer.content_type, self.key, enc)
