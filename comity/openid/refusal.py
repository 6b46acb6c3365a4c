"""Error codes of the protocols, and the one exception with which this package refuses a message."""

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from comity.errors import Code, Malformed

_NOT_ALLOWED_IN_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")


class OAuthErrorCode(StrEnum):
    """The ``error`` values that we send or read.

    RFC 6749 §5.2, RFC 6750 §3.1, RFC 9449 §5 and §8, attestation-based client authentication, OpenID Connect Core 1.0,
    OpenID4VCI 1.0 and OpenID4VP 1.0.
    """

    # RFC 6749
    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"
    ACCESS_DENIED = "access_denied"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    # RFC 8707 §2, RFC 9396 §5, RFC 9101 §6.2
    INVALID_TARGET = "invalid_target"
    INVALID_AUTHORIZATION_DETAILS = "invalid_authorization_details"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    # OpenID Connect Core 1.0 §3.1.2.6
    LOGIN_REQUIRED = "login_required"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    # RFC 6750
    INVALID_TOKEN = "invalid_token"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    # RFC 9449 §5, §8
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"
    # OAuth 2.0 Attestation-Based Client Authentication (draft), "Errors"
    INVALID_CLIENT_ATTESTATION = "invalid_client_attestation"
    USE_ATTESTATION_CHALLENGE = "use_attestation_challenge"
    USE_FRESH_ATTESTATION = "use_fresh_attestation"
    # OpenID4VCI 1.0 §8.3.1.2, §9.3, §11.3; invalid_tx_code is the 1.1 draft's, read but never sent
    INVALID_TX_CODE = "invalid_tx_code"
    INVALID_CREDENTIAL_REQUEST = "invalid_credential_request"
    UNKNOWN_CREDENTIAL_CONFIGURATION = "unknown_credential_configuration"
    UNKNOWN_CREDENTIAL_IDENTIFIER = "unknown_credential_identifier"
    INVALID_PROOF = "invalid_proof"
    INVALID_NONCE = "invalid_nonce"
    INVALID_ENCRYPTION_PARAMETERS = "invalid_encryption_parameters"
    CREDENTIAL_REQUEST_DENIED = "credential_request_denied"
    INVALID_TRANSACTION_ID = "invalid_transaction_id"
    INVALID_NOTIFICATION_ID = "invalid_notification_id"
    INVALID_NOTIFICATION_REQUEST = "invalid_notification_request"
    # OpenID4VP 1.0 §8.5
    VP_FORMATS_NOT_SUPPORTED = "vp_formats_not_supported"
    INVALID_REQUEST_URI_METHOD = "invalid_request_uri_method"
    INVALID_TRANSACTION_DATA = "invalid_transaction_data"
    WALLET_UNAVAILABLE = "wallet_unavailable"

    @property
    def status(self) -> int:
        """The HTTP status an endpoint answers with: 400 unless the RFCs name another."""
        return _STATUS.get(self, 400)


_STATUS = {
    OAuthErrorCode.INVALID_CLIENT: 401,
    OAuthErrorCode.INVALID_TOKEN: 401,
    OAuthErrorCode.INSUFFICIENT_SCOPE: 403,
    OAuthErrorCode.SERVER_ERROR: 500,
    OAuthErrorCode.TEMPORARILY_UNAVAILABLE: 503,
}


def description(text: str) -> str:
    """Return ``text`` with every character that an ``error_description`` may not hold turned into an apostrophe.

    RFC 6749 §5.2: only %x20-21 / %x23-5B / %x5D-7E.
    """
    return _NOT_ALLOWED_IN_DESCRIPTION.sub("'", text)


class OAuthError(Malformed):
    """A message that is refused, with what to tell the other side.

    Attributes:
        code: ours, stable and translated.
        error: the code the protocol demands.
        detail: one plain sentence; never a token, key or claim value.
        more: further members of the error response, which whoever does not know them ignores.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        error: OAuthErrorCode = OAuthErrorCode.INVALID_REQUEST,
        more: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.error = error
        self.more = dict(more or {})

    def to_dict(self) -> dict[str, str | int]:
        """Return the error response body (RFC 6749 §5.2)."""
        return {"error": self.error.value, "error_description": description(self.detail), **self.more}


class Refusal(Struct, frozen=True, kw_only=True):
    """How the messages of one kind are refused: our code and the protocol's."""

    code: Code
    error: OAuthErrorCode = OAuthErrorCode.INVALID_REQUEST

    def __call__(self, detail: str, code: Code | None = None) -> OAuthError:
        """Return the exception to raise; ``code`` replaces ours where a more telling one is known."""
        return OAuthError(code or self.code, detail, error=self.error)

    def of(self, problem: Malformed) -> OAuthError:
        """Return the refusal of a message in which a lower layer found ``problem``; its code and detail are kept."""
        return self(problem.detail, problem.code)
