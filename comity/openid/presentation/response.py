"""The answer to a request: ``direct_post`` and ``direct_post.jwt`` (OpenID4VP 1.0 §8).

An encrypted answer is not authenticated by its encryption: only the presentations inside prove anything. The order in
which a verifier judges an answer (profile 6.7) is :func:`parse`, then :func:`settle`, then the presentations.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from comity import dcql, jwe, strict_json
from comity.errors import Code, Malformed
from comity.openid import form
from comity.openid.members import Document, Members
from comity.openid.presentation.parameters import RequestObject, ResponseMode
from comity.openid.refusal import OAuthErrorCode, Refusal, description
from comity.record import Discreet

_REFUSE = Refusal(code=Code.RESPONSE_INVALID)
_QUERY_ID = re.compile(r"[A-Za-z0-9_-]+\Z")
MAX_PRESENTATIONS = 64

VpToken = Mapping[str, tuple[str, ...]]
"""Query id to the presentations that answer it, as compact strings."""


# --- wallet: build


def build(request: RequestObject, vp_token: Mapping[str, Sequence[str]]) -> str:
    """Return the form body that answers ``request``, encrypted when the request says so; raises as :func:`members`."""
    answer = members(request, vp_token)
    return form.encode(
        {
            name: value if isinstance(value, str) else strict_json.serialise(value).decode()
            for name, value in answer.items()
        }
    )


def members(request: RequestObject, vp_token: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the members of the answer to ``request``: ``vp_token`` and ``state``, or ``response`` alone, encrypted.

    Raises:
        OAuthError: ``response_invalid`` for an empty answer; ``invalid_request`` when the request wants encryption
            but gives no usable key.
    """
    if not vp_token or not all(vp_token.values()):
        raise _REFUSE("an answer holds at least one presentation for each query it names")
    token = {name: list(presentations) for name, presentations in vp_token.items()}
    state = {} if request.state is None else {"state": request.state}
    if not request.response_mode.is_encrypted:
        return {"vp_token": token, **state}
    metadata = request.client_metadata
    key = metadata.encryption_key() if metadata else None
    method = metadata.encryption_method() if metadata else None
    if key is None or method is None:
        raise _REFUSE("the request gives no key to encrypt the answer to")
    inner = strict_json.serialise({"vp_token": token, **state})
    return {"response": jwe.encrypt(inner, key, enc=method)}


def build_error(error: OAuthErrorCode, *, state: str | None, detail: str = "") -> str:
    """Return the form body of an error answer; never encrypted (VP-22).

    Send ``access_denied`` for "nothing matches", "the person said no" and "not unlocked" alike, without detail.
    """
    fields = {"error": error.value, "error_description": description(detail), "state": state or ""}
    return form.encode({name: value for name, value in fields.items() if value})


# --- verifier: parse


class PlainAnswer(Discreet, frozen=True, kw_only=True):
    """Presentations, and the state they came with. Nothing about them is verified."""

    UNPRINTED = frozenset({"vp_token"})
    vp_token: VpToken
    state: str | None = None


class EncryptedAnswer(Discreet, frozen=True, kw_only=True):
    """An answer still encrypted. ``kid`` names the key of the one request it was encrypted for; None when absent."""

    UNPRINTED = frozenset({"token"})
    token: str
    kid: str | None = None


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """The wallet says no. ``error`` may be a code this house does not know."""

    error: str
    description: str | None = None
    state: str | None = None


Answer = PlainAnswer | EncryptedAnswer | ErrorAnswer


def parse(body: bytes | str) -> Answer:
    """Read a posted form (profile 6.7 step 1: enough to find the transaction, by ``state`` or by ``kid``).

    Raises:
        OAuthError: ``response_invalid``: not a form, a parameter twice, none or several of ``vp_token``, ``response``
            and ``error``, a ``vp_token`` of the wrong shape (attack P11).
    """
    fields = form.decode(body, _REFUSE)
    kinds = {"vp_token", "response", "error"} & set(fields)
    if len(kinds) != 1:
        raise _REFUSE("the answer needs exactly one of vp_token, response and error")
    if "response" in kinds:
        return encrypted(fields["response"])
    state = fields.get("state")
    if "error" in kinds:
        text = fields.get("error_description")
        return ErrorAnswer(error=fields["error"], description=description(text) if text else None, state=state)
    return PlainAnswer(vp_token=parse_vp_token(fields["vp_token"]), state=state)


