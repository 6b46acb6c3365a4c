"""Authorizing: from a wallet's pushed request, through a person's sign-in and word, to a code and a token.

RFC 9126 (pushed requests), RFC 6749 §4.1 with PKCE, RFC 9207 (``iss``), RFC 9449 §10 (codes bound to a key). Decision
record 0019 says why requests are only ever pushed and whom a replayed code costs what.
"""

from collections.abc import Sequence

from msgspec import Struct

from comity.errors import Code, ComityError, Malformed, NotFound, Unreachable
from comity.openid import authorization as messages
from comity.openid import pkce
from comity.openid.authorization import AuthorizationRequest, AuthorizationResponse, PushedResponse
from comity.openid.oauth import TokenResponse
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.openid.token_request import CodeRequest
from comity.record import Discreet
from issuer import catalog, clients, granted, tokens, wanted
from issuer.authorities import Authority
from issuer.clients import Client
from issuer.deployment import Deployment
from issuer.granted import PERSON, WALLET, Grant, event
from issuer.secrecy import hashed, new_secret
from issuer.sources import Roll
from issuer.store import Connection, audit, authorizations, credentials, given
from issuer.store.authorizations import Authorization, State
from issuer.store.offers import Offer
from issuer.tokens import Proof

_URI = "urn:ietf:params:oauth:request_uri:"
_Error = OAuthErrorCode
_SENTENCES = {
    _Error.ACCESS_DENIED: "nobody signed in and agreed, or there is nothing to give to who did",
    _Error.SERVER_ERROR: "what the authority has on file cannot be issued",
    _Error.TEMPORARILY_UNAVAILABLE: "a system of the authority does not answer now; try again later",
}
"""What a wallet is told (RFC 6749 §4.1.2.1). Why nothing was given is the person's affair: it is one sentence."""


class Begun(Discreet, frozen=True, kw_only=True):
    """An authorization that a browser has just begun; ``browser`` is the secret for that browser's cookie."""

    UNPRINTED = frozenset({"browser"})
    authorization: Authorization
    browser: str


class Person(Struct, frozen=True, kw_only=True):
    """Somebody on the demo's list. ``name`` is None where the type has no names."""

    reference: str
    name: str | None


# --- the wallet asks


async def push(
    deployment: Deployment, authority: Authority, request: AuthorizationRequest, client: Client, proof: Proof | None
) -> PushedResponse:
    """Keep a request for the browser to name (RFC 9126 §2.2); with a DPoP proof the code is bound to its key.

    Raises:
        OAuthError: what :func:`issuer.wanted.resolve` refuses; ``invalid_dpop_proof`` when ``dpop_jkt`` and the proof
            are of two keys (RFC 9449 §10.1), or the proof was used before; ``temporarily_unavailable`` while too many
            wait for their browsers. Nothing was stored then.
    """
    # RFC 9449 §10.1: both ways to bind the code may be used, and then they must agree.
    if proof is not None and request.dpop_jkt not in {None, proof.thumbprint}:
        detail = "dpop_jkt names another key than the DPoP proof"
        raise OAuthError(Code.DPOP_PROOF_INVALID, detail, error=_Error.INVALID_DPOP_PROOF)
    asked = await wanted.resolve(deployment, authority, request)
    now, name, own_id = deployment.now(), new_secret(), credentials.new_id()
    pushed = Authorization(
        id=own_id,
        authority=authority.path,
        client_id=request.client_id,
        state=State.PUSHED,
        request_hash=hashed(name),
        request=messages.kept(request),
        configuration_ids=asked.configuration_ids,
        identified_ids=asked.identified_ids,
        offer_id=asked.offer_id or own_id,
        client_key=client.key,
        dpop_key=request.dpop_jkt if proof is None else proof.thumbprint,
        record_reference=None,
        created_at=now,
        expires_at=now + deployment.limits.pushed_seconds,
    )

    def save(connection: Connection) -> None:
        tokens.use_up(connection, proof)
        clients.use_up(connection, client)
        if not authorizations.has_room(connection, authority=authority.path, now=now, until=pushed.expires_at):
            detail = "too many people are signing in at this moment"
            raise OAuthError(Code.BUSY, detail, error=_Error.TEMPORARILY_UNAVAILABLE)
        authorizations.save(connection, pushed)

    await deployment.database.write(save)
    return PushedResponse(request_uri=_URI + name, expires_in=deployment.limits.pushed_seconds)


