"""A page as a screen reader tells it: heading, names of controls, what is announced and where the focus is."""

import re
from functools import cache

from comity.web import i18n
from tests.browser.visitor import Visitor

CONTROLS = ("button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "switch", "img")
_LINE = re.compile(rf"^\s*- (?:')?({'|'.join(CONTROLS)})\b(?: \"((?:[^\"\\]|\\.)*)\")?", re.MULTILINE)
_DOMAINS = ("pages", "wallet", "counter", "console")
FOCUSED = """
(() => {
  const it = document.activeElement;
  const ids = it?.getAttribute("aria-describedby")?.split(" ") ?? [];
  const about = ids.map((id) => document.getElementById(id)?.innerText ?? "");
  return [it?.innerText || it?.labels?.[0]?.innerText || "", ...about].join(" ").trim();
})()
"""
"""The words that are read out where the focus is, with what describes them."""


async def told(at: Visitor) -> str:
    """Return the page as the tree that a screen reader walks through."""
    return await at.page.locator("body").aria_snapshot()


async def require_told(at: Visitor, heading: str) -> str:
    """Fail unless the one first heading names the step, and every control has a name in the page's language.

    Returns the tree, for what the step is about.
    """
    tree = await told(at)
    headings = re.findall(r'heading "((?:[^"\\]|\\.)*)" \[level=1\]', tree)
    assert len(headings) == 1, f"{at.path}: first headings {headings}"
    assert heading in headings[0], f"{at.path}: {headings[0]!r} does not name the step"
    language = at.path[1:3]
    assert await at.page.locator("html").get_attribute("lang") == f"{language}-CA"
    # An empty field with "required" is told as invalid by Firefox before anything was typed (Orca, 2026-11-23).
    early = await at.page.locator("input[required], textarea[required], select[required]").count()
    assert early == 0, f"{at.path}: {early} fields are told as wrong before anybody typed"
    silent = await at.page.locator("[role=status]:empty").count()  # read as "status bar" where nothing is told
    assert silent == 0, f"{at.path}: {silent} empty status bars"
    nameless = [kind for kind, name in _LINE.findall(tree) if not name.strip()]
    assert nameless == [], f"{at.path}: {nameless}"
    foreign = {name for _, name in _LINE.findall(tree)} & _only_in("fr" if language == "en" else "en")
    assert foreign <= {"Français", "English"}, f"{at.path}: {foreign}"
    return tree


async def require_focus(at: Visitor, *words: str) -> None:
    """Fail unless the focus went to something that says all of this."""
    said = re.sub(r"\s+", " ", str(await at.evaluate(FOCUSED)))
    assert all(each in said for each in words), f"{at.path}: the focus is at {said!r}"


async def wait_announced(at: Visitor, words: str) -> None:
    """Wait until a live region that was there before says ``words``."""
    told_of = at.page.locator("[role=status], [aria-live=polite]").get_by_text(words)
    await told_of.and_(at.page.locator(":visible")).first.wait_for()


@cache
def _only_in(language: str) -> frozenset[str]:
    """Return the texts of one language that are not also words of the other one."""

    def texts(of: str) -> set[str]:
        found = set()
        for domain in _DOMAINS:
            for key in i18n.keys(of, domain):
                try:
                    found.add(i18n.text(key, of))
                except KeyError:  # needs a value, and so is never the same text
                    continue
        return found

    other = "en" if language == "fr" else "fr"
    return frozenset(texts(language) - texts(other))
