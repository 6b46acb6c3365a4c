"""Pages: templates in two languages, forms, redirects, and errors that people can read.

A face makes one :class:`Pages`, writes its routes on :meth:`Pages.router` (every path begins with ``/en`` or ``/fr``),
and calls :meth:`Pages.install` last. Templates of the face lie in ``<package>/templates``, those that all share in
``comity/web/templates``; words come from the catalogs by ``t("domain.key")``.

What a template has: ``t``, ``lang``, ``other``, ``toggle`` (this page in the other language), ``here`` (this page),
``at("/path")`` (a page in this language), ``static("look.css")``, ``csrf``, ``once``, ``day``, ``moment``, ``number``,
``pick`` (one of ``{"en": …, "fr": …}``) and whatever :meth:`Pages.render` was given.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, FastAPI
from markupsafe import Markup
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from comity.errors import Code, ComityError, Unreachable
from comity.web import forms, i18n, shown_text
from comity.web.assets import PREFIX, Assets
from comity.web.csrf import Tokens, check_origin
from comity.web.forms import Form
from comity.web.problems import http_status
from comity.web.routes import LateRoute

if TYPE_CHECKING:
    from jinja2 import Environment

LANGUAGE_COOKIE = "comity_lang"
_YEAR = 31_536_000
_HERE = Path(__file__).parent
_LOCKED = frozenset({Code.VAULT_LOCKED, Code.NOT_AUTHENTICATED})
_LONGEST_NEXT = 4096


class _Language(Convertor[str]):
    """``en`` or ``fr`` and nothing else, so that pages never stand in the way of other routes."""

    regex = "|".join(i18n.LANGUAGES)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("lang", _Language())


class Pages:
    """The pages of one face."""

    def __init__(
        self,
        package: str,
        domain: str,
        *,
        public_url: str,
        form_key: bytes,
        session_cookie: str = "",
        sign_in: str = "",
        max_form_bytes: int = forms.MAX_FORM_BYTES,
        extra: Callable[[Request], Mapping[str, Any]] | None = None,
    ) -> None:
        """Make the pages of a face.

        Args:
            package: the Python package with the folders ``templates`` and, if it has any, ``static``.
            domain: catalog of its words; ``{domain}.site_name`` is its name.
            public_url: what the operator calls the service.
            form_key: key of its forms; :func:`comity.web.csrf.key_in` keeps one.
            session_cookie: name of the cookie that a form belongs to, beside its own.
            sign_in: path below the language to which someone who is not signed in is led; empty: nowhere.
            max_form_bytes: larger forms are refused.
            extra: what every template of this face has besides.
        """
        self.domain = domain
        self.public_url = public_url
        self._folder = Path(str(files(package)))
        self.assets = _assets_in(self._folder)
        self._tokens = Tokens(form_key, public_url, session_cookie)
        self._sign_in = sign_in
        self._max_form_bytes = max_form_bytes
        self._extra = extra

    # --- routes

    def router(self, prefix: str = "", route_class: type[LateRoute] = LateRoute) -> APIRouter:
        """Return a router whose paths begin with the language; its handlers take ``request`` and no more."""
        return APIRouter(prefix="/{lang:lang}" + prefix, include_in_schema=False, route_class=route_class)

    def install(self, app: FastAPI) -> None:
        """Serve the static files, lead ``/`` to the right language, and answer errors with pages."""
        app.state.pages = self
        app.add_route(PREFIX + "{name}", self.assets.answer, methods=["GET"], include_in_schema=False)
        app.add_route("/", self._front, methods=["GET"], include_in_schema=False)

    async def _front(self, request: Request) -> Response:
        return RedirectResponse(f"/{self.language(request)}/", 303, {"vary": "Cookie, Accept-Language"})

    # --- answers

    def language(self, request: Request) -> str:
        """Return the language to answer in: the path's, else the one that was chosen before, else the browser's."""
        first = request.url.path.split("/", 2)[1]
        for wanted in (first, request.cookies.get(LANGUAGE_COOKIE, "")):
            if wanted in i18n.LANGUAGES:
                return wanted
        return i18n.choose(request.headers.get("accept-language"))

    def render(self, request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Return the page of the template ``name``; ``form`` among the context is what is shown in its fields.

        Raises:
            jinja2.TemplateError: the template is wrong, or lacks something that it uses.
        """
        language = self.language(request)
        template = _templates_in(self._folder).get_template(name)
        values = {**self._context(request, language), **(self._extra(request) if self._extra else {}), **context}
        response = HTMLResponse(template.render(values), status, {"content-language": language})
        self._tokens.keep(request, response)
        self._remember(request, response, language)
        return response

    def text(self, name: str, **context: Any) -> str:
        """Return the template ``name`` filled in without a request: something that is the same for everybody."""
        return _templates_in(self._folder).get_template(name).render(context)

    def to(self, request: Request, path: str) -> RedirectResponse:
        """Lead on to ``path`` in the request's language with GET, so that going back or reloading sends nothing."""
        return RedirectResponse(f"/{self.language(request)}{path}", 303)

    def belongs_to(self, request: Request, session: str) -> None:
        """Say that the answer to ``request`` hands out ``session``: forms on it belong to that one already."""
        request.scope.setdefault("state", {})["session"] = session

    async def form(self, request: Request, *, max_bytes: int | None = None) -> Form:
        """Return the form that a page of ours sent.

        A form that was drawn for another session comes back with one error; nothing that was typed is lost.

        Raises:
            Denied: ``not_permitted``: another site sent it.
            Malformed: as for :func:`comity.web.forms.read`.
        """
        check_origin(request, self.public_url)
        form = await forms.read(request, max_bytes=max_bytes or self._max_form_bytes)
        form.is_genuine = self._tokens.is_ours(request, form.values.get(forms.TOKEN, ""))
        if not form.is_genuine:
            form.fail("", "pages.form_stale")
        request.scope["state"]["form"] = form
        return form

    async def error(self, request: Request, error: ComityError) -> Response:
        """Return the page that says what went wrong and what to do; whoever is not signed in is led to do so.

        What was typed into a form goes along and is offered again after the sign-in.
        """
        if error.code in _LOCKED and self._sign_in:
            return await self._ask_to_sign_in(request)
        code, state = error.code.value, request.scope.get("state", {})
        response = self.render(
            request,
            "error.html",
            status=http_status(error),
            code=code,
            title=f"codes.{code}.title",
            meaning=f"codes.{code}.meaning",
            next_step=f"codes.{code}.next_step",
            request_id=str(state.get("request_id", "")),
        )
        if isinstance(error, Unreachable) and error.retry_after is not None:
            response.headers["retry-after"] = str(error.retry_after)
        return response

    async def _ask_to_sign_in(self, request: Request) -> Response:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method != "POST":
            return self.to(request, f"{self._sign_in}?next={quote(here, safe='/')}")
        form: Form | None = request.scope.get("state", {}).get("form")
        if form is None:
            form = await self.form(request)
        return self.render(request, "locked.html", status=401, kept=_keepable(form), target=here, sign_in=self._sign_in)

    # --- inside

    def _context(self, request: Request, language: str) -> dict[str, Any]:
        other = next(each for each in i18n.LANGUAGES if each != language)
        path = request.url.path
        has_other = path[1:3] in i18n.LANGUAGES and path[3:4] in {"", "/"}
        rest = path[3:] if has_other else "/"
        query = f"?{request.url.query}" if has_other and request.url.query else ""  # elsewhere it means nothing
        return {
            "t": _words(language),
            "lang": language,
            "other": other,
            "here": f"/{language}{rest}",
            "toggle": f"/{other}{rest or '/'}{query}",
            "at": lambda page: f"/{language}{page}",
            "site": f"{self.domain}.site_name",
            "csrf": self._tokens.draw(request),
            "once": forms.new_once(),
            "day": lambda value: i18n.date(value, language),
            "moment": lambda value: i18n.instant(value, language),
            "number": lambda value: i18n.number(value, language),
            "pick": lambda words: i18n.pick(words, language),
            "form": Form(),
        }

    def _remember(self, request: Request, response: Response, language: str) -> None:
        """Keep the language for the next visit; nothing else is kept about a visitor who did not sign in."""
        if request.url.path[1:3] == language and request.cookies.get(LANGUAGE_COOKIE) != language:
            secure = self.public_url.startswith("https://")
            response.set_cookie(
                LANGUAGE_COOKIE, language, max_age=_YEAR, httponly=True, samesite="lax", secure=secure, path="/"
            )


