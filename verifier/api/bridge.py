"""The bridge to OpenID Connect, as websites see it: configuration, keys, the authorization and the token endpoint.

The issuer identifier is ``{public_url}/oidc``; every endpoint lies below it. The pages of a sign-in are those of
:mod:`verifier.counter.signing_in`.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from comity.errors import Code, ComityError, Malformed, Unreachable
from comity.openid import provider
from comity.openid.provider import CodeRequest
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.web import counted, i18n, problems
from comity.web.body import media_type
from comity.web.counted import CountedRoute
from comity.web.pages import LANGUAGE_COOKIE, Pages
from verifier.api import described_bridge
from verifier.api.openid import FORM, ProtocolRoute
from verifier.bridge_store import LONGEST
from verifier.clients import SECRET
from verifier.deployment import Deployment
from verifier.signing_in import Started, cookie_of

BASE = "/oidc"
_PUBLIC = {"access-control-allow-origin": "*", "cache-control": "public, max-age=300"}


def router(deployment: Deployment) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(route_class=ProtocolRoute)
    signing_in = deployment.signing_in

    @routes.get(BASE + provider.WELL_KNOWN, openapi_extra=described_bridge.CONFIGURATION)
    async def configuration() -> Response:
        """Return the provider's configuration (Discovery 1.0 §4)."""
        return JSONResponse(signing_in.configuration(), headers=_PUBLIC)

    @routes.get(f"{BASE}/jwks", openapi_extra=described_bridge.KEYS)
    async def key_set() -> Response:
        """Return the keys of ID tokens."""
        return JSONResponse(provider.key_set(signing_in.signer()), headers=_PUBLIC)

    @routes.post(f"{BASE}/token", openapi_extra=described_bridge.TOKEN)
    async def token(request: Request) -> Response:
        """Exchange a code for an ID token (Core §3.1.3)."""
        if media_type(request) != FORM:
            raise Malformed(Code.UNSUPPORTED_MEDIA_TYPE, f"the body must be sent as {FORM}")
        fields = provider.parse_fields(await request.body())
        try:
            proven = await signing_in.clients.authenticate(request.headers.get("authorization"), fields)
            answer = await signing_in.redeem(CodeRequest.parse(fields), proven)
        except OAuthError as error:
            if error.error is not OAuthErrorCode.INVALID_CLIENT:
                raise
            return _not_authenticated(request, error)
        return JSONResponse(answer, headers={"cache-control": "no-store", "pragma": "no-cache"})

    return routes


class PersonRoute(CountedRoute):
    """A route for a person's browser: what it refuses is counted, and told on a page."""

    async def refuse(self, request: Request, error: ComityError) -> Response:
        """Answer with a page, whichever method was used."""
        return await _pages(request).error(request, error)


def authorization(deployment: Deployment) -> APIRouter:
    """Return the endpoint to which websites send browsers, with GET or with a form (Core §3.1.2.1)."""
    routes = APIRouter(route_class=PersonRoute, include_in_schema=False)

    @routes.get(f"{BASE}/authorize")
    async def authorize(request: Request) -> Response:
        return await _begin(deployment, request, request.url.query)

    @routes.post(f"{BASE}/authorize")
    async def authorize_by_form(request: Request) -> Response:
        return await _begin(deployment, request, await request.body() if media_type(request) == FORM else b"")

    return routes


async def _begin(deployment: Deployment, request: Request, encoded: bytes | str) -> Response:
    """Begin, or say why not: to the person while it is not known where to, else to the website (Core §3.1.2.6)."""
    signing_in = deployment.signing_in
    fields = provider.parse_fields(encoded)
    client = await signing_in.client_for(fields)
    redirect_uri, state = fields["redirect_uri"], None
    try:
        state = provider.text(fields, "state", longest=provider.MAX_STATE)
        started = await signing_in.begin(client, redirect_uri, fields)
    except (Malformed, Unreachable) as error:
        counted.tell(request, error)
        return _away(signing_in.refusal(redirect_uri, state, _told(error)))
    language = _language(request, fields.get("ui_locales"))
    answer = _away(f"{deployment.settings.public_url}/{language}/sign-in/{started.sign_in.id}")
    _bind(answer, started, is_secure=deployment.settings.public_url.startswith("https://"))
    return answer


def _bind(answer: Response, started: Started, *, is_secure: bool) -> None:
    """Give the browser the secret to which the sign-in belongs."""
    answer.set_cookie(
        cookie_of(started.sign_in.id),
        started.browser,
        max_age=int(LONGEST.total_seconds()),
        httponly=True,
        samesite="lax",  # the wallet's page leads back here from another site
        secure=is_secure,
        path="/",
    )


def _not_authenticated(request: Request, error: OAuthError) -> Response:
    """Refuse a client (RFC 6749 §5.2); every 401 carries a challenge (RFC 9110 §15.5.2)."""
    counted.tell(request, error)
    answer = problems.protocol_error(error)
    answer.headers["www-authenticate"] = f'Basic realm="{SECRET}"'
    return answer


def _told(error: ComityError) -> OAuthError:
    """Return what a website is told; of what is wrong on our side only that something is."""
    if isinstance(error, OAuthError):
        return error
    if isinstance(error, Unreachable):
        passing = OAuthErrorCode.TEMPORARILY_UNAVAILABLE
        return OAuthError(error.code, "nobody can be asked anything just now; try again later", error=passing)
    return OAuthError(error.code, "this cannot be asked here", error=OAuthErrorCode.SERVER_ERROR)


def _language(request: Request, ui_locales: str | None) -> str:
    """Return the language of the pages: what the website names first of ours, else what the person chose or prefers."""
    for each in (ui_locales or "").split():
        if each.lower().partition("-")[0] in i18n.LANGUAGES:
            return each.lower().partition("-")[0]
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in i18n.LANGUAGES else i18n.choose(request.headers.get("accept-language"))


def _away(url: str) -> Response:
    """Send the browser on; 303 turns a form into a GET (RFC 9700 §4.12)."""
    return RedirectResponse(url, 303, headers={"cache-control": "no-store"})


def _pages(request: Request) -> Pages:
    found: Pages = request.app.state.pages
    return found
