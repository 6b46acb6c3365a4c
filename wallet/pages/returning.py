"""Coming back from an issuer's sign-in: one press of a button goes on from our own site, to the new card.

The browser comes from another site, and so without the session's cookie (it is ``SameSite=Strict``). The page it lands
on does nothing but post what it brought from our own site, where the cookie is sent; with scripts it does so by itself.
That form belongs to no session, and needs no token of one: what it brings counts only beside the ``state`` that this
very wallet has kept, once (RFC 6749 §10.12), and not when another site sends it.
"""

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from comity.errors import Code, Denied
from comity.openid.authorization import AuthorizationResponse, parse_parameters
from wallet.pages.face import Face

_BROUGHT = "brought"
_LONGEST = 8192


def router(face: Face) -> APIRouter:
    """Return the routes."""
    routes, pages = face.routes(), face.pages

    @routes.get("/callback")
    async def land(request: Request) -> Response:
        return pages.render(request, "returned.html", brought=request.url.query)

    @routes.post("/callback")
    async def go_on(request: Request) -> Response:
        form = await pages.form(request)
        wallet = await face.wallet(request)
        brought = parse_parameters(form.values.get(_BROUGHT, "")[:_LONGEST])
        try:
            kept = await face.deployment.authorizing.finish(wallet, AuthorizationResponse.parse(brought))
        except Denied as error:
            if error.code is not Code.SIGN_IN_FAILED:
                raise
            return pages.render(request, "not_signed_in.html", status=403)
        ids = [each.credential_id for each in kept]
        return pages.to(request, f"/cards/{ids[0]}?new=yes" if len(ids) == 1 else "/")

    return routes


def add_link(face: Face, app: FastAPI) -> None:
    """Answer the redirect address that issuers know: it has no language, and leads to the page in the person's."""

    async def land(request: Request) -> Response:
        return face.pages.to(request, f"/callback?{request.url.query}")

    app.add_route("/callback", land, methods=["GET"], include_in_schema=False)