def settle(
    answer: Answer,
    *,
    mode: ResponseMode,
    state: str | None,
    query: dcql.Query,
    private_jwk: Mapping[str, Any] | None = None,
) -> PlainAnswer | ErrorAnswer:
    """Return the answer to one known transaction, decrypted and shaped as its query allows (profile 6.7 steps 2, 3).

    Not checked: the presentations, and whether they satisfy the query. The transaction is not consumed here.

    Args:
        answer: what was posted.
        mode: the response mode of the transaction's request.
        state: its state; None when the request had none. Not looked at on the Digital Credentials API.
        query: its query.
        private_jwk: the transaction's own decryption key; None for ``direct_post``.

    Raises:
        OAuthError: ``response_not_encrypted`` for plain presentations where encryption was asked for (attack P10);
            ``decryption_failed``; ``state_mismatch``; ``credential_not_requested``; ``query_not_satisfied`` for
            several presentations where one was asked for (attack P07).
    """
    # 6.7 step 2: decrypt, with the key of that transaction only. Errors may always come in the clear.
    opened = _open(answer, private_jwk) if isinstance(answer, EncryptedAnswer) else answer
    if isinstance(opened, PlainAnswer):
        if mode.is_encrypted and not isinstance(answer, EncryptedAnswer):
            raise _REFUSE("the answer was not encrypted although the request asked for it", Code.RESPONSE_NOT_ENCRYPTED)
        if not mode.is_encrypted and isinstance(answer, EncryptedAnswer):
            raise _REFUSE("the answer was encrypted although the request did not ask for it")
    # 6.7 step 2: the state, inside the encryption where there is one, is that of the transaction.
    if mode.is_posted and opened.state != state:
        raise _REFUSE("the answer belongs to another request", Code.STATE_MISMATCH)
    # 6.7 step 3: the shape of vp_token against the query.
    if isinstance(opened, PlainAnswer):
        _check_shape(opened.vp_token, query)
    return opened


def parse_vp_token(document: Document) -> dict[str, tuple[str, ...]]:
    """Read a ``vp_token``: query id to a non-empty array of presentations (VP-20), compact strings in our formats.

    Raises:
        OAuthError: ``response_invalid``.
    """
    members = Members.read(document, "vp_token", _REFUSE)
    if not members.value:
        raise _REFUSE("vp_token: no presentation in it")
    token: dict[str, tuple[str, ...]] = {}
    for name, value in members.value.items():
        if not _QUERY_ID.match(name):
            raise _REFUSE("vp_token: a query id has characters that no query id may have")
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise _REFUSE("vp_token: each query id must hold a non-empty array of presentations")
        token[name] = tuple(value)
    if sum(len(presentations) for presentations in token.values()) > MAX_PRESENTATIONS:
        raise _REFUSE("vp_token: too many presentations")
    return token


def encrypted(token: str) -> EncryptedAnswer:
    """Read a JWE as far as its header, which names the key of the transaction.

    Raises:
        OAuthError: ``response_invalid``, or a code of :func:`comity.jwe.header`.
    """
    try:
        kid = jwe.header(token).get("kid")
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    return EncryptedAnswer(token=token, kid=kid if isinstance(kid, str) else None)


def _open(answer: EncryptedAnswer, private_jwk: Mapping[str, Any] | None) -> PlainAnswer | ErrorAnswer:
    if private_jwk is None:
        raise _REFUSE("the answer was encrypted although the request did not ask for it")
    # VP-22: the wallet copies the kid of the key it encrypted to, which is the key of this one request.
    if "kid" in private_jwk and answer.kid != private_jwk["kid"]:
        raise _REFUSE("the answer does not name the key of this request", Code.DECRYPTION_FAILED)
    try:
        inner = strict_json.parse_object(jwe.decrypt(answer.token, private_jwk))
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    return read(Members(inner, "answer", _REFUSE))


def read(answer: Members) -> PlainAnswer | ErrorAnswer:
    """Read the members of an answer that is not encrypted, or not any more.

    Raises:
        OAuthError: ``response_invalid``.
    """
    state = answer.optional_string("state")
    if answer.has("vp_token") == answer.has("error"):
        raise _REFUSE("the answer needs exactly one of vp_token and error")
    if answer.has("error"):
        return ErrorAnswer(error=answer.string("error"), state=state)
    return PlainAnswer(vp_token=parse_vp_token(answer.members("vp_token").value), state=state)


def _check_shape(vp_token: VpToken, query: dcql.Query) -> None:
    for name, presentations in vp_token.items():
        wanted = query.credential(name)
        if wanted is None:
            raise _REFUSE("the answer holds a credential that was not asked for", Code.CREDENTIAL_NOT_REQUESTED)
        if len(presentations) > 1 and not wanted.multiple:
            raise _REFUSE("the answer holds several presentations where one was asked for", Code.QUERY_NOT_SATISFIED)


# --- the verifier's reply to the wallet


class Received(Struct, frozen=True, kw_only=True):
    """What the verifier replies, with 200 and application/json, to accepted answers and error answers alike (VP-21).

    ``redirect_uri`` is where the wallet sends the person next: absolute, with a fresh secret in it; None to stay.
    """

    redirect_uri: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return the JSON object."""
        return {} if self.redirect_uri is None else {"redirect_uri": self.redirect_uri}

    @classmethod
    def parse(cls, document: Document) -> "Received":
        """Read the reply. Members nobody knows are ignored.

        Raises:
            OAuthError: ``response_invalid``: not an object, or a ``redirect_uri`` that is not absolute or could run
                script.
        """
        members = Members.read(document, "reply", _REFUSE)
        target = members.optional_string("redirect_uri")
        if target is not None and not _is_target(target):
            raise _REFUSE("the address to go to next is not an absolute URL")
        return cls(redirect_uri=target)


def _is_target(url: str) -> bool:
    """Tell whether a browser may be sent there: absolute, and no scheme that runs script or reads files."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and parts.scheme not in {"javascript", "data", "file", "blob"}
