"""The person's side of the authorization code flow: sign in, agree or refuse, and back to the wallet.

A sign-in belongs to the browser that began it: its cookie holds a secret whose hash is stored, and every form carries
a second one that no other site can know. Pages cannot be framed and run no script.
"""

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from comity.errors import Code, ComityError, Denied, Malformed, NotFound, Unreachable
from comity.openid import authorization as messages
from comity.openid.authorization import AuthorizationResponse
from comity.openid.issuance.display import in_language
from comity.openid.provider import key_set
from comity.openid.refusal import OAuthErrorCode
from comity.web import body, i18n, problems
from comity.web.counted import CountedRoute
from issuer import authorizing
from issuer.api import described_discovery, pages
from issuer.api.access import deployment_of
from issuer.api.authorization import require_sign_in
from issuer.authorities import Authority
from issuer.deployment import Deployment
from issuer.identity import Secrets
from issuer.store.authorizations import Authorization, State


class PersonRoute(CountedRoute):
    """A route for a person's browser: what it refuses is counted, and told on a page."""

    async def refuse(self, request: Request, error: ComityError) -> Response:
        """Answer with a page instead of a problem document."""
        return pages.problem(error, _language(request, None))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell on a page, too, that this address is not for one made in this way."""
        try:
            await super().handle(scope, receive, send)
        except HTTPException as error:
            page = pages.problem(Malformed(Code.METHOD_NOT_ALLOWED), _language(Request(scope), None))
            page.headers.update(error.headers or {})
            await page(scope, receive, send)


router = APIRouter(route_class=PersonRoute)


@router.get("/sign-in/jwks.json", include_in_schema=False)
async def keys_for_provider(request: Request) -> Response:
    """Publish the key with which this issuer proves itself to the identity provider; none where it has a secret."""
    provider = deployment_of(request).identity_provider
    signer = None if provider is None else provider.registration.signer
    return JSONResponse({"keys": []} if signer is None else key_set(signer))


@router.get("/sign-in/callback", include_in_schema=False)
async def callback(request: Request) -> Response:
    """Take a browser back from the identity provider (OpenID Connect Core §3.1.2.5)."""
    deployment = deployment_of(request)
    answer = AuthorizationResponse.parse(messages.parse_parameters(request.url.query))
    authorization_id, _, given = (answer.state or "").partition(".")
    secrets = _secrets(deployment, authorization_id)
    browser = _cookie(request, authorization_id)
    found = await authorizing.current(deployment, authorization_id, browser)
    if deployment.identity_provider is None or not hmac.compare_digest(
        f"{authorization_id}.{given}".encode(), secrets.state.encode()
    ):
        raise Denied(Code.STATE_MISMATCH, "this answer belongs to no sign-in")
    authority = deployment.authority(found.authority)
    page = f"{authority.issuer_id}/sign-in/{found.id}"
    if found.state is State.SIGNED_IN:  # the browser came here again; the code was redeemed already
        return RedirectResponse(page, 303)
    try:
        subject = await deployment.identity_provider.subject(answer, secrets)
    except (Denied, Malformed, Unreachable) as error:
        is_down = isinstance(error, Unreachable)
        told = OAuthErrorCode.TEMPORARILY_UNAVAILABLE if is_down else OAuthErrorCode.ACCESS_DENIED
        return _leave(found, await authorizing.refuse(deployment, authority, found, browser, error=told))
    await authorizing.sign_in(deployment, found, browser, subject)
    return RedirectResponse(page, 303)


@router.get("/{path:path}/authorize", status_code=303, response_class=Response, **described_discovery.AUTHORIZE)
async def begin(request: Request, path: str) -> Response:
    """Begin: take the request that the wallet pushed, and let the person sign in (RFC 9126 §4).

    Parameters beside ``client_id`` and ``request_uri`` have no effect: what was pushed counts.
    """
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    require_sign_in(deployment, authority)
    fields = messages.parse_parameters(request.url.query)
    client_id, request_uri = fields.get("client_id"), fields.get("request_uri")
    if client_id is None or request_uri is None:
        raise Malformed(Code.REQUEST_INVALID, "client_id and request_uri are needed; requests must be pushed")
    begun = await authorizing.begin(deployment, authority, client_id=client_id, request_uri=request_uri)
    found = begun.authorization
    answer: Response = RedirectResponse(f"{authority.issuer_id}/sign-in/{found.id}", 303)
    if deployment.identity_provider is not None:
        answer = await _to_provider(deployment, authority, found, begun.browser)
    answer.set_cookie(
        _cookie_name(found.id),
        begun.browser,
        max_age=deployment.limits.sign_in_seconds,
        httponly=True,
        samesite="lax",  # the identity provider's answer comes from another site
        secure=deployment.public_url.startswith("https://"),
        path="/",
    )
    return answer


@router.get("/{path:path}/sign-in/{authorization_id}", include_in_schema=False)
async def show(request: Request, path: str, authorization_id: str) -> Response:
    """Show the page that is due: the demo's list of people, or the question whether to go on."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    browser = _cookie(request, authorization_id)
    found = await authorizing.current(deployment, authorization_id, browser)
    _require_authority(deployment, found, authority)
    if found.state is State.BEGUN and deployment.identity_provider is not None:
        return await _to_provider(deployment, authority, found, browser)
    return await _page(request, deployment, authority, found)


