"""Signing in: a website's visitor presents from a wallet, and the website gets an ID token (decision record 0038).

OpenID Connect Core 1.0 §3.1. A sign-in belongs to the browser that began it: its cookie holds a secret whose hash is
stored, and nobody else sees a page of it or carries its code away. What was asked and what came of it is an ordinary
request (:mod:`verifier.requesting`), across devices by a QR code or on this device by :mod:`verifier.same_device`;
nothing of what was disclosed is kept a second time.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from msgspec import Struct

from comity import base64url
from comity.errors import Code, Denied, Malformed, NotFound
from comity.openid import provider
from comity.openid.authorization import AuthorizationResponse
from comity.openid.provider import AuthenticationRequest, CodeRequest, IdToken
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Clock, Signer
from comity.record import Discreet
from comity.runtime.database import Database
from comity.verification.checks import Verdict
from verifier import bridge_store, id_tokens, policies, same_device
from verifier.bridge_store import LONGEST, PARTY, Client, Redemption, SignIn
from verifier.clients import Clients, Proven
from verifier.requesting import SECRET_BYTES, Flow, Requesting, Terms, digest
from verifier.same_device import Begun, SameDevice
from verifier.states import Answered, PresentationRequest, state_of
from verifier.store import RequestRow
from verifier.verifying import Verifying

CODE = timedelta(seconds=60)
"""How long a website may take to redeem its code (RFC 6749 §4.1.2: short)."""

_log = structlog.get_logger("verifier")


class Away(Discreet, frozen=True, kw_only=True):
    """Where a browser goes when its sign-in is over; ``refusal`` is what the website is told there if it is no code."""

    UNPRINTED = frozenset({"url"})
    url: str
    refusal: OAuthError | None = None


class Started(Discreet, frozen=True, kw_only=True):
    """A sign-in that a browser has just begun; ``browser`` is the secret for its cookie."""

    UNPRINTED = frozenset({"browser"})
    sign_in: SignIn
    browser: str


class Standing(Discreet, frozen=True, kw_only=True):
    """Where a sign-in stands.

    Attributes:
        sign_in: the sign-in.
        client: the website.
        request: what is asked, and its state.
        link: what leads a wallet to it; empty when nothing can be answered any more.
    """

    UNPRINTED = frozenset({"link"})
    sign_in: SignIn
    client: Client
    request: PresentationRequest
    link: str

    @property
    def row(self) -> RequestRow:
        """The request as it is stored."""
        return self.request.row

    @property
    def is_here(self) -> bool:
        """Whether the wallet is on the same device."""
        return self.row.flow == Flow.SAME_DEVICE


class SigningIn(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        verifying: knows what was asked and what came of it.
        clients: the websites.
        signer: returns the key of ID tokens; raises ``NotFound`` where there is none.
        issuer: the issuer identifier.
    """

    verifying: Verifying
    clients: Clients
    signer: Callable[[], Signer]
    issuer: str

    # --- the website asks

    async def client_for(self, fields: Mapping[str, str]) -> Client:
        """Return the website that asks, where an answer may be sent to the address it names.

        Whatever is wrong here is told to the person and never to that address (Core §3.1.2.6; RFC 6749 §4.1.2.1).

        Raises:
            NotFound: ``client_unknown``.
            Malformed: ``redirect_uri_unknown``: not one of those registered, compared character by character.
        """
        client = await self.clients.find(fields.get("client_id", ""))
        if client is None:
            raise NotFound(Code.CLIENT_UNKNOWN, "no website of this client_id is registered here")
        if fields.get("redirect_uri") not in client.redirect_uris:
            raise Malformed(Code.REDIRECT_URI_UNKNOWN, "this redirect_uri is not registered for the website")
        return client

    async def begin(self, client: Client, redirect_uri: str, fields: Mapping[str, str]) -> Started:
        """Begin a sign-in for the browser that asks.

        Raises:
            OAuthError: what :meth:`comity.openid.provider.AuthenticationRequest.parse` refuses, and ``invalid_scope``
                unless exactly one policy is named, and one that the website may ask.
            Unreachable: the registry was never seen, and is needed.
        """
        asked = AuthenticationRequest.parse(fields, needs_pkce=client.method == "none")
        if len(asked.scopes) != 1 or asked.scopes[0] not in client.policies:
            detail = "scope must be openid and one policy that is registered for the website"
            raise OAuthError(Code.POLICY_UNKNOWN, detail, error=OAuthErrorCode.INVALID_SCOPE)
        policy, browser, now = asked.scopes[0], _secret(), self._clock.now().replace(microsecond=0)
        # The installation's own policies may have changed since the website was registered.
        if not self._requesting.prepare(policy, self._place(client), now.date()).query.always_proves_holder:
            detail = "the policy asks for a credential without a proof by its holder"
            raise OAuthError(Code.POLICY_UNKNOWN, detail, error=OAuthErrorCode.INVALID_SCOPE)
        started = SignIn(
            id=_secret(),
            client_id=client.id,
            redirect_uri=redirect_uri,
            policy=policy,
            state=asked.state,
            nonce=asked.nonce,
            code_challenge=asked.code_challenge,
            request_id=await self._ask(client, policy, Flow.CROSS_DEVICE, None),
            browser_hash=digest(browser),
            expires_at=now + LONGEST,
        )
        await self._database.write(partial(bridge_store.save_sign_in, row=started))
        return Started(sign_in=started, browser=browser)

    def refusal(self, redirect_uri: str, state: str | None, error: OAuthError) -> str:
        """Return where the browser goes with an error (Core §3.1.2.6, RFC 9207)."""
        told = AuthorizationResponse(
            error=error.error.value, error_description=error.detail, state=state, issuer=self.issuer
        )
        return told.redirect(redirect_uri)

    # --- the person

    async def standing(self, sign_in_id: str, browser: str | None) -> Standing:
        """Return where a sign-in of this browser stands.

        Raises:
            Denied: ``sign_in_elsewhere``: this browser did not begin it, or it is over.
        """
        found = await self._current(sign_in_id, browser)
        client = await self.clients.find(found.client_id)
        row = await self._requesting.find(found.request_id)
        if client is None or row is None:
            raise _elsewhere()
        state = state_of(row, self._clock.now())
        is_open = state.name in {"requested", "fetched"}
        link = await self._requesting.link_of(row.id) if is_open else ""
        return Standing(sign_in=found, client=client, request=state, link=link)

    async def ask_again(
        self, sign_in_id: str, browser: str | None, flow: Flow, *, back: str
    ) -> tuple[str, Begun | None]:
        """Ask anew, across devices or on this one; what was asked before counts no more.

        Args:
            sign_in_id: the sign-in.
            browser: the secret of the browser's cookie.
            flow: where the wallet is.
            back: our page to which the browser returns from a wallet on this device.

        Returns:
            The request's id and, on this device, what binds it to this browser.

        Raises:
            Denied: as :meth:`standing`.
        """
        now = await self.standing(sign_in_id, browser)
        is_here = flow is Flow.SAME_DEVICE
        request_id = await self._ask(now.client, now.sign_in.policy, flow, back if is_here else None)
        begun = await SameDevice(requesting=self._requesting).begin(request_id) if is_here else None
        at, before = self._clock.now(), now.sign_in.request_id
        again = partial(bridge_store.ask_again, sign_in_id=sign_in_id, before=before, request_id=request_id, at=at)
        if not await self._database.write(again):
            raise _elsewhere()
        return request_id, begun

    async def finish(self, now: Standing, response_code: str | None) -> Away | None:
        """Give the code for an accepted answer, once, and return where the browser goes with it; None for any other.

        Raises:
            Denied: ``response_code_invalid`` or ``session_mismatch``: on one device, the browser has not come back from
                the wallet (OpenID4VP 1.0 §14.2); ``sign_in_elsewhere``: it is over.
        """
        if not isinstance(now.request, Answered):
            return None
        same_device.require_released(now.row, response_code)
        if now.row.verdict != Verdict.ACCEPTED or now.row.sealed_report is None:
            return None
        report = self.verifying.open_report(now.row.sealed_report, now.row.id)
        try:
            id_tokens.subject_of(report, now.client.subject_claim, b"")
        except Denied as error:
            return await self.leave(now, OAuthError(error.code, error.detail, error=OAuthErrorCode.SERVER_ERROR))
        code, at = _secret(), self._clock.now()
        give = partial(
            bridge_store.give_code,
            sign_in_id=now.sign_in.id,
            request_id=now.row.id,
            code_hash=digest(code),
            until=at + CODE,
            at=at,
        )
        if not await self._database.write(give):
            raise _elsewhere()
        told = AuthorizationResponse(code=code, state=now.sign_in.state, issuer=self.issuer)
        return Away(url=told.redirect(now.sign_in.redirect_uri))

    async def leave(self, now: Standing, refusal: OAuthError | None = None) -> Away:
        """End a sign-in without a code, and return where the browser goes; the website learns nothing of why.

        ``refusal`` is what it is told; None for a person who goes back without having signed in, whatever the reason.

        Raises:
            Denied: ``sign_in_elsewhere``: it is over already.
        """
        end = partial(bridge_store.end_sign_in, sign_in_id=now.sign_in.id, at=self._clock.now())
        if not await self._database.write(end):
            raise _elsewhere()
        told = refusal or _left()
        return Away(url=self.refusal(now.sign_in.redirect_uri, now.sign_in.state, told), refusal=told)

    # --- the website fetches its token

    async def redeem(self, request: CodeRequest, proven: Proven) -> dict[str, Any]:
        """Exchange a code for an ID token (Core §3.1.3.3): once, by the website and for the address it was given for.

        The access token that OpenID Connect wants beside it opens nothing, is kept nowhere, and is random.

        Raises:
            OAuthError: ``invalid_grant`` for everything that is wrong with a code; then nothing was changed.
            NotFound: this installation has no key for ID tokens; nothing was changed.
        """
        signer, client, at = self.signer(), proven.client, self._clock.now()
        wanted = Redemption(
            code_hash=digest(request.code),
            client_id=client.id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            used=proven.used,
        )
        redeemed = await self._database.write(partial(bridge_store.redeem, wanted=wanted, at=at))
        if redeemed is None:
            raise await self._bad_code(wanted)
        found = redeemed.sign_in
        report = self.verifying.open_report(redeemed.sealed_report, found.request_id)
        query = self._requesting.prepare(found.policy, self._place(client), at.date()).query
        token = IdToken(
            issuer=self.issuer,
            audience=client.id,
            subject=id_tokens.subject_of(report, client.subject_claim, self.clients.salt(client)),
            authenticated_at=redeemed.answered_at,
            acr=id_tokens.acr_of(found.policy),
            amr=id_tokens.AMR,
            nonce=found.nonce,
            claims=id_tokens.claims_of(report, query),
        )
        _log.info("signed in", client=client.id, policy=found.policy)
        return {
            "access_token": _secret(),
            "token_type": "Bearer",
            "expires_in": 1,
            "scope": f"{provider.OPENID} {found.policy}",
            "id_token": token.sign(signer, at),
        }

    def configuration(self) -> dict[str, Any]:
        """Return the provider's configuration; raises ``NotFound`` where there is no key for ID tokens."""
        own = self._requesting.own_policies
        names = {claim for each in policies.entitlements() for claim in each["claims"]}
        offered = [*policies.POLICIES, *own]
        return provider.metadata(
            self.issuer,
            scopes=offered,
            acr_values=[id_tokens.acr_of(each) for each in offered],
            claims=sorted(names),
            algorithm=self.signer().algorithm,
        )

    async def erase(self) -> int:
        """Erase sign-ins whose time is over; returns how many records went."""
        now = self._clock.now()
        return await self._database.write(partial(bridge_store.erase_sign_ins, ended_before=now - CODE, at=now))

    # --- parts

    async def _current(self, sign_in_id: str, browser: str | None) -> SignIn:
        found = None
        if browser and sign_in_id.isascii() and len(sign_in_id) == len(_secret()):
            wanted = partial(bridge_store.find_sign_in, sign_in_id=sign_in_id, browser_hash=digest(browser))
            found = await self._database.read(wanted)
        if found is None or found.expires_at <= self._clock.now() or found.code_hash or found.ended_at:
            raise _elsewhere()
        return found

    async def _ask(self, client: Client, policy: str, flow: Flow, back: str | None) -> str:
        terms = Terms(policy=policy, place=client.place or None, flow=flow, redirect_uri=back)
        return (await self._requesting.start(terms, relying_party=f"{PARTY}{client.id}")).request_id

    async def _bad_code(self, wanted: Redemption) -> OAuthError:
        """Return what to raise for a code that is not good; one that comes back is worth a line in the log."""
        if await self._database.read(partial(bridge_store.was_redeemed, code_hash=wanted.code_hash)):
            _log.warning("code came back", client=wanted.client_id)
            detail = "the code was used before"
            return OAuthError(Code.CODE_ALREADY_USED, detail, error=OAuthErrorCode.INVALID_GRANT)
        detail = "the code is not known, is over, or was given for something else"
        return OAuthError(Code.TOKEN_INVALID, detail, error=OAuthErrorCode.INVALID_GRANT)

    def _place(self, client: Client) -> str:
        return client.place or self._requesting.place or ""

    @property
    def _requesting(self) -> Requesting:
        return self.verifying.requesting

    @property
    def _clock(self) -> Clock:
        return self._requesting.clock

    @property
    def _database(self) -> Database:
        return self._requesting.database


def cookie_of(sign_in_id: str) -> str:
    """Return the name of the cookie that binds a sign-in to its browser; one for each, so that two tabs do not meet."""
    return f"comity_sign_in_{sign_in_id}"


def _left() -> OAuthError:
    detail = "the visitor did not show what was asked for"
    return OAuthError(Code.QUERY_NOT_SATISFIED, detail, error=OAuthErrorCode.ACCESS_DENIED)


def _elsewhere() -> Denied:
    return Denied(Code.SIGN_IN_ELSEWHERE, "this sign-in was begun in another browser, or is over")


def _secret() -> str:
    return base64url.encode(secrets.token_bytes(SECRET_BYTES))
