"""The pages of a sign-in: the look that all pages share, no scripts, nothing loaded from anywhere else."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from comity.errors import ComityError
from comity.web import i18n, problems, shown_text
from comity.web.assets import Assets

if TYPE_CHECKING:
    from jinja2 import Environment

_OTHER = {"en": ("fr", "Français"), "fr": ("en", "English")}
_HERE, _SHARED = Path(__file__).parent / "templates", Path(i18n.__file__).parent / "templates"


def _harmless(value: object) -> object:
    """Take the signs out of a text that would make it look like another one; markup of our own stays."""
    return shown_text.harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _templates() -> "Environment":
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  (comity.web.later)

    templates = Environment(
        loader=ChoiceLoader([FileSystemLoader(_HERE), FileSystemLoader(_SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_harmless,
    )
    templates.globals["static"] = Assets().url
    return templates


def page(
    template: str,
    language: str,
    *,
    title: str,
    values: Mapping[str, object],
    status: int = 200,
    redirect_uri: str | None = None,
) -> HTMLResponse:
    """Return one page.

    Args:
        template: such as ``consent.html``.
        language: ``en`` or ``fr``.
        title: what it is called, and its one heading.
        values: for the template; every one is escaped.
        status: of the answer.
        redirect_uri: where a form of this page may lead to in the end; browsers ask ``form-action`` for that too.
    """
    other, other_name = _OTHER[language]
    text = (
        _templates()
        .get_template(template)
        .render(
            t=lambda key, **given: i18n.text(key, language, **given),
            title=title,
            language=language,
            other_language=other if status == 200 else None,
            other_language_name=other_name,
            **values,
        )
    )
    headers = {"content-security-policy": _policy(redirect_uri), "content-language": language}
    return HTMLResponse(text, status, headers)


def problem(error: ComityError, language: str) -> HTMLResponse:
    """Return the page for a person at whose browser something went wrong."""
    code = error.code.value
    return page(
        "problem.html",
        language,
        title=i18n.text(f"codes.{code}.title", language),
        status=problems.http_status(error),
        values={each: i18n.text(f"codes.{code}.{each}", language) for each in ("meaning", "next_step")},
    )


def _policy(redirect_uri: str | None) -> str:
    targets = "'self'" if redirect_uri is None else f"'self' {_source(redirect_uri)}"
    look = "style-src 'self'; img-src 'self'"
    return f"default-src 'none'; {look}; base-uri 'none'; frame-ancestors 'none'; form-action {targets}"


def _source(redirect_uri: str) -> str:
    """Return a redirect URI as a CSP source: its origin, or the scheme of an app (CSP 3 §2.3.1)."""
    parts = urlsplit(redirect_uri)
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def destination(redirect_uri: str) -> str:
    """Return what a person is told of where the credential goes: the host, or the name of the app's scheme."""
    parts = urlsplit(redirect_uri)
    return parts.netloc if parts.scheme in {"http", "https"} else parts.scheme
