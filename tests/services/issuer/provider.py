"""A jurisdiction's identity provider, small and strict; whatever it says can be said wrong."""

import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

import issuer.app
from comity import jose, keys, strict_json
from comity.errors import Malformed
from comity.keys import KeySigner
from comity.openid import pkce
from comity.runtime.clock import FixedClock
from tests.services.issuer.deployed import NOW, PUBLIC_URL, Deployed, Place, running
from tests.support.in_process import InProcess

ISSUER = "https://id.example"
CLIENT, SECRET = "issuer:ca-on", "s3cret/with=signs"
REDIRECT = f"{PUBLIC_URL}/sign-in/callback"
_ENDPOINTS = (("authorization", "authorize"), ("token", "token"))


@dataclass
class Provider:
    """The provider as an ASGI application.

    Attributes:
        said: changes of the next ID token's claims; None leaves a claim out.
        header: changes of its header.
        metadata: changes of its metadata.
        signer: another key than the published one, when set.
        status: of the token endpoint.
        asked: path of every request, in order.
        proven: how the client proved who it is, at each token request.
    """

    clock: FixedClock
    key: KeySigner = field(default_factory=KeySigner.generate)
    said: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    signer: KeySigner | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    proven: list[str] = field(default_factory=list)
    client_keys: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._codes: dict[str, dict[str, str]] = {}

    def sign_in(self, url: str, *, code: str = "c0de") -> dict[str, str]:
        """Take a browser that was sent here, sign in, and return what it brings back."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ISSUER}/authorize"
        asked = dict(parse_qsl(parts.query, strict_parsing=True))
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert (asked["redirect_uri"], asked["code_challenge_method"]) == (REDIRECT, "S256")
        assert "openid" in asked["scope"].split()
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.asked.append(scope["path"])
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, answer = self._answer(scope["path"], headers, dict(parse_qsl(body.decode())))
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": strict_json.serialise(answer)})

    def _answer(self, path: str, headers: dict[str, str], form: dict[str, str]) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            endpoints = {f"{name}_endpoint": f"{ISSUER}/{last}" for name, last in _ENDPOINTS}
            return 200, {"issuer": ISSUER, **endpoints, "jwks_uri": f"{ISSUER}/keys", **self.metadata}
        if path == "/keys":
            rsa = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "old"}
            return 200, {"keys": [rsa, {**self.key.public_jwk, "kid": self.key.thumbprint}]}
        return self._token(headers, form)

    def _token(self, headers: dict[str, str], form: dict[str, str]) -> tuple[int, Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        is_good = asked is not None and pkce.is_verified(form["code_verifier"], asked["code_challenge"])
        if self.status != 200 or asked is None or not is_good or form["redirect_uri"] != REDIRECT:
            return (self.status if self.status != 200 else 400), {"error": "invalid_grant"}
        if not self._is_client(headers, form):
            return 401, {"error": "invalid_client"}
        now = int(self.clock.now().timestamp())
        claims = {"iss": ISSUER, "sub": "file-7", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {name: value for name, value in {**claims, **self.said}.items() if value is not None}
        header = {"kid": self.key.thumbprint, **self.header}
        token = jose.sign(header, claims, self.signer or self.key)
        return 200, {"access_token": "of no use", "token_type": "Bearer", "id_token": token}

    def _is_client(self, headers: dict[str, str], form: dict[str, str]) -> bool:
        scheme, _, pair = headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            self.proven.append("client_secret_basic")
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            return (unquote(name), unquote(secret)) == (CLIENT, SECRET)
        self.proven.append("private_key_jwt")
        jws = jose.parse(form["client_assertion"])
        try:
            jose.verify(jws, keys.public_key(next(iter(self.client_keys["keys"]))))
        except (Malformed, StopIteration):
            return False
        claims = jose.payload_object(jws)
        return (claims["iss"], claims["sub"], claims["aud"]) == (CLIENT, CLIENT, ISSUER)


@contextlib.asynccontextmanager
async def with_provider(place: Place, **changes: Any) -> AsyncIterator[tuple[Deployed, Provider]]:
    """Start a deployment whose people sign in at a provider."""
    clock = FixedClock(NOW)
    provider = Provider(clock)
    net = InProcess(clock, hosts={ISSUER: provider})
    settings = {
        "identity_provider_issuer": ISSUER,
        "identity_provider_client_id": CLIENT,
        "identity_provider_client_secret": SECRET,
        **changes,
    }
    with mock.patch.object(issuer.app, "FetcherAtFirstUse", return_value=net):
        async with running(place, clock, **settings) as deployed:
            yield deployed, provider
