"""What a redirect must be that tells a website or a wallet "no": the code, one sentence, and back to whoever asked.

RFC 6749 §4.1.2.1, OpenID Connect Core 1.0 §3.1.2.6, OpenID4VCI 1.0 §5, RFC 9207 §2. Who asked, with which ``state`` and
for an answer where, is read from what was sent: a wallet pushes it, a website's browser brings it along. Only which
addresses a website registered is taken from the product, which has to ask for them before it sends anybody there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, parse_qsl, urlsplit

from starlette.types import Scope

_OAUTH = frozenset(  # RFC 6749 §4.1.2.1
    {
        *("invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope"),
        *("server_error", "temporarily_unavailable"),
    }
)
_CONNECT = frozenset(  # OpenID Connect Core 1.0 §3.1.2.6
    {
        *("interaction_required", "login_required", "account_selection_required", "consent_required"),
        *("invalid_request_uri", "invalid_request_object", "request_not_supported"),
        *("request_uri_not_supported", "registration_not_supported"),
    }
)
_LONGEST_OF_WEBSITE, _LONGEST_OF_WALLET = 8192, 2048
_BRIDGE = "/oidc"

ENDINGS: Mapping[str, str] = {
    "begin.<locals>.<lambda>": "the name of a pushed request is good once, also for nothing (RFC 9126 §7.3)",
    "refuse.<locals>.end": "the sign-in at the issuer is over, once (RFC 6749 §4.1.2.1)",
    "end_sign_in": "the sign-in at the bridge is over, once",
}
"""The only units of the database that may change something for such a redirect, with the reason."""


class Seen(Protocol):
    """One request and its answer, as :class:`tests.support.refused.Exchange` has them."""

    scope: Scope
    sent: bytes
    status: int
    headers: dict[str, str]
    body: bytes
    changed: list[str]
    noted: int
    audited: int
    registered: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer has to fit. ``registered`` are a website's addresses; None where pushing them is enough."""

    redirect_uri: str
    state: str | None
    issuer: str
    codes: frozenset[str]
    registered: tuple[str, ...] | None = None


def is_refusal(status: int, headers: Mapping[str, str]) -> bool:
    """Say whether an answer sends a browser away with an error, wherever in the address that stands."""
    if not 300 <= status < 400:
        return False
    parts = urlsplit(headers.get("location", ""))
    return any("error" in parse_qs(each, keep_blank_values=True) for each in (parts.query, parts.fragment))


def judge(exchange: Seen, earlier: Sequence[Seen]) -> tuple[str, list[str]]:
    """Return the sentence that was told, and what is wrong with where and how it was; ``earlier`` has what was asked.

    What is judged alike for all refusals is not judged here: the sentence itself, and that nothing is repeated.
    """
    found = [] if exchange.status in {302, 303} else ["a form would be sent on (RFC 9700 §4.12)"]
    asked = _asked(exchange, [*earlier, exchange])
    told = _told(exchange, asked, found) if asked else {}
    if asked is None:
        found.append("nobody is known to have asked for it")
    if set(exchange.changed) - ENDINGS.keys() or len(set(exchange.changed)) < len(exchange.changed):
        found.append(f"it changed something: {', '.join(exchange.changed)}")
    if exchange.noted + exchange.audited != 1:
        found.append(f"it is {exchange.noted + exchange.audited} events of the audit")
    return told.get("error_description", ""), found


def _told(exchange: Seen, asked: Asked, found: list[str]) -> dict[str, str]:
    location, uri = exchange.headers["location"], asked.redirect_uri
    begin = uri + ("&" if urlsplit(uri).query else "?")
    if asked.registered is not None and uri not in asked.registered:
        found.append("it goes to an address that is not registered")
    if not location.startswith(begin):
        found.append("it goes elsewhere than was asked for")
        return {}
    pairs = parse_qsl(location.removeprefix(begin), keep_blank_values=True)
    told = dict(pairs)
    if len(told) < len(pairs) or not told.keys() <= {"error", "error_description", "state", "iss"}:
        found.append("it has members that nobody expects")
    if told.get("error") not in asked.codes:
        found.append("error is no code of the specification")
    if told.get("state") != asked.state:
        found.append("state is not the one that was sent")
    if told.get("iss") != asked.issuer:
        found.append("iss is not the issuer (RFC 9207)")
    return told


def _asked(exchange: Seen, exchanges: Sequence[Seen]) -> Asked | None:
    if exchange.scope["path"] == f"{_BRIDGE}/authorize":
        return _of_website(exchange, exchange.registered)
    if "sign_in_id" in exchange.scope.get("path_params", {}):
        page = "/sign-in/" + exchange.scope["path_params"]["sign_in_id"]
        begun = (each for each in exchanges if each.headers.get("location", "").endswith(page))
        return next((_of_website(each, exchange.registered) for each in begun), None)
    return _of_wallet(exchange, exchanges)


def _of_website(exchange: Seen, registered: tuple[str, ...] | None) -> Asked:
    """What a website asks with the browser that it sends; what it registered is what the product looked up."""
    fields = _fields(exchange.scope["query_string"]) | _fields(exchange.sent)
    issuer = _origin(exchange) + _BRIDGE
    return Asked(
        redirect_uri=fields.get("redirect_uri", ""),
        state=_returned(fields.get("state"), _LONGEST_OF_WEBSITE),
        issuer=issuer,
        codes=_OAUTH | _CONNECT,
        registered=registered or (),
    )


def _of_wallet(exchange: Seen, exchanges: Sequence[Seen]) -> Asked | None:
    """What a wallet pushed, by the name that the browser brought to begin with (RFC 9126 §4)."""
    query, path = _fields(exchange.scope["query_string"]), exchange.scope.get("path_params", {})
    sign_in = path.get("authorization_id") or query.get("state", "").partition(".")[0]
    begun = (each for each in exchanges if f"sign-in-{sign_in}=" in each.headers.get("set-cookie", ""))
    first = exchange if "request_uri" in query else next(begun, exchange)
    name = _fields(first.scope["query_string"]).get("request_uri", "")
    pushed = next((each for each in exchanges if name and f'"{name}"'.encode() in each.body), None)
    if pushed is None:
        return None
    fields = _fields(pushed.sent)
    issuer = _origin(pushed) + pushed.scope["path"].removesuffix("/par")
    state = _returned(fields.get("state"), _LONGEST_OF_WALLET)
    return Asked(redirect_uri=fields.get("redirect_uri", ""), state=state, issuer=issuer, codes=_OAUTH)


def _returned(state: str | None, longest: int) -> str | None:
    """A text that is too long or cannot be printed is refused as a state, and is not sent back."""
    return state if state and len(state) <= longest and state.isprintable() else None


def _fields(encoded: bytes) -> dict[str, str]:
    return dict(parse_qsl(encoded.decode("latin-1")))


def _origin(exchange: Seen) -> str:
    host = next(value for name, value in exchange.scope["headers"] if name == b"host")
    return f"{exchange.scope['scheme']}://{host.decode()}"
