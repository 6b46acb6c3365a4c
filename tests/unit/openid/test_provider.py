"""The provider's messages of OpenID Connect: what is read strictly, what is ignored, what a token says."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import jose, keys
from comity.keys import KeySigner
from comity.openid import provider
from comity.openid.pkce import challenge_of, new_verifier
from comity.openid.provider import AuthenticationRequest, CodeRequest, IdToken
from comity.openid.refusal import OAuthError

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
ASKED = {"response_type": "code", "scope": "openid age-alcohol", "state": "s", "nonce": "n"}


def test_what_has_no_effect_is_ignored() -> None:
    more = {
        "max_age": "0",
        "acr_values": "x",
        "claims": "{}",
        "display": "popup",
        "login_hint": "me",
        "prompt": "login",
    }
    found = AuthenticationRequest.parse({**ASKED, **more, "ui_locales": "fr"}, needs_pkce=False)
    assert found == AuthenticationRequest(scopes=("age-alcohol",), state="s", nonce="n", ui_locales="fr")


def test_a_scope_twice_is_one() -> None:
    found = AuthenticationRequest.parse({**ASKED, "scope": "age-alcohol openid age-alcohol"}, needs_pkce=False)
    assert found.scopes == ("age-alcohol",)


def test_a_challenge_must_be_s256() -> None:
    challenge = challenge_of(new_verifier())
    good = {**ASKED, "code_challenge": challenge, "code_challenge_method": "S256"}
    assert AuthenticationRequest.parse(good, needs_pkce=True).code_challenge == challenge
    for bad in ({"code_challenge_method": "plain"}, {"code_challenge": challenge[1:]}, {"code_challenge": "=" * 43}):
        with pytest.raises(OAuthError, match="S256"):
            AuthenticationRequest.parse({**good, **bad}, needs_pkce=False)
    with pytest.raises(OAuthError, match="S256"):
        AuthenticationRequest.parse(ASKED, needs_pkce=True)


def test_a_verifier_becomes_the_challenge_that_it_must_meet() -> None:
    verifier = new_verifier()
    fields = {"grant_type": "authorization_code", "code": "c", "redirect_uri": "https://shop.example/"}
    assert CodeRequest.parse(fields).code_challenge is None
    assert CodeRequest.parse({**fields, "code_verifier": verifier}).code_challenge == challenge_of(verifier)


PARSERS: tuple[Callable[[dict[str, str]], object], ...] = (
    lambda fields: AuthenticationRequest.parse(fields, needs_pkce=False),
    CodeRequest.parse,
    lambda fields: provider.text(fields, "state"),
)


@given(
    st.dictionaries(st.sampled_from([*ASKED, "code", "code_verifier", "grant_type", "prompt", "request"]), st.text())
)
def test_any_parameters_give_a_value_or_a_refusal(fields: dict[str, str]) -> None:
    for parse in PARSERS:
        with contextlib.suppress(OAuthError):
            parse(fields)


def test_no_presented_claim_speaks_for_the_token() -> None:
    signer = KeySigner.generate()
    hostile = {"iss": "https://evil.example", "sub": "admin", "exp": 9e9, "nonce": "x", "amr": ["hwk"], "class": "G"}
    token = IdToken(
        issuer="https://verifier.example/oidc",
        audience="shop",
        subject="somebody",
        authenticated_at=AT,
        acr="urn:comity:presented:x",
        amr=("pop",),
        nonce=None,
        claims=hostile,
    ).sign(signer, AT)
    jws = jose.parse(token)
    jose.verify(jws, keys.public_key(signer.public_jwk))
    at = int(AT.timestamp())
    assert jws.header == {"alg": "ES256", "typ": "JWT", "kid": keys.thumbprint(signer.public_jwk)}
    assert jose.payload_object(jws) == {
        "iss": "https://verifier.example/oidc",
        "sub": "somebody",
        "aud": "shop",
        "iat": at,
        "exp": at + 300,
        "auth_time": at,
        "acr": "urn:comity:presented:x",
        "amr": ["pop"],
        "class": "G",
    }


def test_the_configuration_lists_no_claim_that_is_never_told() -> None:
    found = provider.metadata(
        "https://v.example", scopes=["a"], acr_values=["b"], claims=["sid", "c"], algorithm="ES256"
    )
    assert "c" in found["claims_supported"]
    assert "sid" not in found["claims_supported"]