async def begin(deployment: Deployment, authority: Authority, *, client_id: str, request_uri: str) -> Begun:
    """Take a pushed request for one browser; a name is good once (RFC 9126 §4, §7.3).

    Raises:
        NotFound: ``request_unknown``: no such request of this client at this authority, used, or over.
    """
    browser, now = new_secret(), deployment.now()
    name = request_uri.removeprefix(_URI)
    begun = None
    if name != request_uri:
        begun = await deployment.database.write(
            lambda connection: authorizations.begin(
                connection,
                authority=authority.path,
                client_id=client_id,
                request_hash=hashed(name),
                browser_hash=hashed(browser),
                expires_at=now + deployment.limits.sign_in_seconds,
                now=now,
            )
        )
    if begun is None:
        raise NotFound(Code.REQUEST_UNKNOWN, "this request is not known, was used before, or took too long")
    return Begun(authorization=begun, browser=browser)


# --- the person


async def current(deployment: Deployment, authorization_id: str, browser: str | None) -> Authorization:
    """Return the authorization that a browser is in the middle of.

    Raises:
        NotFound: ``request_unknown``: not with this browser, or over.
    """
    found = await deployment.database.read(
        lambda connection: authorizations.of_browser(
            connection, authorization_id, browser_hash=hashed(browser or ""), now=deployment.now()
        )
    )
    if found is None:
        raise _over()
    return found


async def people(deployment: Deployment, found: Authorization) -> list[Person]:
    """Return whom the demo's sign-in page lists.

    Raises:
        NotFound: ``not_found``: there is no such page here.
    """
    source: object = deployment.sources.get(found.authority)
    if not deployment.demo_sign_in or deployment.identity_provider is not None or not isinstance(source, Roll):
        raise NotFound(Code.NOT_FOUND, "nobody signs in here by a list")
    catalog_ = deployment.catalogs[found.authority]
    kind, *others = dict.fromkeys(catalog_[each].type for each in found.configuration_ids)
    complete = [set(source.references(each.slug)) for each in others]
    listed = []
    for reference in source.references(kind.slug):
        if not all(reference in each for each in complete):
            continue
        claims = await deployment.sources[found.authority].claims(kind.slug, reference)
        listed.append(Person(reference=reference, name=catalog.name_of(kind, claims)))
    return listed


async def sign_in(deployment: Deployment, found: Authorization, browser: str, record_reference: str) -> None:
    """Note who signed in. The caller has made sure of it: by the identity provider's word, or from the demo's list.

    Raises:
        NotFound: ``request_unknown``: somebody signed in here before, or it is over.
    """
    now = deployment.now()

    def note(connection: Connection) -> bool:
        changed = authorizations.sign_in(
            connection, found.id, browser_hash=hashed(browser), record_reference=record_reference, now=now
        )
        if changed is not None:
            audit.record(connection, event(found, "signed_in", actor=PERSON, at=now))
        return changed is not None

    if not await deployment.database.write(note):
        raise _over()


async def agree(deployment: Deployment, authority: Authority, found: Authorization, browser: str) -> str:
    """Give the code, and return where the browser goes with it; with an error where the authority has nothing to give.

    Raises:
        NotFound: ``request_unknown``: nobody signed in here, or it is over.
    """
    if found.state is not State.SIGNED_IN:
        raise _over()
    try:
        ids = found.configuration_ids
        drafts = await granted.drafts(deployment, authority, found, offer_id=found.offer_id, configuration_ids=ids)
        if found.is_offered:
            await wanted.require_same_person(deployment, found)
    except ComityError as error:
        return await refuse(deployment, authority, found, browser, error=_of_source(error))
    code = new_secret()
    if not await _give_code(deployment, found, drafts, browser, code):
        return await refuse(deployment, authority, found, browser)
    return _answer(authority, found, code=code)


async def _give_code(
    deployment: Deployment, found: Authorization, drafts: Sequence[Offer], browser: str, code: str
) -> bool:
    """Store the code and what it gives; False when the clerk's offer was used or withdrawn meanwhile."""
    now = deployment.now()

    def give(connection: Connection) -> bool:
        for offer in drafts:
            is_offered = found.is_offered and offer.id == found.offer_id
            if not given.approve(connection, offer, is_offered=is_offered, now=now):
                return False
        changed = authorizations.grant(
            connection,
            found.id,
            browser_hash=hashed(browser),
            code_hash=hashed(code),
            expires_at=now + deployment.limits.code_seconds,
            now=now,
        )
        if changed is None:
            raise _over()
        audit.record(connection, event(found, "authorized", actor=PERSON, at=now))
        return True

    return await deployment.database.write(give)


async def refuse(
    deployment: Deployment,
    authority: Authority,
    found: Authorization,
    browser: str,
    *,
    error: OAuthErrorCode = OAuthErrorCode.ACCESS_DENIED,
) -> str:
    """End the authorization without a code, and return where the browser goes (RFC 6749 §4.1.2.1).

    Raises:
        NotFound: ``request_unknown``: it is over already.
    """
    now = deployment.now()

    def end(connection: Connection) -> bool:
        ended = authorizations.refuse(connection, found.id, browser_hash=hashed(browser))
        if ended:
            audit.record(connection, event(found, "authorization_refused", actor=PERSON, at=now))
        return ended

    if not await deployment.database.write(end):
        raise _over()
    return _answer(authority, found, error=error)