@router.post("/{path:path}/sign-in/{authorization_id}", include_in_schema=False)
async def answer_page(request: Request, path: str, authorization_id: str) -> Response:
    """Hear what the person chose: who they are (demo), to agree, or to refuse."""
    deployment = deployment_of(request)
    authority = deployment.authority(path)
    browser = _cookie(request, authorization_id)
    found = await authorizing.current(deployment, authorization_id, browser)
    _require_authority(deployment, found, authority)
    fields = await body.form(request)
    _require_own_form(request, deployment, found, fields.get("csrf", ""))
    match fields.get("answer"), fields.get("person"):
        case "refuse", None:
            return _leave(found, await authorizing.refuse(deployment, authority, found, browser))
        case "agree", None:
            return _leave(found, await authorizing.agree(deployment, authority, found, browser))
        case None, str(person) if person in {each.reference for each in await authorizing.people(deployment, found)}:
            await authorizing.sign_in(deployment, found, browser, person)
            language = i18n.choose(fields.get("lang"))
            return RedirectResponse(f"{authority.issuer_id}/sign-in/{found.id}?lang={language}", 303)
    raise Malformed(Code.REQUEST_INVALID, "the form does not say what was chosen")


# --- parts


async def _page(request: Request, deployment: Deployment, authority: Authority, found: Authorization) -> Response:
    asked = messages.of_kept(found.request)
    language = _language(request, asked.ui_locales)
    names = _names(deployment, authority, found, language)
    values: dict[str, object] = {
        "authority": i18n.pick(authority.description.name, language),
        "credential": ", ".join(names),
        "several": len(names) > 1,
        "csrf": deployment.secrecy.sign_in_secret(found.id, "form"),
    }
    if found.state is State.SIGNED_IN:
        name, values["destination"] = "consent", pages.destination(asked.redirect_uri)
    else:
        name, values["people"] = "sign_in", await authorizing.people(deployment, found)
    title = i18n.text(f"issuer.{name}.title", language)
    return pages.page(f"{name}.html", language, title=title, redirect_uri=asked.redirect_uri, values=values)


def _names(deployment: Deployment, authority: Authority, found: Authorization, language: str) -> list[str]:
    """Return what everything is called that is asked for, once for each type."""
    entries = [deployment.catalogs[authority.path][each] for each in found.configuration_ids]
    shown = {each.type: in_language(each.configuration.display, language) for each in reversed(entries)}
    return list({each.type: name.name if (name := shown[each.type]) else each.id for each in entries}.values())


async def _to_provider(deployment: Deployment, authority: Authority, found: Authorization, browser: str) -> Response:
    """Send the browser to the identity provider; back to the wallet where that does not answer."""
    if deployment.identity_provider is None:
        raise Denied(Code.NOT_PERMITTED, "there is no identity provider")
    locales = messages.of_kept(found.request).ui_locales
    try:
        url = await deployment.identity_provider.sign_in_url(_secrets(deployment, found.id), ui_locales=locales)
    except (Malformed, Unreachable):
        error = OAuthErrorCode.TEMPORARILY_UNAVAILABLE
        return _leave(found, await authorizing.refuse(deployment, authority, found, browser, error=error))
    return RedirectResponse(url, 303)


def _leave(found: Authorization, url: str) -> Response:
    """Send the browser back to the wallet; the sign-in is over (RFC 6749 §4.1.2, 303 as RFC 9700 §4.12 wants)."""
    answer = RedirectResponse(url, 303)
    answer.delete_cookie(_cookie_name(found.id), path="/")
    return answer


def _secrets(deployment: Deployment, authorization_id: str) -> Secrets:
    secret = deployment.secrecy.sign_in_secret
    return Secrets(
        state=f"{authorization_id}.{secret(authorization_id, 'state')}",
        nonce=secret(authorization_id, "nonce"),
        verifier=secret(authorization_id, "verifier"),
    )


def _require_authority(deployment: Deployment, found: Authorization, authority: Authority) -> None:
    if found.authority != authority.path:
        raise Denied(Code.NOT_PERMITTED, "this sign-in is at another authority")
    if not set(found.configuration_ids) <= set(deployment.catalogs[authority.path]):
        raise NotFound(Code.CREDENTIAL_TYPE_UNKNOWN, "the authority does not issue this any more")


def _require_own_form(request: Request, deployment: Deployment, found: Authorization, csrf: str) -> None:
    """Refuse a form that another site sent (catalogue W01)."""
    genuine = deployment.secrecy.sign_in_secret(found.id, "form")
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
    if is_foreign or not hmac.compare_digest(csrf.encode(), genuine.encode()):
        raise Denied(Code.NOT_PERMITTED, "this form was not sent by our own page")


def _language(request: Request, ui_locales: str | None) -> str:
    """Return the language: chosen on the page, else as the wallet asked, else as the browser prefers."""
    chosen = request.query_params.get("lang")
    if chosen in i18n.LANGUAGES:
        return chosen
    return i18n.choose(ui_locales.replace(" ", ",")) if ui_locales else problems.language_of(request)


def _cookie_name(authorization_id: str) -> str:
    return f"sign-in-{authorization_id}"


def _cookie(request: Request, authorization_id: str) -> str:
    return request.cookies.get(_cookie_name(authorization_id), "")
