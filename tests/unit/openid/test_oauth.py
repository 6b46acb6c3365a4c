from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import strict_json
from comity.errors import Code
from comity.openid import form, oauth
from comity.openid.oauth import (
    PRE_AUTHORIZED_GRANT,
    AuthorizationServerMetadata,
    ErrorResponse,
    GrantedConfiguration,
    TokenRequest,
    TokenResponse,
)
from comity.openid.refusal import OAuthError, OAuthErrorCode

GOOD = {"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": "c0de"}


def test_token_request_as_common_wallets_send_it() -> None:
    # Anonymous, with a resource parameter and one nobody knows (peers-and-vectors.md).
    body = form.encode({**GOOD, "tx_code": "1234", "resource": "https://i.example", "unknown": "x"})
    parsed = TokenRequest.parse(body.encode())
    assert parsed == TokenRequest(pre_authorized_code="c0de", tx_code="1234", resource="https://i.example")
    assert TokenRequest.parse(parsed.to_form()) == parsed


def test_repeated_resource_is_allowed_and_nothing_else() -> None:
    body = form.encode(GOOD)
    assert TokenRequest.parse(f"{body}&resource=a&resource=b").resource == "a"
    with pytest.raises(OAuthError) as caught:
        TokenRequest.parse(f"{body}&tx_code=1&tx_code=2")
    assert caught.value.error is OAuthErrorCode.INVALID_REQUEST


def test_an_empty_tx_code_counts_as_absent() -> None:  # I04, RFC 6749 §3.1
    assert TokenRequest.parse(f"{form.encode(GOOD)}&tx_code=").tx_code is None


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"pre-authorized_code": "c"}, OAuthErrorCode.INVALID_REQUEST),
        ({"grant_type": "authorization_code", "code": "c"}, OAuthErrorCode.UNSUPPORTED_GRANT_TYPE),
        ({"grant_type": PRE_AUTHORIZED_GRANT}, OAuthErrorCode.INVALID_REQUEST),
        ({"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": ""}, OAuthErrorCode.INVALID_REQUEST),
    ],
)
def test_token_request_refused(fields: dict[str, str], error: OAuthErrorCode) -> None:
    with pytest.raises(OAuthError) as caught:
        TokenRequest.parse(form.encode(fields))
    assert caught.value.error is error


def test_secrets_are_not_printed() -> None:
    assert "c0de" not in repr(TokenRequest(pre_authorized_code="c0de", tx_code="9876"))
    assert "9876" not in repr(TokenRequest(pre_authorized_code="c0de", tx_code="9876"))
    assert "t0ken" not in repr(TokenResponse(access_token="t0ken"))


@pytest.mark.clause("VCI-23")
def test_token_response_round_trip() -> None:
    response = TokenResponse(
        access_token="t",
        expires_in=300,
        granted=(GrantedConfiguration(configuration_id="person.1.sdjwt", credential_identifiers=("a", "b")),),
    )
    assert TokenResponse.parse(strict_json.serialise(response.to_dict())) == response
    assert TokenResponse(access_token="t").to_dict() == {"access_token": "t", "token_type": "Bearer"}


@pytest.mark.clause("VCI-23")
def test_a_bound_token_is_one_only_after_a_proof() -> None:  # RFC 9449 §5
    bound = TokenResponse(access_token="t", is_bound=True)
    assert bound.to_dict() == {"access_token": "t", "token_type": "DPoP"}
    assert TokenResponse.parse({"access_token": "t", "token_type": "dpop"}, with_dpop=True) == bound
    for document, with_dpop in ((bound.to_dict(), False), (TokenResponse(access_token="t").to_dict(), True)):
        with pytest.raises(OAuthError) as caught:
            TokenResponse.parse(document, with_dpop=with_dpop)
        assert caught.value.code is Code.RESPONSE_INVALID


def test_token_response_reads_what_others_add() -> None:
    document = {
        "access_token": "t",
        "token_type": "bearer",
        "c_nonce": "old draft",
        "authorization_details": [{"type": "other"}],
    }
    assert TokenResponse.parse(document) == TokenResponse(access_token="t")


