"""Requests and answers by the Digital Credentials API (OpenID4VP 1.0 annex A; VP-24).

A website hands the browser ``{protocol, data}``; the wallet hands an object back. The wallet knows the website's origin
from the platform alone, and that origin is the audience of every presentation, of signed requests too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from comity.credential import KeyReference
from comity.errors import Code
from comity.openid.members import Document, Members
from comity.openid.presentation import client_id, parameters, request, response
from comity.openid.presentation.parameters import REFUSE, RequestObject
from comity.openid.presentation.proof import AttestationKey, Unsigned
from comity.openid.presentation.request import Needs, NeedsAttester, NeedsDocument, VerifiedRequest
from comity.openid.presentation.response import Answer
from comity.openid.refusal import OAuthErrorCode, Refusal
from comity.ports import Signer

_ANSWER = Refusal(code=Code.RESPONSE_INVALID)


class Protocol(StrEnum):
    """The exchange protocols that can be answered; ``openid4vp-v1-multisigned`` is refused by name."""

    UNSIGNED = "openid4vp-v1-unsigned"
    SIGNED = "openid4vp-v1-signed"


def is_origin(text: str) -> bool:
    """Tell whether ``text`` is an origin as browsers write it: https (http for localhost), host, port if not default.

    Opaque origins (``null``) and other schemes, ``data`` and ``javascript`` among them, are none (VP-24).
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    default = {"https": 443, "http": 80}.get(parts.scheme)
    if default is None or not host or port == default or (parts.scheme == "http" and host != "localhost"):
        return False
    return text == f"{parts.scheme}://{host}{'' if port is None else f':{port}'}"


# --- verifier: ask


def unsigned(asked: RequestObject) -> dict[str, Any]:
    """Return the unsigned request: who asks is the website, as the platform says; no ``client_id`` (annex A.3.1)."""
    claims = asked.to_dict()
    left_out = {"client_id", "aud", "iat", "exp", "expected_origins", "state", "response_uri", "wallet_nonce"}
    return {
        "protocol": Protocol.UNSIGNED.value,
        "data": {name: value for name, value in claims.items() if name not in left_out},
    }


def signed(asked: RequestObject, signer: Signer, key: KeyReference | AttestationKey) -> dict[str, Any]:
    """Return the signed request, which names the origins it may be made from (annex A.3.2).

    Raises:
        OAuthError: ``invalid_request``: it names none, or something that is no origin.
    """
    _check_origins(asked.expected_origins)
    return {"protocol": Protocol.SIGNED.value, "data": {"request": request.sign(asked, signer, key)}}


# --- wallet: read, answer


def read(protocol: str, data: Mapping[str, Any], *, origin: str, at: datetime) -> VerifiedRequest | Needs:
    """Read and verify a request that ``origin`` made. Whether the registry knows who signed it is not checked.

    Args:
        protocol: the name of the exchange protocol.
        data: its ``data``.
        origin: as the platform says, never as the request says.
        at: the current instant.

    Raises:
        OAuthError: ``invalid_request`` and the other codes of :func:`comity.openid.presentation.parameters.read`;
            ``origin_mismatch`` for a signed request that was made for another origin.
    """
    if not is_origin(origin):
        raise REFUSE("the request does not come from a website that can be named", Code.ORIGIN_MISMATCH)
    if protocol not in set(Protocol):
        raise REFUSE("this wallet does not answer requests of this protocol")
    members = Members(data, "request", REFUSE)
    if protocol == Protocol.UNSIGNED:
        # Annex A.2: client_id and expected_origins of an unsigned request are ignored.
        asked = parameters.read(members, client_id.of_origin(origin), origin=origin)
        return VerifiedRequest(request=asked, proof=Unsigned(response_uri=origin))
    encoded = members.string("request")
    found = request.verify(encoded, client=None, at=at, origin=origin)
    if isinstance(found, NeedsDocument):
        resume = found.resume
        return NeedsDocument(did=found.did, url=found.url, resume=lambda body: _made_for_origin(resume(body), origin))
    if isinstance(found, NeedsAttester):
        go_on = found.resume
        return NeedsAttester(issuer=found.issuer, resume=lambda trusted: _made_for_origin(go_on(trusted), origin))
    return _made_for_origin(found, origin)


def answer(asked: RequestObject, vp_token: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the object that answers ``asked``, encrypted when it says so; raises as ``response.members``."""
    return response.members(asked, vp_token)


def refusal(error: OAuthErrorCode) -> dict[str, str]:
    """Return the object that says no (annex A.4); to be sent only after the person had a say."""
    return {"error": error.value}


# --- verifier: read the answer


def parse_answer(document: Document) -> Answer:
    """Read what the website got from the browser.

    Raises:
        OAuthError: ``response_invalid``.
    """
    members = Members.read(document, "answer", _ANSWER)
    if members.has("response"):
        if members.has("vp_token") or members.has("error"):
            raise _ANSWER("the answer needs exactly one of vp_token, response and error")
        return response.encrypted(members.string("response"))
    return response.read(members)


def _made_for_origin(verified: VerifiedRequest, origin: str) -> VerifiedRequest:
    """Annex A.2: the origin is one of those that the signed request expects, letter by letter (against its replay)."""
    _check_origins(verified.request.expected_origins)
    if origin not in verified.request.expected_origins:
        raise REFUSE("the request was made for another website", Code.ORIGIN_MISMATCH)
    return verified


def _check_origins(origins: Sequence[str]) -> None:
    if not origins or not all(is_origin(each) for each in origins):
        raise REFUSE("a signed request must name the origins it may be made from")
