"""What a page must be that refuses a person: in one language throughout, with the cause and the next step in words."""

from collections.abc import Mapping
from html.parser import HTMLParser

from starlette.types import Scope

from comity.errors import Code
from comity.web import i18n

FORM = "a form to send again"
"""What a form is told as that comes back to be sent again, with what is wrong with it above."""


class Page(HTMLParser):
    """What somebody reads of a page, without its marks.

    Attributes:
        language: of the whole page, as a browser or a screen reader is told.
        heading: the one of the page; of several all.
        alert: what is announced at once.
        words: everything.
        others: what the link to the page in another language leads to.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.language, self.heading, self.alert, self.words = "", "", "", ""
        self.others: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "html":
            self.language = (said.get("lang") or "").partition("-")[0]
        if "hreflang" in said:
            self.others.append(said.get("href") or "")
        if tag not in {"meta", "link", "input", "br", "hr", "img", "path", "use", "rect", "circle"}:
            self._open.append((tag, said.get("role") == "alert"))

    def handle_endtag(self, tag: str) -> None:
        while any(tag == each for each, _ in self._open):
            if self._open.pop()[0] == tag:
                return

    def handle_data(self, data: str) -> None:
        within = {tag for tag, _ in self._open}
        if within & {"script", "style"}:
            return
        self.words += data
        if "h1" in within:
            self.heading += data
        if any(is_alert for _, is_alert in self._open):
            self.alert += data


def judge(text: str, headers: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return which code a page tells (or :data:`FORM`), and what is wrong with it, in words."""
    page = Page(text)
    if page.language not in i18n.LANGUAGES:
        return None, ["the page does not say its language"]
    found = [] if headers.get("content-language") == page.language else ["content-language is not the page's"]
    if _is_form(page):
        return FORM, found
    told = next((code for code in Code if _tells(page, code)), None)
    if told is None:
        found.append(f"the page does not tell cause and next step in {page.language}: {_plain(page.heading)!r}")
    return told, found


def without_own_address(text: str, scope: Scope) -> str:
    """Return a page without the link to itself in the other language: it is where the browser is, and nowhere else."""
    path = str(scope["path"])
    if path[1:3] not in i18n.LANGUAGES:
        return text  # there is no such page in the other language
    query = scope["query_string"].decode("latin-1").replace("&", "&amp;")
    for each in i18n.LANGUAGES:
        text = text.replace(f'href="/{each}{path[3:]}{"?" if query else ""}{query}"', "")
    return text


def _tells(page: Page, code: Code) -> bool:
    title, *words = (_plain(i18n.text(f"codes.{code}.{each}", page.language)) for each in _PARTS)
    return title == _plain(page.heading) and all(each in _plain(page.words) for each in words)


_PARTS = ("title", "meaning", "next_step")


def _is_form(page: Page) -> bool:
    """Say whether a page announces what is wrong with a form, in its language."""
    alert, language = _plain(page.alert), page.language
    title = _plain(i18n.text("pages.errors_title", language))
    keys = (key for key in i18n.keys(language, "pages") if key != "pages.errors_title")
    said = (_plain(i18n.text(key, language, count=2)) for key in keys if _needs_nothing(key, language))
    return title in alert and any(each in alert for each in said)


def _needs_nothing(key: str, language: str) -> bool:
    try:
        return bool(i18n.text(key, language, count=2))
    except KeyError:
        return False


def _plain(text: str) -> str:
    return " ".join(text.split())
