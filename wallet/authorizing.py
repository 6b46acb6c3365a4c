"""Authorizing: the person signs in at the issuer, and the wallet gets the credential, now and again later.

The wallet's half of the authorization code flow: what is asked is pushed, PKCE and a key of our own bind the code, and
the answer is taken only from the server that was asked (RFC 9126, RFC 7636, RFC 9449 §10, RFC 9207). Everything between
two steps lies sealed in the vault of the person who began it, so that nobody else's browser can end it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from comity import base64url
from comity.errors import Code, ComityError, Conflict, Denied, Malformed
from comity.openid import authorization_details, form, pkce
from comity.openid.authorization import AuthorizationRequest, AuthorizationResponse, PushedResponse
from comity.openid.authorization_details import CredentialDetail
from comity.openid.code_flow import CodeFlow
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.oauth import AuthorizationServerMetadata, TokenResponse
from comity.openid.token_request import CodeRequest, RefreshRequest
from comity.ports import Clock
from wallet import holdings
from wallet.holdings import Held
from wallet.keeping import Received
from wallet.offers import Offers, Preview
from wallet.outbound import FORM, Outbound, accepted, error_of
from wallet.receiving import Receiving, Terms
from wallet.records import GRANT, SIGN_IN, Kept, OpenWallet, Sheet
from wallet.tokens import Exchange

LONGEST = timedelta(hours=1)
"""How long a sign-in may take before the wallet forgets that it began one."""

LONGEST_USE = timedelta(minutes=1)
"""How long a refresh token is left alone that somebody used and of which nothing more was heard."""

_MOST_SERVERS = 4


class Started(Struct, frozen=True, kw_only=True):
    """A sign-in that has begun: the person's browser goes to ``url``, in the issuer's own pages."""

    url: str
    issuer: str


class Authorizing(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs. ``public_url`` is None where no browser can come back to."""

    receiving: Receiving
    outbound: Outbound
    clock: Clock
    public_url: str | None

    @property
    def offers(self) -> Offers:
        """Reads offers and what issuers have."""
        return Offers(outbound=self.outbound, clock=self.clock, snapshot=self.receiving.snapshot)

    # --- there

    async def start(
        self, wallet: OpenWallet, preview: Preview, terms: Terms, *, ui_locales: str | None = None
    ) -> Started:
        """Push a request for what was chosen, and return where the person signs in.

        Args:
            wallet: whose.
            preview: of an offer by sign-in, or of an issuer (:class:`wallet.offers.Offers`).
            terms: how the person takes it.
            ui_locales: languages of the person, for the issuer's pages.

        Raises:
            Malformed: the offer is to be taken with its code, or the issuer has no flow that is safe enough, or demands
                an encryption that this wallet does not have.
            Denied: the issuer refuses the request.
            Unreachable: it does not answer.
        """
        if not preview.is_by_sign_in:
            raise Malformed(Code.OFFER_INVALID, "this offer is taken with its code, not by signing in")
        if self.public_url is None:
            raise Malformed(Code.SIGN_IN_FAILED, "a browser cannot come back to this wallet; use the hosted one")
        preview.metadata.encryption()  # before anybody signs in: whether the issuer can be spoken to at all
        server = await self._server(preview)
        flow = _safe_flow(server)
        chosen = [each for each in preview.configurations if each.id in terms.configuration_ids]
        wanted = chosen or list(preview.configurations)
        state, verifier = pkce.new_verifier(), pkce.new_verifier()
        exchange = Exchange.begin(self.outbound, self.clock, server, self.receiving.provider)
        request = _request(preview, flow, wanted, state=state, verifier=verifier, ui_locales=ui_locales)
        request = replace(request, redirect_uri=f"{self.public_url}/callback")
        request, pushed = await self._push(exchange, flow, request)
        begun = _begun(preview, terms, server, request, verifier=verifier, exchange=exchange)
        scopes = {each.id: each.scope for each in wanted if each.scope is not None}
        named = {"configuration_ids": [each.id for each in wanted], "scopes": scopes}
        await self._remember(wallet, state, {**begun, **named})
        # RFC 9126 §4: the browser carries the name of the request, and nothing else.
        query = form.encode({"client_id": request.client_id, "request_uri": pushed.request_uri})
        joint = "&" if "?" in flow.authorization_endpoint else "?"
        return Started(url=f"{flow.authorization_endpoint}{joint}{query}", issuer=preview.metadata.credential_issuer)

    async def _push(
        self, exchange: Exchange, flow: CodeFlow, request: AuthorizationRequest
    ) -> tuple[AuthorizationRequest, PushedResponse]:
        """Push, under the name that somebody vouches for; under our own where the server does not know who vouches."""
        named = replace(request, client_id=exchange.client_id or self.public_url or "")
        url = flow.pushed_endpoint or ""
        answer = await exchange.post(url, form.encode(named.to_fields()).encode(), content_type=FORM, proven=True)
        if exchange.gives_up_name(answer):
            named = replace(request, client_id=self.public_url or "")
            answer = await exchange.post(url, form.encode(named.to_fields()).encode(), content_type=FORM, proven=True)
        return named, PushedResponse.parse(accepted(answer))

    async def _server(self, preview: Preview) -> AuthorizationServerMetadata:
        """Return the authorization server: as the offer hints, else the first that has this flow (VCI-6, VCI-11)."""
        grant, metadata = preview.offer.authorization_code, preview.metadata
        hint = grant.authorization_server if grant is not None else None
        if hint is not None or len(metadata.authorization_servers) < 2:
            return await self._described(metadata.authorization_server(hint))
        for each in metadata.authorization_servers[:_MOST_SERVERS]:
            if (found := await self._described(each)).supports_code_grant:
                return found
        raise Malformed(Code.METADATA_INVALID, "none of the issuer's authorization servers lets people sign in")

    async def _described(self, server: str) -> AuthorizationServerMetadata:
        document = await self.outbound.get_json(AuthorizationServerMetadata.url(server))
        return AuthorizationServerMetadata.parse(document, issuer=server)

    async def _remember(self, wallet: OpenWallet, state: str, begun: Mapping[str, Any]) -> None:
        """Seal what the way back needs, under a name that only ``state`` leads to; forget what nobody came back to."""
        content = {**begun, "ends_at": (self.clock.now() + LONGEST).isoformat()}
        over = [(SIGN_IN, each.id) for each in await wallet.all(SIGN_IN) if self._is_over(each)]
        await wallet.commit(put=[Sheet(kind=SIGN_IN, id=_name(state), content=content)], delete=over)

    def _is_over(self, kept: Kept) -> bool:
        return datetime.fromisoformat(kept.content["ends_at"]) <= self.clock.now()

    # --- and back

    async def finish(self, wallet: OpenWallet, answer: AuthorizationResponse) -> list[Received]:
        """Take the browser's answer, redeem its code, and receive what it is for.

        Raises:
            Denied: ``state_mismatch``: this wallet began no such sign-in, or it is over; ``issuer_mismatch``: the
                answer is of another server than was asked (RFC 9207 §2.4); ``sign_in_failed``: the person or the
                issuer refused; as :meth:`wallet.receiving.Receiving.receive` otherwise.
            Malformed, Unreachable: as there.
        """
        name = _name(answer.state or "")
        kept = await wallet.find(SIGN_IN, name)
        if kept is None or self._is_over(kept):
            raise Denied(Code.STATE_MISMATCH, "this wallet began no such sign-in, or it is over")
        begun = kept.content
        # RFC 9207 §2.4, RFC 9700 §4.4: before anything else is believed, and before the code goes anywhere.
        if answer.issuer != begun["server"] and (answer.issuer is not None or begun["names_issuer"]):
            raise Denied(Code.ISSUER_MISMATCH, "the answer comes from another server than the wallet asked")
        if not await wallet.delete(SIGN_IN, name):
            raise Denied(Code.STATE_MISMATCH, "this sign-in was finished already")
        if answer.code is None:
            raise Denied(Code.SIGN_IN_FAILED, "the person or the issuer ended the sign-in")
        exchange = Exchange.resume(self.outbound, self.clock, begun["exchange"], self.receiving.provider)
        request = CodeRequest(
            code=answer.code,
            code_verifier=begun["verifier"],
            redirect_uri=begun["redirect_uri"],
            client_id=begun["client_id"],
        )
        sent = await exchange.post(begun["token_endpoint"], request.to_form().encode(), content_type=FORM, proven=True)
        tokens = exchange.tokens_of(sent)
        grant = await self._keep_grant(wallet, begun, tokens, exchange)
        terms = Terms(same_key_as=begun["same_key_as"], keep_unrecognised=begun["keep_unrecognised"])
        preview = await self.offers.of_issuer(begun["issuer"], tuple(begun["configuration_ids"]))
        return await self.receiving.take(wallet, preview, terms, _access(exchange, tokens, grant))

    async def _keep_grant(
        self, wallet: OpenWallet, begun: Mapping[str, Any], tokens: TokenResponse, exchange: Exchange
    ) -> str | None:
        """Seal the refresh token with the key that it is bound to; None where none came."""
        if tokens.refresh_token is None:
            return None
        content = {
            "issuer": begun["issuer"],
            "token_endpoint": begun["token_endpoint"],
            "client_id": begun["client_id"],
            "refresh_token": tokens.refresh_token,
            "scopes": begun.get("scopes", {}),
            "exchange": exchange.for_journal(""),
        }
        name = holdings.new_id()
        await wallet.put(GRANT, name, content)
        return name

    # --- again

    async def renew(self, wallet: OpenWallet, credential_id: str) -> Received | None:
        """Get a credential anew, for a new key, with what the authority says today; the old copy goes when it came.

        Returns None where the issuer wants more time; then the old copy stays beside the one that comes.

        Raises:
            NotFound: ``credential_unknown``.
            Denied: ``sign_in_needed``: there is no refresh token for it, or the issuer takes it no more; as
                :meth:`wallet.receiving.Receiving.receive` otherwise, and then the old copy stays.
            Conflict: somebody else renews it at this moment.
            Malformed, Unreachable: as there.
        """
        held = await holdings.find_held(wallet, credential_id)
        access = await self.access_again(wallet, held)
        if access is None:
            raise _sign_in_needed()
        preview = await self.offers.of_issuer(held.about["issuer"], (str(held.about["configuration_id"]),))
        terms = Terms(keep_unrecognised=not held.about["recognised"])
        received = await self.receiving.take(wallet, preview, terms, access)
        if not received:
            return None
        await holdings.forget(wallet, credential_id)
        return received[0]

    async def access_again(self, wallet: OpenWallet, held: Held) -> dict[str, Any] | None:
        """Return what a journal line holds of a new access token for a credential; None without a refresh token.

        Raises:
            Denied: ``sign_in_needed``: the issuer takes the refresh token no more.
            Conflict: somebody else uses it at this moment.
            Unreachable, Malformed: as :func:`wallet.outbound.accepted`.
        """
        kept = await wallet.find(GRANT, str(held.about["grant"]))
        if kept is None:
            return None
        kept = await self._reserved(wallet, kept)
        exchange = Exchange.resume(self.outbound, self.clock, kept.content["exchange"], self.receiving.provider)
        try:
            tokens = await self._refresh(wallet, kept, exchange, _scope_of(kept, held))
        except ComityError as error:
            if error.code is not Code.SIGN_IN_NEEDED:  # then it is gone
                await wallet.put(GRANT, kept.id, {**kept.content, "in_use_until": None}, version=kept.version + 1)
            raise
        return _access(exchange, tokens, kept.id)

    async def _reserved(self, wallet: OpenWallet, kept: Kept) -> Kept:
        """Note that the refresh token is being used: used twice at once, it would look stolen, and end everything."""
        now, until = self.clock.now(), kept.content.get("in_use_until")
        if until is not None and datetime.fromisoformat(until) > now:
            raise _in_use()
        content = {**kept.content, "in_use_until": (now + LONGEST_USE).isoformat()}
        try:
            await wallet.put(GRANT, kept.id, content, version=kept.version + 1)
        except Conflict:
            raise _in_use() from None
        return replace(kept, content=content, version=kept.version + 1)

    async def _refresh(
        self, wallet: OpenWallet, kept: Kept, exchange: Exchange, scope: tuple[str, ...]
    ) -> TokenResponse:
        """Exchange the refresh token; the next one is durable before the access token is used."""
        token, client_id = kept.content["refresh_token"], kept.content["client_id"]
        request = RefreshRequest(refresh_token=token, client_id=client_id, scope=scope)
        url, body = kept.content["token_endpoint"], request.to_form().encode()
        answer = await exchange.post(url, body, content_type=FORM, proven=True)
        if answer.status == 400 and error_of(answer) == "invalid_grant":
            await wallet.delete(GRANT, kept.id)
            raise _sign_in_needed()
        tokens = exchange.tokens_of(answer)
        content = {
            **kept.content,
            "refresh_token": tokens.refresh_token or kept.content["refresh_token"],
            "exchange": exchange.for_journal(""),
            "in_use_until": None,
        }
        await wallet.put(GRANT, kept.id, content, version=kept.version + 1)
        return tokens


