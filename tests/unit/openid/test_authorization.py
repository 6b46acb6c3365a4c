from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from comity.errors import Code
from comity.openid import authorization, authorization_details, form, pkce, token_request
from comity.openid.authorization import AuthorizationRequest, AuthorizationResponse, PushedResponse
from comity.openid.authorization_details import CredentialDetail
from comity.openid.code_flow import CodeFlow
from comity.openid.members import Members
from comity.openid.oauth import PRE_AUTHORIZED_GRANT, TokenRequest
from comity.openid.refusal import OAuthError, Refusal
from comity.openid.token_request import CodeRequest, RefreshRequest

GOOD = AuthorizationRequest(
    client_id="https://wallet.example",
    redirect_uri="https://wallet.example/back?x=1",
    code_challenge=pkce.challenge_of("a" * 43),
    state="é &=",
    scope=("a.1", "b.1"),
    details=(CredentialDetail(configuration_id="c.1", locations=("https://issuer.example",)),),
    issuer_state="planted",
    resource="https://issuer.example",
    dpop_jkt="t" * 43,
    ui_locales="fr-CA en",
)
ISSUER = "https://issuer.example/ca-on/services"


def test_a_request_survives_the_wire_and_the_store() -> None:
    sent = form.encode(GOOD.to_fields())
    assert AuthorizationRequest.parse(token_request.read_form(sent)) == GOOD
    assert authorization.of_kept(authorization.kept(GOOD)) == GOOD
    bare = replace(GOOD, state=None, details=(), issuer_state=None, resource=None, dpop_jkt=None, ui_locales=None)
    assert AuthorizationRequest.parse(bare.to_fields()) == bare


def test_what_nobody_knows_is_ignored() -> None:
    assert AuthorizationRequest.parse(GOOD.to_fields() | {"prompt": "none", "wallet_issuer": "x"}) == GOOD


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),  # RFC 7636 §4.3: that would be "plain"
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"request_uri": "urn:example:another"}, "invalid_request"),  # RFC 9126 §2.1
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"scope": "a  b"}, "invalid_scope"),
        ({"dpop_jkt": "short"}, "invalid_request"),
    ],
)
def test_what_is_no_pushed_request_for_a_code(change: dict[str, str | None], error: str) -> None:
    fields = {name: value for name, value in {**GOOD.to_fields(), **change}.items() if value is not None}
    with pytest.raises(OAuthError) as caught:
        AuthorizationRequest.parse(fields)
    assert caught.value.error == error
    assert AuthorizationRequest.parse(GOOD.to_fields()) == GOOD


@pytest.mark.parametrize(
    "uri",
    [
        "https://wallet.example",
        "https://wallet.example:8443/a?b=c",
        "http://localhost:1234/back",
        "http://127.0.0.1/back",
        "http://[::1]:9/back",
        "org.example.wallet:/back",
        "org.example.wallet://back",
    ],
)
def test_where_a_browser_may_be_sent(uri: str) -> None:
    assert authorization.is_redirect_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "wallet.example/back",
        "//wallet.example/back",
        "https:///back",
        "http://wallet.example/back",
        "http://localhost.evil.example/back",
        "https://me:pw@wallet.example/",
        "https://wallet.example/#f",
        "https://wallet.example/ back",
        "https://wallet.example/\r\nset-cookie:a=b",
        "https://wallet.example:99999/",
        "https://wallet.example;script-src/",
        "https://wallet.example,evil.example/",
        "https://wallet%2eexample/",
        "https://[::1/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "about:blank",
        "blob:https://wallet.example/x",
        "openid-credential-offer://x",
        "https://wallet.example/" + "x" * 2048,
    ],
)
def test_where_no_browser_is_sent(uri: str) -> None:
    assert not authorization.is_redirect_uri(uri)


def test_an_answer_goes_into_the_query_and_keeps_what_is_there() -> None:
    answer = AuthorizationResponse(code="c", state="é &=", issuer=ISSUER)
    url = answer.redirect("https://wallet.example/back?x=1&y=%20")
    assert url.startswith("https://wallet.example/back?x=1&y=%20&code=c&")
    assert AuthorizationResponse.parse(authorization.parse_parameters(urlsplit(url).query)) == answer
    refusal = AuthorizationResponse(error="access_denied", issuer=ISSUER).redirect("org.example.wallet:/back")
    assert dict(parse_qsl(urlsplit(refusal).query)) == {"error": "access_denied", "iss": ISSUER}
    told = AuthorizationResponse(error="invalid_scope", error_description='no "é"').redirect("https://shop.example/")
    assert dict(parse_qsl(urlsplit(told).query))["error_description"] == "no '''", "RFC 6749 §4.1.2.1"


@pytest.mark.parametrize("fields", [{}, {"state": "s"}, {"code": "c", "error": "access_denied"}])
def test_an_answer_is_a_code_or_an_error(fields: dict[str, str]) -> None:
    with pytest.raises(OAuthError):
        AuthorizationResponse.parse(fields)


