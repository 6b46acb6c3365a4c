import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code
from comity.openid import form
from comity.openid.presentation.link import (
    RequestLink,
    RequestUriMethod,
    RequestUriPost,
    parse_link,
    wallet_metadata,
)
from comity.openid.refusal import OAuthError, OAuthErrorCode

CLIENT = "x509_san_dns:verifier.example"
URI = "https://verifier.example/openid/requests/1"


def link(**fields: str) -> str:
    return f"openid4vp://?{form.encode(fields)}"


def test_round_trip_by_reference() -> None:
    for method in RequestUriMethod:
        sent = RequestLink(client_id=CLIENT, request_uri=URI, method=method)
        assert parse_link(sent.link()) == sent
    assert RequestLink(client_id=CLIENT, request_uri=URI, method=RequestUriMethod.POST).link() == (
        "openid4vp://?client_id=x509_san_dns%3Averifier.example"
        "&request_uri=https%3A%2F%2Fverifier.example%2Fopenid%2Frequests%2F1&request_uri_method=post"
    )


def test_round_trip_by_value() -> None:
    sent = RequestLink(client_id=CLIENT, request="a.b.c")
    assert parse_link(sent.link()) == sent


def test_parameters_beside_a_request_object_are_ignored() -> None:  # VP-1: all parameters from the object only
    found = parse_link(link(client_id=CLIENT, request_uri=URI, response_uri="https://evil.example", nonce="x"))
    assert found == RequestLink(client_id=CLIENT, request_uri=URI)


def test_other_schemes_of_the_same_thing() -> None:
    query = form.encode({"client_id": CLIENT, "request_uri": URI})
    for prefix in ("haip-vp://?", "https://wallet.example/present?", " openid4vp://authorize?"):
        assert parse_link(f"{prefix}{query} ").request_uri == URI


def test_unsigned_only_under_redirect_uri() -> None:  # P13
    client = "redirect_uri:https://verifier.example/r"
    found = parse_link(link(client_id=client, response_type="vp_token", nonce="n"))
    assert found.request is found.request_uri is None
    assert found.parameters["nonce"] == "n"
    assert parse_link(found.link()) == found
    with pytest.raises(OAuthError, match="does not say who asks"):
        parse_link(link(client_id=CLIENT, response_type="vp_token", nonce="n"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", OAuthErrorCode.INVALID_REQUEST),
        ("openid-credential-offer://?client_id=x", OAuthErrorCode.INVALID_REQUEST),
        ("http://wallet.example/?" + form.encode({"client_id": CLIENT}), OAuthErrorCode.INVALID_REQUEST),
        ("https://[bad", OAuthErrorCode.INVALID_REQUEST),
        (link(request_uri=URI), OAuthErrorCode.INVALID_REQUEST),
        (link(client_id="unknown:x", request_uri=URI), OAuthErrorCode.INVALID_REQUEST),
        (link(client_id=CLIENT, request_uri=URI, request="a.b.c"), OAuthErrorCode.INVALID_REQUEST),
        (link(client_id=CLIENT, request_uri="http://verifier.example/r"), OAuthErrorCode.INVALID_REQUEST),
        (link(client_id=CLIENT, request="a.b.c", request_uri_method="post"), OAuthErrorCode.INVALID_REQUEST),
        (
            link(client_id=CLIENT, request_uri=URI, request_uri_method="POST"),
            OAuthErrorCode.INVALID_REQUEST_URI_METHOD,
        ),
        (
            link(client_id=CLIENT, request_uri=URI, request_uri_method="put"),
            OAuthErrorCode.INVALID_REQUEST_URI_METHOD,
        ),
        (f"{link(client_id=CLIENT, request_uri=URI)}&client_id=other", OAuthErrorCode.INVALID_REQUEST),
    ],
)
def test_refused(text: str, error: OAuthErrorCode) -> None:
    with pytest.raises(OAuthError) as caught:
        parse_link(text)
    assert caught.value.error is error


def test_request_uri_post_round_trip() -> None:
    for sent in (
        RequestUriPost(),
        RequestUriPost(wallet_nonce="w"),
        RequestUriPost(wallet_nonce="w", wallet_metadata=wallet_metadata()),
    ):
        assert RequestUriPost.parse(sent.to_form()) == sent
    assert RequestUriPost.parse(b"") == RequestUriPost()
    assert RequestUriPost.parse(b"future=1&wallet_nonce=w") == RequestUriPost(wallet_nonce="w")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"wallet_nonce=a&wallet_nonce=b", Code.REQUEST_INVALID),
        (b"wallet_metadata=%5B%5D", Code.MALFORMED_JSON),
        (b"wallet_metadata=%7B%22a%22%3A1%2C%22a%22%3A1%7D", Code.DUPLICATE_MEMBER),
    ],
)
@pytest.mark.clause("VP-3")
def test_request_uri_post_refused(body: bytes, code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        RequestUriPost.parse(body)
    assert caught.value.code is code


def test_wallet_metadata_says_nothing_about_a_person() -> None:
    assert sorted(wallet_metadata()) == [
        "client_id_prefixes_supported",
        "request_object_signing_alg_values_supported",
        "vp_formats_supported",
    ]
    assert wallet_metadata() == wallet_metadata()


@given(st.text())
def test_any_text(text: str) -> None:
    for candidate in (text, f"openid4vp://?{text}", f"openid4vp://?client_id={CLIENT}&{text}"):
        try:
            parse_link(candidate)
        except OAuthError:
            continue


@given(st.binary())
def test_any_bytes_posted(data: bytes) -> None:
    for body in (data, b"wallet_metadata=" + data):
        try:
            RequestUriPost.parse(body)
        except OAuthError:
            continue
