"""Bodies of the credential endpoints, in the clear or encrypted, as wallet and settings have it (OpenID4VCI §10)."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from comity.errors import Code
from comity.openid.issuance import encryption
from comity.openid.issuance.encryption import AnswerKey
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.record import Discreet
from comity.web.body import media_type
from issuer.authorities import Authority
from issuer.deployment import Deployment

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


class Message(Discreet, frozen=True, kw_only=True):
    """The JSON text of a request, and whether it came encrypted."""

    UNPRINTED = frozenset({"document"})
    document: bytes
    is_encrypted: bool


def require_type(request: Request, error: OAuthErrorCode, *wanted: str) -> None:
    """Refuse a body of another media type.

    Raises:
        OAuthError: ``error``.
    """
    if media_type(request) not in wanted:
        raise OAuthError(Code.UNSUPPORTED_MEDIA_TYPE, f"the body must be sent as {' or '.join(wanted)}", error=error)


async def read(deployment: Deployment, authority: Authority, request: Request) -> Message:
    """Return the body of a request whose type was judged and whose token passed.

    Raises:
        OAuthError: ``invalid_encryption_parameters``.
    """
    body = await request.body()
    if media_type(request) != encryption.CONTENT_TYPE:
        if deployment.encryption_required:
            raise encryption.refuse_plain()
        return Message(document=body, is_encrypted=False)
    key = await deployment.request_keys.find(authority.path, encryption.kid_of_request(body))
    return Message(document=encryption.open_request(body, key), is_encrypted=True)


def require_answer_key(deployment: Deployment, wanted: AnswerKey | None) -> None:
    """Refuse, where the deployment sends encrypted responses only, a request that names no key for its answer.

    Raises:
        OAuthError: ``invalid_encryption_parameters``.
    """
    if deployment.encryption_required:
        encryption.require_answer_key(wanted)


def reply(body: Mapping[str, Any], key: AnswerKey | None, status: int, headers: Mapping[str, str] | None) -> Response:
    """Return a response, encrypted if a key was named."""
    if key is None:
        return JSONResponse(dict(body), status, headers=headers)
    return Response(key.seal(body), status, headers=headers, media_type=encryption.CONTENT_TYPE)
