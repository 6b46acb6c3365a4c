import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from comity import base64url
from comity.errors import Code
from comity.openid.presentation import client_id
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.unit.openid.parties import Verifier, make_verifier

HASH = base64url.encode(bytes(32))


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (f"x509_hash:{HASH}", Prefix.X509_HASH),
        ("x509_san_dns:verifier.example", Prefix.X509_SAN_DNS),
        ("decentralized_identifier:did:web:verifier.example:bar", Prefix.DECENTRALIZED_IDENTIFIER),
        ("decentralized_identifier:did:web:localhost%3A8103", Prefix.DECENTRALIZED_IDENTIFIER),
        ("redirect_uri:https://verifier.example/response", Prefix.REDIRECT_URI),
        ("verifier_attestation:verifier.example", Prefix.VERIFIER_ATTESTATION),
        ("verifier.example", Prefix.PRE_REGISTERED),
        (HASH, Prefix.PRE_REGISTERED),
    ],
)
@pytest.mark.good_twin("P14")
def test_parse(text: str, prefix: Prefix) -> None:
    client = client_id.parse(text)
    assert client.prefix is prefix
    assert client.text == text


@pytest.mark.parametrize(
    "text",
    [  # P14 and VP 6.2: everything else is refused
        "",
        "a b",
        "verifier/1",
        "a" * 256,
        "pre-registered:verifier.example",
        f":{HASH}",
        "https://verifier.example",
        "did:web:verifier.example",
        "origin:https://verifier.example",
        "verifier_attestation:",
        "verifier_attestation:a b",
        "verifier_attestation:x509_hash:a",
        f"verifier_attestation:{'a' * 256}",
        "openid_federation:https://verifier.example",
        f"X509_HASH:{HASH}",
        f"x509_hash:x509_hash:{HASH}",
        f"x509_san_dns:x509_hash:{HASH}",
        f"x509_hash:{HASH[:-1]}",
        f"x509_hash:{HASH}A",
        f"x509_hash:{HASH}\n",
        f"x509_hash:{HASH[:-1]}=",
        "x509_san_dns:",
        "x509_san_dns:Verifier.example",
        "x509_san_dns:*.example",
        "x509_san_dns:verifier.example/path",
        "x509_san_dns:-a.example",
        f"x509_san_dns:{'a' * 64}.example",
        f"x509_san_dns:{'.'.join(['a' * 60] * 5)}",
        "decentralized_identifier:verifier.example",
        "decentralized_identifier:did:example:123",
        "decentralized_identifier:did:web:verifier.example#key",
        "decentralized_identifier:did:web:verifier.example?a=b",
        "decentralized_identifier:did:web:verifier.example/a",
        "redirect_uri:http://verifier.example",
        "redirect_uri:javascript:alert(1)",
    ],
)
@pytest.mark.clause("6-2-origin")
@pytest.mark.attack("P14")
def test_refused(text: str) -> None:
    with pytest.raises(OAuthError) as caught:
        client_id.parse(text)
    assert caught.value.error is OAuthErrorCode.INVALID_REQUEST
    assert caught.value.code is Code.REQUEST_INVALID


def test_builders(verifier: Verifier) -> None:
    assert client_id.parse(verifier.client.text) == verifier.client
    did = "did:web:verifier.example"
    assert client_id.parse(client_id.of_did(did).text) == client_id.of_did(did)
    assert [prefix for prefix in Prefix if not prefix.can_sign] == [Prefix.REDIRECT_URI, Prefix.ORIGIN]


def test_x509_hash_is_that_of_the_leaf(verifier: Verifier) -> None:
    chain = (verifier.leaf, verifier.anchor)
    client_id.check_certificate(verifier.client, chain)
    for wrong in (client_id.of_certificate(verifier.anchor), make_verifier().client):
        with pytest.raises(OAuthError) as caught:
            client_id.check_certificate(wrong, chain)
        assert caught.value.code is Code.CLIENT_MISMATCH


def test_x509_san_dns_is_a_name_in_the_leaf(verifier: Verifier) -> None:
    named = ClientId(prefix=Prefix.X509_SAN_DNS, identifier="verifier.example")
    client_id.check_certificate(named, (verifier.leaf,))
    for other in ("example", "sub.verifier.example", "verifier.example.evil.example"):
        with pytest.raises(OAuthError):
            client_id.check_certificate(structs.replace(named, identifier=other), (verifier.leaf,))


@pytest.mark.parametrize(
    ("client", "response_uri", "allowed"),
    [  # P15
        ("x509_san_dns:verifier.example", "https://verifier.example/r", True),
        ("x509_san_dns:verifier.example", "https://verifier.example:8443/r", True),
        ("x509_san_dns:verifier.example", "https://evil.example/r", False),
        ("x509_san_dns:verifier.example", "https://verifier.example.evil.example/r", False),
        ("x509_san_dns:verifier.example", "not a url", False),
        ("redirect_uri:https://verifier.example/r", "https://verifier.example/r", True),
        ("redirect_uri:https://verifier.example/r", "https://verifier.example/r/", False),
        ("redirect_uri:https://verifier.example/r", "https://evil.example/r", False),
        (f"x509_hash:{HASH}", "https://anywhere.example/r", True),
        ("decentralized_identifier:did:web:verifier.example", "https://anywhere.example/r", True),
    ],
)
@pytest.mark.attack("P15")
@pytest.mark.good_twin("P15")
def test_response_uri(client: str, response_uri: str, allowed: bool) -> None:
    if allowed:
        client_id.check_response_uri(client_id.parse(client), response_uri)
        return
    with pytest.raises(OAuthError) as caught:
        client_id.check_response_uri(client_id.parse(client), response_uri)
    assert caught.value.code is Code.CLIENT_MISMATCH


@given(st.sampled_from([*Prefix, "origin", ""]), st.text())
def test_any_text(prefix: str, text: str) -> None:
    for candidate in (text, f"{prefix}:{text}"):
        try:
            assert client_id.parse(candidate).text == candidate
        except OAuthError:
            continue
