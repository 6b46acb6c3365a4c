import pytest

from comity.errors import Code, Malformed
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal, description


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OAuthErrorCode.INVALID_REQUEST, 400),
        (OAuthErrorCode.INVALID_PROOF, 400),
        (OAuthErrorCode.INVALID_GRANT, 400),
        (OAuthErrorCode.INVALID_CLIENT, 401),
        (OAuthErrorCode.INVALID_TOKEN, 401),
        (OAuthErrorCode.INSUFFICIENT_SCOPE, 403),
        (OAuthErrorCode.SERVER_ERROR, 500),
        (OAuthErrorCode.TEMPORARILY_UNAVAILABLE, 503),
    ],
)
def test_each_error_has_its_http_status(error: OAuthErrorCode, status: int) -> None:
    assert error.status == status


@pytest.mark.clause("4-7")
def test_every_code_of_profile_4_7_and_6_8_is_known() -> None:
    profile = [
        "invalid_token",
        "insufficient_scope",
        "invalid_credential_request",
        "unknown_credential_configuration",
        "unknown_credential_identifier",
        "invalid_proof",
        "invalid_nonce",
        "invalid_encryption_parameters",
        "credential_request_denied",
        "invalid_transaction_id",
        "invalid_notification_id",
        "invalid_notification_request",
        "invalid_request",
        "invalid_client",
        "access_denied",
        "vp_formats_not_supported",
        "invalid_request_uri_method",
        "invalid_transaction_data",
        "wallet_unavailable",
        "invalid_scope",
    ]
    assert set(profile) <= {error.value for error in OAuthErrorCode}


def test_description_keeps_only_what_rfc_6749_allows() -> None:
    assert description('a "b" \\ é\n c') == "a 'b' ' '' c"
    assert description("plain (text) [1].") == "plain (text) [1]."


def test_error_body_and_defaults() -> None:
    problem = OAuthError(Code.REQUEST_INVALID, "l’adresse")
    assert problem.error is OAuthErrorCode.INVALID_REQUEST
    assert problem.to_dict() == {"error": "invalid_request", "error_description": "l'adresse"}
    assert isinstance(problem, Malformed)


def test_refusal_keeps_the_code_of_a_lower_layer() -> None:
    refuse = Refusal(code=Code.PROOF_INVALID, error=OAuthErrorCode.INVALID_PROOF)
    kept = refuse.of(Malformed(Code.DUPLICATE_MEMBER, "twice"))
    assert (kept.code, kept.error, kept.detail) == (Code.DUPLICATE_MEMBER, OAuthErrorCode.INVALID_PROOF, "twice")
    assert refuse("no").code is Code.PROOF_INVALID
