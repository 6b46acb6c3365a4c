"""Errors as HTTP answers: problem documents (RFC 9457) for our own APIs, OAuth errors for protocol endpoints.

There is one class of protocol error, :class:`comity.openid.refusal.OAuthError`. Which of the two forms an error takes
is decided by the route that answers, not by the error: a wallet's own API tells a person about an issuer's malformed
offer with a problem document.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from comity.errors import Code, ComityError, Conflict, Denied, Malformed, Misconfigured, NotFound, Unreachable
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.web import i18n

MEDIA_TYPE = "application/problem+json"
_BY_CODE: Mapping[Code, int] = {
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.IDEMPOTENCY_KEY_REUSED: 422,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.NOT_FOUND: 404,
    Code.NOT_AUTHENTICATED: 401,
    Code.TOKEN_INVALID: 401,
    Code.PASSPHRASE_WRONG: 401,
    Code.VAULT_LOCKED: 401,
    Code.TOO_MANY_ATTEMPTS: 429,
    Code.BUSY: 503,
    Code.REGISTRY_UNAVAILABLE: 503,
    Code.URL_NOT_ALLOWED: 400,
    Code.ADDRESS_NOT_PUBLIC: 400,
    Code.INTERNAL: 500,
}
_BY_FAMILY: tuple[tuple[type[ComityError], int], ...] = (
    (Malformed, 400),
    (NotFound, 404),
    (Conflict, 409),
    (Denied, 403),
    (Unreachable, 502),
    (Misconfigured, 500),
)


def http_status(error: ComityError) -> int:
    """Return the HTTP status of ``error``: by its code where that says more than its family."""
    by_code = _BY_CODE.get(error.code)
    if by_code is not None:
        return by_code
    return next((status for family, status in _BY_FAMILY if isinstance(error, family)), 500)


def language_of(request: Request) -> str:
    """Return the language in which to answer ``request``."""
    return i18n.choose(request.headers.get("accept-language"))


def document(error: ComityError, language: str, request_id: str = "") -> dict[str, Any]:
    """Return the problem document of ``error`` (RFC 9457 §3).

    ``title``, ``meaning`` and ``next_step`` are in ``language``; ``detail`` is the operator's sentence, in English.
    """
    code = error.code.value
    members: dict[str, Any] = {
        "type": f"urn:comity:problem:{code}",
        "title": i18n.text(f"codes.{code}.title", language),
        "status": http_status(error),
        "code": code,
        "meaning": i18n.text(f"codes.{code}.meaning", language),
        "next_step": i18n.text(f"codes.{code}.next_step", language),
    }
    if error.detail:
        members["detail"] = error.detail
    if request_id:
        members["request_id"] = request_id
    return members


def problem(request: Request, error: ComityError) -> JSONResponse:
    """Answer ``request`` with ``error`` as a problem document."""
    return in_language(language_of(request), error, str(getattr(request.state, "request_id", "")))


def in_language(language: str, error: ComityError, request_id: str = "") -> JSONResponse:
    """Return the answer that tells ``error`` in ``language`` as a problem document."""
    status = http_status(error)
    headers = {"content-language": language, "vary": "Accept-Language"}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Unreachable) and error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return JSONResponse(document(error, language, request_id), status, headers, MEDIA_TYPE)


def oauth_error(
    code: str,
    description: str = "",
    status: int = 400,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, int] | None = None,
) -> JSONResponse:
    """Return an OAuth error answer (RFC 6749 §5.2): ``error``, ``error_description``, ``more``; never cached."""
    members = {"error": code, "error_description": _plain(description)} if description else {"error": code}
    return JSONResponse({**members, **(more or {})}, status, {"cache-control": "no-store", **(headers or {})})


def protocol_error(error: ComityError) -> JSONResponse:
    """Answer a protocol endpoint with ``error`` (RFC 6749 §5.2), and with our own stable ``code`` beside it.

    What the protocol has no code for is ``invalid_request``; another party or part of this service that does not
    answer is ``temporarily_unavailable``, and asking again is safe.
    """
    if isinstance(error, OAuthError):
        told, status = error.error, error.error.status
    else:
        told, status = next(
            (answer for family, answer in _PROTOCOL if isinstance(error, family)), (OAuthErrorCode.SERVER_ERROR, 500)
        )
    members = {"error": told.value, "error_description": _plain(error.detail), "code": error.code.value}
    headers = {"cache-control": "no-store"}
    if isinstance(error, Unreachable) and error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return JSONResponse(members, 413 if error.code is Code.TOO_LARGE else status, headers)


_PROTOCOL: tuple[tuple[type[ComityError], tuple[OAuthErrorCode, int]], ...] = (
    (NotFound, (OAuthErrorCode.INVALID_REQUEST, 404)),
    (Malformed, (OAuthErrorCode.INVALID_REQUEST, 400)),
    (Conflict, (OAuthErrorCode.INVALID_REQUEST, 400)),
    (Denied, (OAuthErrorCode.ACCESS_DENIED, 403)),
    (Unreachable, (OAuthErrorCode.TEMPORARILY_UNAVAILABLE, 503)),
)


def _plain(description: str) -> str:
    """Keep what RFC 6749 §5.2 allows in a description: printable ASCII without quotation mark and backslash."""
    return "".join(c for c in description if " " <= c <= "~" and c not in '"\\')
