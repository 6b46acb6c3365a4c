"""The wallet's requests to issuers and verifiers, all through the one guarded fetcher; answers read strictly."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comity import strict_json
from comity.errors import Code, Denied, Malformed, NotFound, Unreachable
from comity.openid import dpop
from comity.openid.oauth import ErrorResponse
from comity.ports import Fetched, Fetcher, FetchRequest

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Outbound(Struct, frozen=True, kw_only=True):
    """Sends requests; knows nothing about what they mean."""

    fetcher: Fetcher

    async def get_json(self, url: str) -> dict[str, Any]:
        """Return the JSON object at ``url``.

        Raises:
            Unreachable: no answer, or one that is neither 200 nor 4xx.
            NotFound: the other side does not have it, or not any more.
            Malformed: not JSON.
        """
        fetched = await self.fetcher.fetch(FetchRequest(url=url, accept=(JSON,)))
        return strict_json.parse_object(_found(fetched).body)

    async def get(self, url: str, *accept: str) -> Fetched:
        """Return the answer at ``url`` in one of the media types; raises as :meth:`get_json`."""
        return _found(await self.fetcher.fetch(FetchRequest(url=url, accept=accept)))

    async def get_text(self, url: str, accept: str) -> str:
        """Return the text at ``url``; raises as :meth:`get_json`."""
        fetched = await self.fetcher.fetch(FetchRequest(url=url, accept=(accept,)))
        return _text(fetched)

    async def post_form_for_text(self, url: str, body: str, accept: str) -> str:
        """Post a form and return the text of the answer; raises as :meth:`get_json`."""
        request = FetchRequest(
            url=url, method="POST", accept=(accept,), headers={"content-type": FORM}, body=body.encode()
        )
        return _text(await self.fetcher.fetch(request))

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str | None = None,
        token: str | None = None,
        proof: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Post ``body`` and return the answer, whatever its status. With a DPoP ``proof`` the token is a bound one.

        ``more`` are further header fields.
        """
        headers = dict(more or {})
        if content_type is not None:
            headers["content-type"] = content_type
        if token is not None:
            headers["authorization"] = f"Bearer {token}" if proof is None else f"DPoP {token}"
        if proof is not None:
            headers[dpop.HEADER] = proof
        return await self.fetcher.fetch(FetchRequest(url=url, method="POST", headers=headers, body=body))


def accepted(fetched: Fetched, *, refusal: Code = Code.ISSUER_REFUSED) -> dict[str, Any]:
    """Return the JSON object of a 2xx answer.

    Raises:
        Denied: ``refusal``: another status; the detail names the protocol's error code, never more.
        Unreachable: a server error.
        Malformed: not JSON.
    """
    if fetched.status >= 500:
        raise Unreachable(Code.UNREACHABLE, f"the other side answered with status {fetched.status}")
    if fetched.status not in range(200, 300):
        raise Denied(refusal, f"the other side answered {error_of(fetched)}")
    return strict_json.parse_object(fetched.body) if fetched.body else {}


def error_of(fetched: Fetched) -> str:
    """Return the OAuth error code of an answer, or its status when it has none that is known."""
    try:
        known = ErrorResponse.parse(strict_json.parse_object(fetched.body)).known
    except Malformed:
        known = None
    return known.value if known else f"with status {fetched.status}"


def header_of(fetched: Fetched, name: str) -> str | None:
    """Return a header field of an answer by its name in lower case, or None."""
    return next((value for key, value in fetched.headers.items() if key.lower() == name), None)


def _text(fetched: Fetched) -> str:
    try:
        return _found(fetched).body.decode("ascii")
    except UnicodeDecodeError:
        raise Unreachable(Code.CONTENT_TYPE_WRONG, "the other side answered with something unreadable") from None


def _found(fetched: Fetched) -> Fetched:
    if 400 <= fetched.status < 500:
        raise NotFound(Code.NOT_FOUND, "the other side does not have this, or not any more")
    if fetched.status != 200:
        raise Unreachable(Code.UNREACHABLE, f"the other side answered with status {fetched.status}")
    return fetched
