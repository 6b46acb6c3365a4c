"""The credential request (OpenID4VCI 1.0 §8.2)."""

from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.openid.issuance.encryption import AnswerKey
from comity.openid.members import Document, Members
from comity.openid.refusal import OAuthErrorCode, Refusal

_REFUSE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_CREDENTIAL_REQUEST)
_PROOF = Refusal(code=Code.PROOF_INVALID, error=OAuthErrorCode.INVALID_PROOF)
_TOO_MANY = Refusal(code=Code.BATCH_TOO_LARGE, error=OAuthErrorCode.INVALID_PROOF)
RESPONSE_ENCRYPTION = "credential_response_encryption"
PROOF_TYPES = frozenset({"jwt", "di_vp", "attestation"})


class CredentialRequest(Struct, frozen=True, kw_only=True):
    """A request for one or more copies of one credential. Exactly one of the two identifiers is set.

    Attributes:
        configuration_id: from the metadata; used when the token response named no credential identifiers.
        credential_identifier: from the token response.
        proofs: key proof JWTs, in the order received; () when none were sent.
        attestation: the one JWT of a proof of type ``attestation``; None when none was sent.
        answer_key: how the answer is to be encrypted; None for a plain one.
    """

    configuration_id: str | None = None
    credential_identifier: str | None = None
    proofs: tuple[str, ...] = ()
    attestation: str | None = None
    answer_key: AnswerKey | None = None

    @classmethod
    def parse(cls, document: Document, *, batch_size: int = 1, is_encrypted: bool = False) -> "CredentialRequest":
        """Read a credential request (VCI-40). Members nobody knows are ignored.

        Not checked here: the proofs themselves and that their keys are distinct (:mod:`comity.openid.key_proof`),
        whether proofs are needed (:meth:`require_proofs`), whether the token covers what is asked for.

        Args:
            document: the request body.
            batch_size: most proofs the issuer accepts.
            is_encrypted: whether the request was encrypted; only then its answer can be.

        Raises:
            OAuthError: ``invalid_credential_request``; ``invalid_proof`` for malformed, unsupported or too many
                proofs; ``invalid_encryption_parameters``.
        """
        members = Members.read(document, "credential request", _REFUSE)
        configuration = members.optional_string("credential_configuration_id")
        identifier = members.optional_string("credential_identifier")
        if (configuration is None) == (identifier is None):
            raise _REFUSE(
                "credential request: exactly one of credential_configuration_id and credential_identifier is needed"
            )
        proofs, attestation = _proofs(members, batch_size) if members.has("proofs") else ((), None)
        answer = members.optional_members(RESPONSE_ENCRYPTION)
        return cls(
            configuration_id=configuration,
            credential_identifier=identifier,
            proofs=proofs,
            attestation=attestation,
            answer_key=None if answer is None else AnswerKey.parse(answer, is_encrypted=is_encrypted),
        )

    def require_proofs(self) -> None:
        """Refuse a request without proofs for a configuration that binds to a key (OpenID4VCI §8.3.1.2).

        Raises:
            OAuthError: ``invalid_proof``.
        """
        if not self.proofs and self.attestation is None:
            raise _PROOF("a key proof is needed for this credential")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {}
        if self.configuration_id is not None:
            body["credential_configuration_id"] = self.configuration_id
        if self.credential_identifier is not None:
            body["credential_identifier"] = self.credential_identifier
        if self.proofs:
            body["proofs"] = {"jwt": list(self.proofs)}
        elif self.attestation is not None:
            body["proofs"] = {"attestation": [self.attestation]}
        if self.answer_key is not None:
            body[RESPONSE_ENCRYPTION] = self.answer_key.to_dict()
        return body


def _proofs(members: Members, batch_size: int) -> tuple[tuple[str, ...], str | None]:
    """Return the ``jwt`` proofs, or the one key attestation (appendix F.3: exactly one)."""
    proofs = members.value["proofs"]
    if not isinstance(proofs, dict) or len(proofs) != 1:
        raise _REFUSE("credential request: proofs must be an object with exactly one proof type")
    ((kind, values),) = proofs.items()
    if kind not in {"jwt", "attestation"}:
        raise _PROOF("this proof type is not supported" if kind in PROOF_TYPES else "this proof type is not known")
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise _PROOF("credential request: proofs must hold a non-empty array of key proofs")
    if kind == "attestation":
        if len(values) > 1:
            raise _TOO_MANY("credential request: a proof of type attestation is exactly one key attestation")
        return (), values[0]
    if len(values) > batch_size:
        raise _TOO_MANY(f"credential request: at most {batch_size} key proofs are accepted at once")
    return tuple(values), None