def _scope_of(kept: Kept, held: Held) -> tuple[str, ...]:
    """Return what to ask for anew: this credential alone, where the sign-in was for several (RFC 6749 §6)."""
    scopes = kept.content.get("scopes", {})
    wanted = scopes.get(str(held.about["configuration_id"]))
    return (wanted,) if wanted is not None and len(scopes) > 1 else ()


def _safe_flow(server: AuthorizationServerMetadata) -> CodeFlow:
    """Return the server's flow when it has everything this wallet insists on (VCI-21): PAR and PKCE with S256."""
    flow = server.code_flow
    if flow is None or not server.supports_code_grant:
        raise Malformed(Code.METADATA_INVALID, "people cannot sign in at this issuer")
    if flow.pushed_endpoint is None or pkce.METHOD not in flow.challenge_methods:
        raise Malformed(Code.METADATA_INVALID, "the issuer's sign-in lacks pushed requests or PKCE with S256")
    return flow


def _request(
    preview: Preview,
    flow: CodeFlow,
    wanted: list[CredentialConfiguration],
    *,
    state: str,
    verifier: str,
    ui_locales: str | None,
) -> AuthorizationRequest:
    """Return what is asked for, but not by whom: by scope (HAIP), by ``authorization_details`` for what has none."""
    metadata, grant = preview.metadata, preview.offer.authorization_code
    by_details = [each for each in wanted if each.scope is None]
    if by_details and not flow.takes_details:
        raise Malformed(Code.METADATA_INVALID, f"the issuer takes no {authorization_details.TYPE} details")
    locations = (metadata.credential_issuer,) if metadata.authorization_servers else ()
    return AuthorizationRequest(
        client_id="",
        redirect_uri="",
        code_challenge=pkce.challenge_of(verifier),
        state=state,
        scope=tuple(dict.fromkeys(each.scope for each in wanted if each.scope is not None)),
        details=tuple(CredentialDetail(configuration_id=each.id, locations=locations) for each in by_details),
        issuer_state=grant.issuer_state if grant is not None else None,
        resource=metadata.credential_issuer if metadata.authorization_servers else None,
        ui_locales=ui_locales,
    )


