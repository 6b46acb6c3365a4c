"""Who signed in, by the word of the jurisdiction's identity provider: this issuer as an OpenID Connect relying party.

Metadata and keys are kept for a while; an ID token that names an unknown key makes them be read again, at most once a
minute, whatever anybody sends (catalogue J15).
"""

import asyncio
import base64
from datetime import datetime, timedelta
from urllib.parse import quote

import structlog

from comity import strict_json
from comity.errors import Code, ComityError, Denied, Malformed, Unreachable
from comity.keys import KeySigner
from comity.openid import form, identity_provider, pkce
from comity.openid.authorization import AuthorizationResponse
from comity.openid.identity_provider import ProviderMetadata
from comity.openid.refusal import OAuthErrorCode
from comity.ports import Clock, Fetched, Fetcher, FetchRequest, Jwk
from comity.record import Discreet

KEY = "identity-provider"
"""Name of the key for ``private_key_jwt`` in the key store."""

_JSON = "application/json"
_KEPT = timedelta(minutes=10)
_SHORTEST = timedelta(seconds=60)
_QUIET = timedelta(seconds=60)
"""Between two lines of the log that say the same about the provider, whatever anybody sends."""
_MAX_REASONS = 64

_log = structlog.get_logger("issuer")


class Registration(Discreet, frozen=True, kw_only=True):
    """How this issuer is known at the identity provider.

    Attributes:
        issuer: identifier of the provider.
        client_id: ours.
        redirect_uri: where it sends browsers back to.
        secret: for ``client_secret_basic``; None for ``private_key_jwt`` with ``signer``.
        signer: None with a secret.
        scope: what is asked for; ``openid`` is in it.
        subject_claim: the claim of the ID token that is the person's file number.
    """

    UNPRINTED = frozenset({"secret", "signer"})
    issuer: str
    client_id: str
    redirect_uri: str
    secret: str | None = None
    signer: KeySigner | None = None
    scope: str = "openid"
    subject_claim: str = "sub"


class Secrets(Discreet, frozen=True, kw_only=True):
    """What one sign-in carries: ``state`` and ``nonce`` go to the provider, the ``verifier`` follows with the code."""

    UNPRINTED = frozenset({"nonce", "state", "verifier"})
    state: str
    nonce: str
    verifier: str