# --- the wallet comes back


async def redeem(
    deployment: Deployment, authority: Authority, request: CodeRequest, *, client: Client, proof: Proof | None
) -> TokenResponse:
    """Exchange a code for a token (RFC 6749 §4.1.3): once, by the client it was given to, for the key it is bound to.

    Raises:
        OAuthError: ``invalid_grant`` for everything that is wrong with a code; a code that was used before also ends
            what it gave (RFC 6749 §4.1.2). ``invalid_dpop_proof``, ``invalid_target``,
            ``invalid_authorization_details``. But for the replay, nothing was changed.
    """
    wanted.require_resource(authority, request.resource)
    found = await deployment.database.read(
        lambda connection: authorizations.by_code(connection, authority.path, hashed(request.code))
    )
    if found is None:
        raise _bad_code("the code is not known")
    if found.state is not State.GRANTED:
        raise await _replayed(deployment, found)
    _require_own(found, request, client, now=deployment.now())
    tokens.require_key(found.dpop_key, proof)
    ids, identified = wanted.narrowed(found, request.details)
    token, refresh_token = new_secret(), new_secret() if deployment.limits.refresh_seconds else None
    now, limits = deployment.now(), deployment.limits
    key = None if proof is None else proof.thumbprint
    lives_until = now + max(limits.refresh_seconds, limits.token_seconds + limits.retry_seconds)

    def give(connection: Connection) -> tuple[Grant, ...]:
        tokens.use_up(connection, proof)
        clients.use_up(connection, client)
        if not authorizations.redeem(connection, found.id, dpop_key=key, expires_at=lives_until, now=now):
            return ()
        grants = granted.give(
            connection,
            found,
            client,
            hashed(token),
            key=key,
            expires_at=now + limits.token_seconds,
            ids=ids,
            identified=identified,
        )
        if not grants:
            raise _bad_code("the offer was withdrawn")
        if refresh_token is not None:
            expires_at = now + limits.refresh_seconds
            authorizations.add_refresh_token(connection, hashed(refresh_token), found.id, expires_at=expires_at)
        audit.record(connection, event(found, "token_given", actor=WALLET, at=now))
        return grants

    grants = await deployment.database.write(give)
    if not grants:
        raise await _replayed(deployment, found)
    return granted.token_response(deployment, token, proof, grants=grants, refresh_token=refresh_token)


def _require_own(found: Authorization, request: CodeRequest, client: Client, *, now: int) -> None:
    asked = messages.of_kept(found.request)
    if found.expires_at <= now:
        raise _bad_code("the code has ended")
    # RFC 6749 §4.1.3: issued to this client, and redirect_uri identical to the one pushed; no character differs.
    is_own = client.is_bound_to(found.client_id, found.client_key)
    if not is_own or asked.redirect_uri != request.redirect_uri:
        raise _bad_code("the code was given to another client or for another redirect_uri")
    # RFC 7636 §4.6
    if not pkce.is_verified(request.code_verifier, asked.code_challenge):
        raise _bad_code("the code_verifier is not the one that was asked with")


async def _replayed(deployment: Deployment, found: Authorization) -> OAuthError:
    """End what a code gave that comes a second time, and return what to raise."""
    now = deployment.now()

    def end(connection: Connection) -> None:
        if authorizations.revoke(connection, found.id, now=now):
            audit.record(connection, event(found, "code_replayed", actor=WALLET, at=now))

    await deployment.database.write(end)
    return _bad_code("the code was used before", Code.CODE_ALREADY_USED)


def _bad_code(detail: str, code: Code = Code.TOKEN_INVALID) -> OAuthError:
    return OAuthError(code, detail, error=_Error.INVALID_GRANT)


def _of_source(error: ComityError) -> OAuthErrorCode:
    """RFC 6749 §4.1.2.1: what is wrong with a person's file, as the wallet is told; no more than that."""
    if isinstance(error, Unreachable):
        return _Error.TEMPORARILY_UNAVAILABLE
    return _Error.SERVER_ERROR if isinstance(error, Malformed) else _Error.ACCESS_DENIED


def _answer(
    authority: Authority, found: Authorization, *, code: str | None = None, error: OAuthErrorCode | None = None
) -> str:
    asked = messages.of_kept(found.request)
    # RFC 9207 §2: every answer says who gave it, errors too.
    answer = AuthorizationResponse(
        code=code,
        error=error,
        error_description=None if error is None else _SENTENCES[error],
        state=asked.state,
        issuer=authority.issuer_id,
    )
    return answer.redirect(asked.redirect_uri)


def _over() -> NotFound:
    return NotFound(Code.REQUEST_UNKNOWN, "this sign-in is over, or was begun in another browser")
