"""Colours of the person's own, and more contrast: nothing that matters is told by a colour alone (WCAG 1.4.1, 1.4.11).

Every page is asked this where it is judged (``Visitor.stark``); here is what needs hands, and that the question finds.
"""

import pytest

from comity.demo.play import Play
from comity.web import qr
from tests.browser import walking
from tests.browser.conftest import NewVisitor
from tests.browser.looks import FORCED
from tests.browser.test_counter import till_at

PLANTED = """
(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`@media (%s) { %s }`);
  document.adoptedStyleSheets = [sheet];
})()
"""


@pytest.mark.parametrize("look", FORCED)
async def test_a_phone_reads_the_code_whatever_the_palette(visitor: NewVisitor, play: Play, look: str) -> None:
    till = await till_at(visitor, play)
    await till.tap("age-majority")
    plain = await till.link()
    await till.at.page.emulate_media(**FORCED[look])
    assert qr.read(await till.picture()) == plain


@pytest.mark.parametrize("look", FORCED)
async def test_who_walks_with_the_tab_key_sees_where(visitor: NewVisitor, play: Play, look: str) -> None:
    at = await visitor()
    await at.go(f"{play.stage.urls['wallet']}/en/sign-up")
    await at.page.emulate_media(**FORCED[look])
    for name in ("Skip", "Wallet", "Français", "Account name", "Passphrase", "Show what I type", "Create my wallet"):
        await at.walk_to(name, most=3)
        assert await at.evaluate(walking.FOCUS_COLOUR) not in await at.evaluate(walking.PAGE_COLOURS)


@pytest.mark.parametrize(
    ("when", "rule", "found"),
    [
        ("forced-colors: active", ".button-primary { background: Canvas; border-color: Canvas }", "no edge: button"),
        ("forced-colors: active", ".icon { color: Canvas; forced-color-adjust: none }", "no line:"),
        ("forced-colors: active", ".steps .is-now { border-top: 4px dotted CanvasText }", "the current one: li.is-now"),
        ("prefers-contrast: more", ":root { --ink-quiet: #777; --surface: #eee }", "enhanced color contrast"),
    ],
)
async def test_what_would_be_lost_is_found(visitor: NewVisitor, play: Play, when: str, rule: str, found: str) -> None:
    at = await visitor()
    await at.go(f"{play.stage.urls['wallet']}/en/sign-up")
    assert await at.stark() == []
    await at.evaluate(PLANTED % (when, rule))
    assert any(found in each for each in await at.stark())