@pytest.mark.parametrize(
    "document",
    [
        {"token_type": "Bearer"},
        {"access_token": "t"},
        {"access_token": "t", "token_type": "DPoP"},
        {"access_token": "t", "token_type": "Bearer", "expires_in": 0},
        {"access_token": "t", "token_type": "Bearer", "expires_in": "300"},
        {"access_token": "t", "token_type": "Bearer", "authorization_details": []},
        {
            "access_token": "t",
            "token_type": "Bearer",
            "authorization_details": [
                {"type": "openid_credential", "credential_configuration_id": "a", "credential_identifiers": []}
            ],
        },
    ],
)
def test_token_response_refused(document: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        TokenResponse.parse(document)
    assert caught.value.code is Code.RESPONSE_INVALID


def test_error_response() -> None:
    known = ErrorResponse.parse(b'{"error":"invalid_tx_code","error_description":"wrong \\"code\\""}')
    assert known.known is OAuthErrorCode.INVALID_TX_CODE
    assert known.description == "wrong 'code'"
    unknown = ErrorResponse.parse({"error": "something_new", "error_description": 7})
    assert unknown == ErrorResponse(error="something_new")
    assert unknown.known is None
    with pytest.raises(OAuthError):
        ErrorResponse.parse(b"{}")


ISSUER = "https://issuer.example/ca-on/services"
SERVER = AuthorizationServerMetadata(issuer=ISSUER, token_endpoint=f"{ISSUER}/token")


@pytest.mark.clause("VCI-6")
def test_server_metadata_round_trip_and_place() -> None:
    assert AuthorizationServerMetadata.parse(SERVER.to_dict(), issuer=ISSUER) == SERVER
    assert PRE_AUTHORIZED_GRANT in (SERVER.grant_types or ())
    bound = AuthorizationServerMetadata(issuer=ISSUER, token_endpoint=f"{ISSUER}/token", dpop_algorithms=("ES256",))
    assert bound.to_dict()["dpop_signing_alg_values_supported"] == ["ES256"]
    assert AuthorizationServerMetadata.parse(bound.to_dict(), issuer=ISSUER) == bound
    expected = "https://issuer.example/.well-known/oauth-authorization-server/ca-on/services"
    assert AuthorizationServerMetadata.url(ISSUER) == expected


def test_server_metadata_defaults() -> None:
    bare = AuthorizationServerMetadata.parse(
        {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token", "response_types_supported": []}, issuer=ISSUER
    )
    assert not bare.anonymous_access  # OpenID4VCI §12.3: false when absent
    assert bare.grant_types is None
    assert "grant_types_supported" not in bare.to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://issuer.example/ca-on/services/"},
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://honest.example/token"},
        {"token_endpoint": "https://issuer.example/ca-bc/services/token"},
        {"token_endpoint": "http://issuer.example/ca-on/services/token"},
        {"grant_types_supported": []},
        {"dpop_signing_alg_values_supported": []},
        {"pre-authorized_grant_anonymous_access_supported": "true"},
    ],
)
@pytest.mark.clause("VCI-6")
def test_server_metadata_refused(change: dict[str, Any]) -> None:  # I20, I21
    with pytest.raises(OAuthError) as caught:
        AuthorizationServerMetadata.parse({**SERVER.to_dict(), **change}, issuer=ISSUER)
    assert caught.value.code is Code.METADATA_INVALID


@pytest.mark.clause("VCI-30")
def test_nonce_response() -> None:
    assert oauth.parse_nonce_response(strict_json.serialise(oauth.nonce_response("n0nce"))) == "n0nce"
    with pytest.raises(OAuthError):
        oauth.parse_nonce_response(b'{"c_nonce":""}')


@given(st.binary() | st.just(b'{"access_token":"t","token_type":"Bearer"}'))
def test_any_bytes(data: bytes) -> None:
    for parse in (
        TokenRequest.parse,
        TokenResponse.parse,
        ErrorResponse.parse,
        oauth.parse_nonce_response,
        lambda body: AuthorizationServerMetadata.parse(body, issuer=ISSUER),
    ):
        try:
            parse(data)
        except OAuthError:
            continue