def test_secrets_are_not_printed() -> None:
    assert "c0de" not in repr(AuthorizationResponse(code="c0de"))
    assert "c0de" not in repr(CodeRequest(code="c0de", code_verifier="c0de" * 11, redirect_uri="https://w.example"))
    assert "c0de" not in repr(RefreshRequest(refresh_token="c0de"))
    assert "planted" not in repr(GOOD)


def test_where_a_pushed_request_is() -> None:
    pushed = PushedResponse(request_uri="urn:x", expires_in=60)
    assert PushedResponse.parse(pushed.to_dict()) == pushed
    for broken in (
        {"request_uri": "urn:x"},
        {"request_uri": "", "expires_in": 60},
        {"request_uri": "x", "expires_in": 0},
    ):
        with pytest.raises(OAuthError):
            PushedResponse.parse(broken)


# --- token requests


def test_each_grant_is_read_as_it_is_written() -> None:
    for wanted in (
        CodeRequest(code="c", code_verifier="v" * 43, redirect_uri="https://w.example/b", client_id="w", resource="r"),
        RefreshRequest(refresh_token="r", client_id="w"),
        TokenRequest(pre_authorized_code="p", details=(CredentialDetail(configuration_id="a.1"),)),
    ):
        assert token_request.parse(wanted.to_form().encode()) == wanted
    details = authorization_details.build([CredentialDetail(configuration_id="a.1")])
    form_body = CodeRequest(code="c", code_verifier="v" * 43, redirect_uri="https://w.example/b").to_form()
    narrowed = token_request.parse(f"{form_body}&{form.encode({'authorization_details': details})}")
    assert isinstance(narrowed, CodeRequest)
    assert [each.configuration_id for each in narrowed.details] == ["a.1"]
    scoped = token_request.parse("grant_type=refresh_token&refresh_token=r&scope=a.1+b.1")
    assert isinstance(scoped, RefreshRequest)
    assert scoped.scope == ("a.1", "b.1")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "invalid_request"),
        ("grant_type=implicit", "unsupported_grant_type"),
        ("grant_type=authorization_code&code=c&redirect_uri=r", "invalid_request"),
        (f"grant_type=authorization_code&code=c&code_verifier={'v' * 43}", "invalid_request"),
        ("grant_type=authorization_code&code=c&redirect_uri=r&code_verifier=v", "invalid_grant"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=refresh_token&refresh_token=a&refresh_token=b", "invalid_request"),
        (f"grant_type={PRE_AUTHORIZED_GRANT}", "invalid_request"),
    ],
)
def test_a_token_request_that_lacks_something(body: str, error: str) -> None:
    with pytest.raises(OAuthError) as caught:
        token_request.parse(body)
    assert caught.value.error == error


@given(st.binary(max_size=200))
def test_any_bytes_are_a_token_request_or_refused(body: bytes) -> None:
    with suppress(OAuthError):
        token_request.parse(body)


NAMES = [*GOOD.to_fields(), "request", "request_uri", "response_mode"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(min_size=1), max_size=9))
def test_any_parameters_are_a_request_or_refused(changes: dict[str, str]) -> None:
    with suppress(OAuthError):
        parsed = AuthorizationRequest.parse(GOOD.to_fields() | changes)
        assert authorization.of_kept(authorization.kept(parsed)) == parsed


@given(st.text(max_size=200))
def test_any_text_is_details_or_refused(text: str) -> None:
    with suppress(OAuthError):
        assert authorization_details.parse(text)


# --- metadata


def _flow(said: dict[str, Any]) -> CodeFlow | None:
    return CodeFlow.parse(Members(said, "metadata", Refusal(code=Code.METADATA_INVALID)), issuer=ISSUER)


def test_the_flow_is_read_as_it_is_written() -> None:
    flow = CodeFlow(authorization_endpoint=f"{ISSUER}/authorize", pushed_endpoint=f"{ISSUER}/par", scopes=("a.1",))
    assert _flow(flow.to_dict()) == flow
    assert _flow({}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"authorization_endpoint": "https://evil.example/authorize"},
        {"authorization_endpoint": "https://issuer.example/ca-on/services-too"},
        {"pushed_authorization_request_endpoint": "https://issuer.example/ca-bc/services/par"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_response_iss_parameter_supported": "yes"},
        {"code_challenge_methods_supported": []},
    ],
    ids=str,
)
def test_endpoints_of_somebody_else_are_refused(wrong: dict[str, Any]) -> None:
    good = CodeFlow(authorization_endpoint=f"{ISSUER}/authorize", pushed_endpoint=f"{ISSUER}/par").to_dict()
    with pytest.raises(OAuthError):
        _flow(good | wrong)


def test_a_server_that_says_little_promises_little() -> None:
    found = _flow({"authorization_endpoint": f"{ISSUER}/authorize"})
    assert found is not None
    assert (found.names_issuer, found.challenge_methods, found.pushed_endpoint, found.takes_details) == (
        False,
        (),
        None,
        False,
    )
