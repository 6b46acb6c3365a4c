"""What every page of the console needs: who is signed in, what they may do, and words for what the store knows."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from comity.credential import CredentialType
from comity.errors import Code, Denied
from comity.web import i18n
from comity.web.assets import card_class, logo_letters
from comity.web.pages import Pages
from issuer import catalog, fields, signing_in
from issuer.api.access import deployment_of
from issuer.operators import Right
from issuer.store.clerks import Clerk, Session

COOKIE = "comity_desk"
_NAV: tuple[tuple[str, str, str, Right], ...] = (
    ("/", "console.nav_search", "search", Right.LOOK_UP),
    ("/issue", "console.nav_issue", "card", Right.ISSUE),
    ("/files", "console.nav_files", "upload", Right.ISSUE),
    ("/expiring", "console.nav_expiring", "clock", Right.LOOK_UP),
    ("/approvals", "console.nav_approvals", "shield", Right.CHANGE_STATUS),
    ("/log", "console.nav_log", "history", Right.READ_AUDIT),
    ("/clerks", "console.nav_clerks", "person", Right.MANAGE_CLERKS),
    ("/webhooks", "console.nav_webhooks", "signal", Right.MANAGE_WEBHOOKS),
)


def cookie_name(public_url: str) -> str:
    """Return the name of the session cookie; with TLS the browser itself holds it to this host."""
    return f"__Host-{COOKIE}" if public_url.startswith("https://") else COOKIE


class Desk:
    """The pages of the console and the person in front of them."""

    def __init__(self, pages: Pages, *, public_url: str) -> None:
        self.pages = pages
        self.cookie = cookie_name(public_url)
        self.is_secure = public_url.startswith("https://")

    async def session(self, request: Request, right: Right | None = None) -> Session:
        """Return the session of who asks, after checking the right.

        Raises:
            Denied: ``not_authenticated``, ``not_permitted``.
        """
        found = await signing_in.session_of(deployment_of(request), request.cookies.get(self.cookie))
        if found is None:
            raise Denied(Code.NOT_AUTHENTICATED, "sign in first")
        request.state.clerk = found.clerk
        if right is not None:
            signing_in.require(found.clerk, right)
        return found

    async def clerk(self, request: Request, right: Right) -> Clerk:
        """Return who asks, after checking the right."""
        return (await self.session(request, right)).clerk

    def render(self, request: Request, name: str, *, status: int = 200, **context: Any) -> Response:
        """Return a page."""
        return self.pages.render(request, name, status=status, **context)

    def to(self, request: Request, path: str) -> Response:
        """Lead on."""
        return self.pages.to(request, path)


def context_of(request: Request, pages: Callable[[], Pages]) -> Mapping[str, Any]:
    """Return what every template of the console has besides: who is signed in, the navigation, words by kind."""
    language = pages().language(request)
    clerk: Clerk | None = getattr(request.state, "clerk", None)
    here = request.url.path[3:] or "/"

    def word(kind: str, value: object) -> str:
        return i18n.text(f"console.{kind}_{value}", language)

    return {
        "clerk": clerk,
        "office": None if clerk is None else deployment_of(request).authority(clerk.authority).description.name,
        "nav_items": [] if clerk is None else _navigation(clerk, here, language),
        "can": lambda right: clerk is not None and signing_in.may(clerk, Right(right)),
        "word": word,
        "idle_seconds": signing_in.IDLE_SECONDS,
        "reason": lambda text: _reason(text, language),
        "type_name": lambda credential_type: fields.type_name(credential_type, language),
        "card_class": lambda credential_type: card_class(credential_type.slug, credential_type.version),
        "time": time_of,
        "now": 0 if clerk is None else deployment_of(request).now(),
        "who": lambda actor: _who(actor, language),
        "initials": "" if clerk is None else logo_letters(clerk.authority.rpartition("/")[0]),
        **_by_language(language),
    }


def _by_language(language: str) -> Mapping[str, Any]:
    """Return what templates use to write in the page's language, and in the other one on a printed slip."""

    def hint_of(name: str) -> str:
        key = f"console.hint_{name}"
        return i18n.text(key, language) if i18n.has(key, language) else ""

    def t_in(key: str, other: str, **values: object) -> str:
        return i18n.text(key, other, **values)

    return {
        "hint_of": hint_of,
        "t_in": t_in,
        "type_name_in": fields.type_name,
        "moment_in": lambda seconds, other: i18n.instant(time_of(seconds), other),
        "day_of": lambda text: i18n.date(date.fromisoformat(text), language),
        "clock_time": lambda seconds: i18n.instant(time_of(seconds), language).rpartition(", ")[2],
    }


def _who(actor: str, language: str) -> str:
    """Return who did something: a name, or words for what is nobody."""
    key = f"console.actor_{actor}"
    return i18n.text(key, language) if actor.isidentifier() and i18n.has(key, language) else actor


def _navigation(clerk: Clerk, here: str, language: str) -> list[tuple[str, str, str, bool]]:
    return [
        (f"/{language}{path}", i18n.text(key, language), icon, here == path or here.startswith(f"{path}/"))
        for path, key, icon, right in _NAV
        if signing_in.may(clerk, right)
    ]


def time_of(seconds: int) -> datetime:
    """Return an instant of the store."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def _reason(text: str | None, language: str) -> str:
    """Return a reason in words: ``code: note`` of ours, or what a program wrote."""
    code, _, note = (text or "").partition(": ")
    key = f"console.reason_{code}"
    if not i18n.has(key, language):
        return text or ""
    words = i18n.text(key, language)
    return f"{words} ({note})" if note else words


def type_of(request: Request, clerk: Clerk) -> CredentialType:
    """Return the type that the path names, if the clerk's authority issues it.

    Raises:
        NotFound: ``credential_type_unknown``.
    """
    slug, version = request.path_params["slug"], request.path_params["version"]
    return catalog.find_type(deployment_of(request).authority(clerk.authority), f"{slug}/{version}")