def _begun(
    preview: Preview,
    terms: Terms,
    server: AuthorizationServerMetadata,
    request: AuthorizationRequest,
    *,
    verifier: str,
    exchange: Exchange,
) -> dict[str, Any]:
    """Return what the way back needs."""
    return {
        "issuer": preview.metadata.credential_issuer,
        "server": server.issuer,
        "names_issuer": server.code_flow is not None and server.code_flow.names_issuer,
        "token_endpoint": server.token_endpoint,
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "verifier": verifier,
        "exchange": exchange.for_journal(""),
        "same_key_as": terms.same_key_as,
        "keep_unrecognised": terms.keep_unrecognised,
    }


def _access(exchange: Exchange, tokens: TokenResponse, grant: str | None) -> dict[str, Any]:
    """Return what a line of the journal holds of a token: how to use it, and by which identifiers to ask (VCI-23)."""
    identifiers = {each.configuration_id: each.credential_identifiers[0] for each in tokens.granted}
    return {**exchange.for_journal(tokens.access_token), "identifiers": identifiers, "grant": grant}


def _name(state: str) -> str:
    """Return the record's name for a ``state``: names are not sealed, and what is in the database opens nothing."""
    return base64url.encode(hashlib.sha256(state.encode()).digest()[:18])


def _in_use() -> Conflict:
    return Conflict(Code.CONFLICT, "the credential is being renewed already")


def _sign_in_needed() -> Denied:
    return Denied(Code.SIGN_IN_NEEDED, "the issuer gives this credential again only after a new sign-in")
