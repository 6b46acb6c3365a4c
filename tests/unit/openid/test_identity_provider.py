import base64
import json
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import jose, keys
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid import identity_provider
from comity.openid.identity_provider import ProviderMetadata
from comity.openid.refusal import OAuthError
from tests.support.world import NOW

ISSUER, CLIENT, NONCE = "https://id.example/realm", "us", "n"
KEY, OTHER = KeySigner.generate(), KeySigner.generate()
KNOWN = identity_provider.keys_of({"keys": [{**KEY.public_jwk, "kid": "a"}, {**OTHER.public_jwk, "kid": "b"}]})
AT = int(NOW.timestamp())


def token(header: dict[str, Any] | None = None, signer: KeySigner = KEY, **claims: Any) -> str:
    good = {"iss": ISSUER, "sub": "s", "aud": CLIENT, "nonce": NONCE, "iat": AT, "exp": AT + 60}
    return jose.sign({"kid": "a"} if header is None else header, good | claims, signer)


def checked(encoded: str) -> Any:
    return identity_provider.check_id_token(encoded, KNOWN, issuer=ISSUER, client_id=CLIENT, nonce=NONCE, at=NOW)


@pytest.mark.parametrize("header", [{}, {"kid": "a"}, {"typ": "JWT", "kid": "a"}])
def test_a_good_token_says_who_it_is(header: dict[str, Any]) -> None:
    assert checked(token(header))["sub"] == "s"
    assert identity_provider.has_key_for(token(header), KNOWN)


@pytest.mark.parametrize(
    "bad",
    [
        token({"kid": "b"}),
        token({"kid": "c"}),
        token({"typ": "dpop+jwt"}),
        token({"kid": "a", "jwk": dict(OTHER.public_jwk)}, OTHER),
        token(signer=KeySigner.generate("ES384")),
        token()[:-4] + "AAAA",
        "a.b",
        "",
    ],
    ids=["another-kid", "unknown-kid", "typ", "key-in-header", "algorithm", "signature", "two-parts", "empty"],
)
def test_a_token_by_no_published_key_says_nothing(bad: str) -> None:
    with pytest.raises(OAuthError):
        checked(bad)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256"])
def test_only_the_algorithms_of_the_house(algorithm: str) -> None:
    header, payload, signature = token().split(".")
    said = json.loads(base64.urlsafe_b64decode(header + "==")) | {"alg": algorithm}
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    with pytest.raises(OAuthError) as caught:
        checked(f"{forged}.{payload}.{signature}")
    assert caught.value.code is Code.ALGORITHM_NOT_ALLOWED


@given(st.text(max_size=80))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    assert not identity_provider.has_key_for(text, KNOWN)
    with suppress(OAuthError):
        checked(text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda of: st.lists(of, max_size=3))
)
def test_any_keys_are_a_set_or_refused(value: Any) -> None:
    with suppress(OAuthError):
        identity_provider.keys_of({"keys": value})


def test_keys_that_nobody_here_can_use_are_passed_over() -> None:
    rsa, private = {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, KEY.private_jwk()
    assert identity_provider.keys_of({"keys": [rsa, private, dict(KEY.public_jwk)]}) == (dict(KEY.public_jwk),)
    with pytest.raises(OAuthError):
        identity_provider.keys_of({"keys": [dict(KEY.public_jwk)] * 33})


def test_metadata_are_of_who_was_asked() -> None:
    said = {"issuer": ISSUER, "authorization_endpoint": "https://a.example/", "token_endpoint": "https://t.example/"}
    said["jwks_uri"] = "https://k.example/"
    assert ProviderMetadata.url(ISSUER) == f"{ISSUER}/.well-known/openid-configuration"
    assert ProviderMetadata.parse(said, issuer=ISSUER).names_issuer is False
    for wrong in ({"issuer": f"{ISSUER}/"}, {"jwks_uri": "javascript:x"}, {"token_endpoint": None}):
        with pytest.raises(OAuthError):
            ProviderMetadata.parse(said | wrong, issuer=ISSUER)


def test_the_browser_goes_with_a_query_of_ours() -> None:
    metadata = ProviderMetadata(
        issuer=ISSUER, authorization_endpoint="https://a.example/x?y=z", token_endpoint="", jwks_uri=""
    )
    query = parse_qs(urlsplit(identity_provider.authentication_url(metadata, {"state": "a b"})).query)
    assert query == {"y": ["z"], "response_type": ["code"], "state": ["a b"]}


def test_an_assertion_is_short_and_for_one_provider() -> None:
    made = [
        identity_provider.client_assertion(KEY, client_id=CLIENT, audience=ISSUER, kid="a", at=NOW) for _ in range(2)
    ]
    jws = jose.parse(made[0])
    jose.verify(jws, keys.public_key(KEY.public_jwk))
    claims = jose.payload_object(jws)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (CLIENT, CLIENT, ISSUER)
    assert claims["exp"] - claims["iat"] == 60
    assert claims["jti"] != jose.payload_object(jose.parse(made[1]))["jti"]
