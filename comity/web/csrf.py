"""Forms that only our own pages can send (catalogue W01): a signed double-submit token and the origin of the request.

The browser holds a random cookie; every form carries an HMAC over that cookie and over the session that it was drawn
for. A foreign page can make a browser send the cookie but can read neither, and a cookie that somebody planted
(a subdomain, two browsers: session fixation) fits no form that he could draw without the key. Independently of that,
what the browser itself says about where a request comes from must not name another site.
"""

import hmac
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from comity import base64url
from comity.errors import Code, Denied
from comity.runtime.files import create_file, make_private_folder

KEY_BYTES = 32
COOKIE_BYTES = 16
_LONGEST = 64
_AGE_SECONDS = 86_400


def key_in(folder: Path) -> bytes:
    """Return the key of a service's forms, made at first use; every worker finds the same one in ``folder``.

    Raises:
        OSError: it can be neither read nor written.
    """
    path = folder / "forms.key"
    with suppress(FileNotFoundError):
        return path.read_bytes()
    make_private_folder(folder)
    with suppress(FileExistsError):
        create_file(path, secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


def check_origin(request: Request, public_url: str) -> None:
    """Refuse a request that a foreign page made.

    ``Sec-Fetch-Site`` (Fetch Metadata) and ``Origin`` are written by the browser, not by the page. Our pages have the
    referrer policy ``no-referrer``, under which a browser sends ``Origin: null`` with a form (Fetch §3.2); that counts
    only beside ``Sec-Fetch-Site: same-origin``, since a sandboxed foreign page sends ``null`` too. A program that sends
    neither is no browser, and has no cookie that it was not given.

    Raises:
        Denied: ``not_permitted``.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    parts = urlsplit(public_url)
    own = {None, f"{parts.scheme}://{parts.netloc}", *(["null"] if site == "same-origin" else [])}
    if origin not in own or site not in {None, "same-origin", "none"}:
        raise Denied(Code.NOT_PERMITTED, "this request comes from another site")


class Tokens:
    """Draws and checks the tokens of one service."""

    def __init__(self, key: bytes, public_url: str, session_cookie: str) -> None:
        self._key = key
        self._session_cookie = session_cookie
        self._is_secure = public_url.startswith("https://")
        self.cookie = "__Host-comity_form" if self._is_secure else "comity_form"

    def draw(self, request: Request) -> str:
        """Return the token for a form on the page that answers ``request``; :meth:`keep` must follow."""
        session = request.scope.get("state", {}).get("session", request.cookies.get(self._session_cookie, ""))
        return self._sign(self._cookie_of(request), session)

    def keep(self, request: Request, response: Response) -> None:
        """Hand out the cookie, where the browser does not have one."""
        if request.cookies.get(self.cookie) != (value := self._cookie_of(request)):
            response.set_cookie(
                self.cookie,
                value,
                max_age=_AGE_SECONDS,
                httponly=True,
                samesite="lax",
                secure=self._is_secure,
                path="/",
            )

    def is_ours(self, request: Request, token: str) -> bool:
        """Say whether ``token`` was drawn for this browser and this session."""
        cookie = request.cookies.get(self.cookie, "")
        if not cookie or len(cookie) > _LONGEST:
            return False
        expected = self._sign(cookie, request.cookies.get(self._session_cookie, ""))
        return hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass"))

    def _cookie_of(self, request: Request) -> str:
        """Return the browser's cookie, else one made for this request, the same at every call."""
        sent = request.cookies.get(self.cookie, "")
        if sent and len(sent) <= _LONGEST:
            return sent
        state = request.scope.setdefault("state", {})
        made: str = state.setdefault("form_cookie", base64url.encode(secrets.token_bytes(COOKIE_BYTES)))
        return made

    def _sign(self, cookie: str, session: str) -> str:
        message = b"\0".join((b"form", cookie.encode(), session.encode("utf-8", "surrogatepass")))
        return base64url.encode(hmac.digest(self._key, message, "sha256"))
