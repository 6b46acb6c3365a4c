"""The deferred credential request (OpenID4VCI 1.0 §9.1). Its answers are those of the credential endpoint (§9.2)."""

from typing import Any

from comity.errors import Code
from comity.openid.issuance.credential_request import RESPONSE_ENCRYPTION
from comity.openid.issuance.encryption import AnswerKey
from comity.openid.members import Document, Members
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.record import Discreet

_REFUSE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_CREDENTIAL_REQUEST)


class DeferredRequest(Discreet, frozen=True, kw_only=True):
    """A request for what was promised under a transaction id.

    Attributes:
        transaction_id: from the answer with status 202.
        answer_key: how the answer is to be encrypted; from this request only, whatever the first one said (VCI-50).
    """

    UNPRINTED = frozenset({"transaction_id"})
    transaction_id: str
    answer_key: AnswerKey | None = None

    @classmethod
    def parse(cls, document: Document, *, is_encrypted: bool = False) -> "DeferredRequest":
        """Read a deferred credential request. Whether the id is known is the issuer's to say.

        Args:
            document: the request body.
            is_encrypted: whether the request was encrypted; only then its answer can be.

        Raises:
            OAuthError: ``invalid_credential_request``, ``invalid_encryption_parameters``.
        """
        members = Members.read(document, "deferred credential request", _REFUSE)
        answer = members.optional_members(RESPONSE_ENCRYPTION)
        return cls(
            transaction_id=members.string("transaction_id"),
            answer_key=None if answer is None else AnswerKey.parse(answer, is_encrypted=is_encrypted),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"transaction_id": self.transaction_id}
        if self.answer_key is not None:
            body[RESPONSE_ENCRYPTION] = self.answer_key.to_dict()
        return body
