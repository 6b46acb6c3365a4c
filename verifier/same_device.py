"""The same-device flow: an answer counts only in the browser that started it (OpenID4VP 1.0 §14.2; profile VP-23).

Three secrets meet again: the browser's own (a cookie), the request's (its id), and the response code that only the
wallet was told. Somebody who starts a request and lets another person answer it has the first two and never the third;
that other person's browser has the third and not the first (attack P03, session fixation).
"""

import secrets
from functools import partial
from typing import Any
from urllib.parse import urlencode

import structlog
from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Conflict, Denied, NotFound
from verifier import store
from verifier.requesting import SECRET_BYTES, Flow, Requesting, digest
from verifier.store import RequestRow

COOKIE = "comity_presentation"
"""Holds a browser's secret; one for each request, sent back only to where the wallet leads."""

SESSION_MISMATCH = strict_json.serialise([Code.SESSION_MISMATCH.value]).decode()
"""The codes of an answer that came back to another browser."""

_log = structlog.get_logger("verifier")


class Begun(Struct, frozen=True, kw_only=True):
    """A browser that started: its secret, for a cookie, and the link that opens the wallet."""

    secret: str
    link: str


class SameDevice(Struct, frozen=True, kw_only=True):
    """The use case; it works on the requests of ``requesting``."""

    requesting: Requesting

    async def begin(self, request_id: str) -> Begun:
        """Bind an open same-device request to the browser that asks, once.

        Raises:
            NotFound: there is no such request, or it is not of this flow.
            Conflict: it was answered, its time ended, or another browser started it.
        """
        row = (await self.requesting.find_open(request_id)).row
        if row.flow != Flow.SAME_DEVICE:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        secret, now = base64url.encode(secrets.token_bytes(SECRET_BYTES)), self.requesting.clock.now()
        claim = partial(store.claim_browser, request_id=request_id, browser_hash=digest(secret), at=now)
        if not await self.requesting.database.write(claim):
            raise Conflict(Code.SESSION_MISMATCH, "this request was started in another browser, or before")
        return Begun(secret=secret, link=await self.requesting.link_of(request_id))

    async def come_back(self, request_id: str, *, secret: str | None, response_code: str | None) -> str | None:
        """Take the browser back from the wallet; returns where its relying party wants it, None for nowhere.

        Coming back again in the same browser is no harm. In another one the answer is rejected for good.

        Raises:
            NotFound: there is no answer to come back with.
            Denied: ``response_code_invalid``, which changes nothing; ``session_mismatch``.
        """
        row = await self._answered(request_id)
        if not is_code(row, response_code):
            raise Denied(Code.RESPONSE_CODE_INVALID, "this is not the code that the wallet was given")
        database = self.requesting.database
        is_lost = row.codes == SESSION_MISMATCH  # another browser was here first
        if is_lost or row.browser_hash is None or not _is(secret, row.browser_hash):
            refuse = partial(store.refuse_return, request_id=request_id, codes=SESSION_MISMATCH)
            if await database.write(refuse):
                _log.warning("answer came back to another browser", policy=row.policy, place=row.place)
                self.requesting.on_change(request_id)
            raise Denied(Code.SESSION_MISMATCH, "the request was started in another browser; start again in this one")
        mark = partial(store.mark_returned, request_id=request_id, at=self.requesting.clock.now())
        if await database.write(mark):
            self.requesting.on_change(request_id)
        return None if row.redirect_uri is None else with_code(row.redirect_uri, str(response_code))

    async def _answered(self, request_id: str) -> RequestRow:
        row = await self.requesting.find(request_id)
        if row is None or row.flow != Flow.SAME_DEVICE or row.answered_at is None or row.browser_hash is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no answer to come back with")
        return row


def cookie(begun: Begun, request_id: str, *, public_url: str, seconds: int) -> dict[str, Any]:
    """Return the cookie that binds a browser to a request, as the arguments of ``set_cookie``; kept for ``seconds``."""
    return {
        "key": COOKIE,
        "value": begun.secret,
        "max_age": seconds,
        "path": f"/complete/{request_id}",
        "httponly": True,
        "samesite": "lax",  # the wallet's redirect comes from elsewhere
        "secure": public_url.startswith("https://"),
    }


def require_released(row: RequestRow, response_code: str | None) -> None:
    """Check that the result of an answered request may be read by its relying party (VP-23).

    Same device: with the response code, and, where a browser started the request, after that browser came back. That an
    answer was rejected because another one came may be read as it is: nothing of it is left.

    Raises:
        Denied: ``response_code_invalid`` or ``session_mismatch``.
    """
    if row.flow != Flow.SAME_DEVICE or row.codes == SESSION_MISMATCH:
        return
    if not is_code(row, response_code):
        raise Denied(Code.RESPONSE_CODE_INVALID, "the result needs the code that the wallet brought back")
    if row.browser_hash is not None and row.returned_at is None:
        raise Denied(Code.SESSION_MISMATCH, "the browser that started the request has not come back")


def redirect_for(row: RequestRow, response_code: str, public_url: str) -> str:
    """Return where the wallet sends the person: to us first where a browser is bound, which must be that one."""
    if row.browser_hash is not None:
        return with_code(f"{public_url}/complete/{row.id}", response_code)
    return with_code(row.redirect_uri or f"{public_url}/complete", response_code)


def with_code(target: str, response_code: str) -> str:
    """Return an address with the response code in its query."""
    return f"{target}{'&' if '?' in target else '?'}{urlencode({'response_code': response_code})}"


def is_code(row: RequestRow, response_code: str | None) -> bool:
    """Tell whether ``response_code`` is the one that the wallet was given."""
    return row.response_code_hash is not None and _is(response_code, row.response_code_hash)


def _is(secret: str | None, kept: str) -> bool:
    return secret is not None and secrets.compare_digest(digest(secret), kept)