class IdentityProvider:
    """The provider, asked through the guarded fetcher."""

    def __init__(self, registration: Registration, fetcher: Fetcher, clock: Clock) -> None:
        self.registration = registration
        self._fetcher = fetcher
        self._clock = clock
        self._metadata: tuple[datetime, ProviderMetadata] | None = None
        self._keys: tuple[datetime, tuple[Jwk, ...]] | None = None
        self._lock = asyncio.Lock()
        self._told: dict[str, datetime] = {}

    async def sign_in_url(self, secrets: Secrets, *, ui_locales: str | None) -> str:
        """Return where the browser goes to sign in (OpenID Connect Core §3.1.2.1).

        Raises:
            Unreachable, Malformed: the provider does not answer, or not with metadata of its own; the log says so.
        """
        ours = self.registration
        fields = {
            "client_id": ours.client_id,
            "redirect_uri": ours.redirect_uri,
            "scope": ours.scope,
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": pkce.challenge_of(secrets.verifier),
            "code_challenge_method": pkce.METHOD,
        }
        optional = {"ui_locales": ui_locales} if ui_locales else {}
        try:
            return identity_provider.authentication_url(await self._described(), fields | optional)
        except (Malformed, Unreachable) as problem:
            self._tell(problem)
            raise

    async def subject(self, answer: AuthorizationResponse, secrets: Secrets) -> str:
        """Return the file number of who signed in; ``state`` was compared by the caller.

        Raises:
            Denied: ``sign_in_failed``: the person did not sign in, or the provider refuses.
            OAuthError: the answer or its ID token is not what it must be.
            Unreachable: the provider does not answer.

        Why is in the log, for who set the provider up; not when the person gave up there.
        """
        try:
            return await self._subject(answer, secrets)
        except (Denied, Malformed, Unreachable) as problem:
            if answer.error != OAuthErrorCode.ACCESS_DENIED:
                self._tell(problem)
            raise

    async def _subject(self, answer: AuthorizationResponse, secrets: Secrets) -> str:
        metadata = await self._described()
        # RFC 9207 §2.4: an answer that names another provider, or none where one is promised, is a mix-up.
        if answer.issuer != metadata.issuer and (answer.issuer is not None or metadata.names_issuer):
            raise _failed("the answer is of another identity provider")
        if answer.code is None:
            raise _failed(f"nobody signed in at the identity provider{_named(answer.error)}")
        id_token = await self._redeem(metadata, answer.code, secrets)
        known = await self._published(metadata, id_token)
        claims = identity_provider.check_id_token(
            id_token,
            known,
            issuer=metadata.issuer,
            client_id=self.registration.client_id,
            nonce=secrets.nonce,
            at=self._clock.now(),
        )
        subject = claims.get(self.registration.subject_claim)
        if not isinstance(subject, str) or not 1 <= len(subject) <= 200 or not subject.isprintable():
            raise _failed("the identity provider does not say whose file it is")
        return subject

    async def _redeem(self, metadata: ProviderMetadata, code: str, secrets: Secrets) -> str:
        """Exchange the code for an ID token (Core §3.1.3.1), as a client that proves who it is (Core §9)."""
        ours, headers = self.registration, {"content-type": "application/x-www-form-urlencoded"}
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": ours.redirect_uri,
            "code_verifier": secrets.verifier,
        }
        if ours.signer is not None:
            fields |= {
                "client_id": ours.client_id,
                "client_assertion_type": identity_provider.ASSERTION_TYPE,
                "client_assertion": identity_provider.client_assertion(
                    ours.signer,
                    client_id=ours.client_id,
                    audience=metadata.issuer,
                    kid=ours.signer.thumbprint,
                    at=self._clock.now(),
                ),
            }
        else:
            # RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
            pair = f"{quote(ours.client_id, safe='')}:{quote(ours.secret or '', safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        body = form.encode(fields).encode()
        request = FetchRequest(url=metadata.token_endpoint, method="POST", accept=(_JSON,), headers=headers, body=body)
        answer = await self._fetcher.fetch(request)
        if answer.status >= 500:
            raise Unreachable(Code.UNREACHABLE, "the identity provider does not answer")
        if answer.status != 200:
            raise _failed(f"the identity provider does not accept the code{_named(_error_of(answer))}")
        return identity_provider.id_token_of(answer.body)

    async def _described(self) -> ProviderMetadata:
        async with self._lock:
            now = self._clock.now()
            if self._metadata is None or now - self._metadata[0] >= _KEPT:
                issuer = self.registration.issuer
                document = await self._get(ProviderMetadata.url(issuer))
                self._metadata = now, ProviderMetadata.parse(document, issuer=issuer)
            return self._metadata[1]

    async def _published(self, metadata: ProviderMetadata, id_token: str) -> tuple[Jwk, ...]:
        """Return the provider's keys; read again for a key that is not among them, at most once a minute."""
        async with self._lock:
            now = self._clock.now()
            age = None if self._keys is None else now - self._keys[0]
            is_missing = self._keys is None or not identity_provider.has_key_for(id_token, self._keys[1])
            if age is None or age >= _KEPT or (is_missing and age >= _SHORTEST):
                self._keys = now, identity_provider.keys_of(await self._get(metadata.jwks_uri))
            return () if self._keys is None else self._keys[1]

    async def _get(self, url: str) -> dict[str, object]:
        answer: Fetched = await self._fetcher.fetch(FetchRequest(url=url, accept=(_JSON, "application/jwk-set+json")))
        if answer.status != 200:
            raise Unreachable(Code.UNREACHABLE, "the identity provider does not answer")
        return strict_json.parse_object(answer.body)

    def _tell(self, problem: ComityError) -> None:
        """Say in the log what is wrong: code and sentence, nothing that a person said; each once a minute."""
        now, reason = self._clock.now(), problem.detail
        before = self._told.get(reason)
        if before is not None and now - before < _QUIET:
            return
        if len(self._told) >= _MAX_REASONS:
            self._told.clear()
        self._told[reason] = now
        _log.warning("the identity provider signed nobody in", code=problem.code.value, reason=reason)


def _error_of(answer: Fetched) -> object:
    try:
        return strict_json.parse_object(answer.body).get("error")
    except Malformed:
        return None


def _named(error: object) -> str:
    """Return an error code for a sentence, if it is one of the protocol's; nothing else of a stranger's is repeated."""
    return f" ({error})" if isinstance(error, str) and error in set(OAuthErrorCode) else ""


def _failed(detail: str) -> Denied:
    return Denied(Code.SIGN_IN_FAILED, detail)
