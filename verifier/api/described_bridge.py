"""What OpenAPI says about the endpoints of the bridge to OpenID Connect."""

from comity.openid import provider
from verifier.api.described import Extra, answer_of, body_of_type, oauth_errors

_ISSUER = "https://verifier.example/oidc"
_TEXT: Extra = {"type": "string"}
CONFIGURATION: Extra = {
    "responses": {
        "200": answer_of(
            "The provider's configuration (OpenID Connect Discovery 1.0).",
            {"type": "object", "required": ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"]},
            provider.metadata(
                _ISSUER,
                scopes=["age-alcohol"],
                acr_values=["urn:comity:presented:age-alcohol"],
                claims=["age_over_19"],
                algorithm="ES256",
            ),
        ),
        **oauth_errors(404),
    }
}
KEYS: Extra = {
    "responses": {
        "200": answer_of(
            "The keys by which ID tokens are checked (RFC 7517).",
            {"type": "object", "required": ["keys"]},
            {"keys": [{"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "…", "use": "sig", "alg": "ES256"}]},
        ),
        **oauth_errors(404),
    }
}
TOKEN: Extra = {
    "security": [{"website": []}, {}],
    "requestBody": {
        "required": True,
        **body_of_type(
            {
                "type": "object",
                "required": ["grant_type", "code", "redirect_uri"],
                "properties": {
                    "grant_type": {"type": "string", "enum": ["authorization_code"]},
                    "code": _TEXT,
                    "redirect_uri": _TEXT,
                    "code_verifier": _TEXT,
                    "client_id": _TEXT,
                    "client_secret": _TEXT,
                    "client_assertion_type": _TEXT,
                    "client_assertion": _TEXT,
                },
            },
            {
                "grant_type": "authorization_code",
                "code": "pQ3vXn0cN4m1yT7kq2Zr8sWb5uJ6fHd9aLeGiKoMtEw",
                "redirect_uri": "https://shop.example/callback",
                "code_verifier": "Zr8sWb5uJ6fHd9aLeGiKoMtEwpQ3vXn0cN4m1yT7kq2",
            },
            media_type="application/x-www-form-urlencoded",
        ),
    },
    "responses": {
        "200": answer_of(
            "The ID token; the access token beside it opens nothing.",
            {"type": "object", "required": ["access_token", "token_type", "id_token"]},
            {
                "access_token": "Zr8sWb5uJ6fHd9aLeGiKoMtEwpQ3vXn0cN4m1yT7kq2",
                "token_type": "Bearer",
                "expires_in": 1,
                "scope": "openid age-alcohol",
                "id_token": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9…",
            },
        ),
        **oauth_errors(400, 401, 413, 415),
    },
}