def next_path(value: str, default: str) -> str:
    """Return where to go on after a sign-in: ``value`` when it is a page of this very service, else ``default``."""
    parts = urlsplit(value) if len(value) <= _LONGEST_NEXT and "\\" not in value else urlsplit("")
    is_page = any(parts.path == f"/{each}" or parts.path.startswith(f"/{each}/") for each in i18n.LANGUAGES)
    is_ours = is_page and not parts.scheme and not parts.netloc and value.isprintable()
    return value if is_ours else default


def is_page(request: Request) -> bool:
    """Say whether an answer to ``request`` goes to a person: a page of ours, or a browser that asks for HTML."""
    first = request.url.path.split("/", 2)[1]
    if first in i18n.LANGUAGES:
        return "text/event-stream" not in request.headers.get("accept", "")
    return request.method == "GET" and "text/html" in request.headers.get("accept", "") and first != "api"


def _words(language: str) -> Callable[..., str]:
    def t(key: str, **values: object) -> str:
        return i18n.text(key, language, **values)

    return t


def _finalize(value: object) -> object:
    """Take the signs out of every text that would make it look like another one; markup of our own stays."""
    return shown_text.harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _keepable(form: Form) -> Mapping[str, str]:
    """Return what may lie in a page while somebody signs in: everything typed but secrets."""
    return {name: value for name, value in form.typed().items() if "pass" not in name and "code" not in name}


@cache
def _assets_in(folder: Path) -> Assets:
    """Return the files of a package, read once in a process."""
    return Assets([folder / "static"])


@cache
def _templates_in(folder: Path) -> "Environment":
    """Return the templates of a package, each compiled once in a process."""
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  (comity.web.later)

    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder / "templates"), FileSystemLoader(_HERE / "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals.update(static=_assets_in(folder).url, pick_in=i18n.pick)
    return environment
