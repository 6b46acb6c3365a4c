"""What a clerk's hands do at the console, for its browser tests and for ``make screenshots``."""

import re
import secrets
from typing import Any

from comity.demo.clients import Citizen, Offered
from comity.demo.founding import Stage
from tests.browser.visitor import Visitor

LICENCE = {
    "Licence number": "DEMO-4711",
    "Given names": "Élise",
    "Family name, or single name": "Gagné-O’Brien",
    "Date of birth": "1988-07-02",
}
_SESSIONS: dict[str, list[Any]] = {}
DESK_ON, DESK_BC = "ca-on", "ca-bc"


async def enter(clerk: Visitor, stage: Stage, name: str, *, language: str = "en") -> None:
    """Be signed in as the demo account ``name``: by the page the first time, with that very session from then on."""
    if name in _SESSIONS:
        await clerk.context.add_cookies(_SESSIONS[name])
        await clerk.go(f"{stage.urls['issuer']}/{language}/")
    else:
        await clerk.go(f"{stage.urls['issuer']}/{language}/sign-in")
        await clerk.page.locator("#f-name").fill(name)
        await clerk.page.locator("#f-password").fill(str(stage.desk["password"]))
        await clerk.page.locator("main form button[type=submit]").click()
    await clerk.page.locator("#f-search").wait_for()
    found = await clerk.context.cookies(stage.urls["issuer"])
    _SESSIONS[name] = [
        {"name": each["name"], "value": each["value"], "url": stage.urls["issuer"]}
        for each in found
        if each["name"] != "comity_lang"
    ]


async def fill_in_licence(clerk: Visitor, record: str) -> None:
    """Choose to issue, and fill the form of a driver's licence in (Ontario issues nothing else here)."""
    await clerk.press("Issue a credential")
    await clerk.type("File number", record)
    for label, text in LICENCE.items():
        await clerk.page.get_by_label(re.compile(f"^{label}")).first.fill(text)
    await clerk.page.get_by_label("Class").select_option(label="G (full)")


async def offer_licence(clerk: Visitor, record: str) -> Offered:
    """Issue a driver's licence by the pages; returns what the clerk hands over."""
    await fill_in_licence(clerk, record)
    await clerk.press("Go on to review")
    await clerk.press("Make the offer")
    return await handed_over(clerk)


async def handed_over(clerk: Visitor) -> Offered:
    """Read link and code from the page, as the person across the counter would."""
    await clerk.page.get_by_text("Link instead of the QR code").click()
    link = await clerk.page.locator("#link").inner_text()
    await clerk.page.get_by_text("Show the code").click()
    code = await clerk.page.locator(".code-big").inner_text()
    offer_id = clerk.page.url.rpartition("/")[2]
    return Offered(offer_id=offer_id, link=link.strip(), transaction_code=re.sub(r"\s", "", code), qr=b"")


async def collect(stage: Stage, offered: Offered) -> None:
    """Take the offer with a wallet of the hosted kind."""
    citizen = await Citizen.arrive(stage.urls["wallet"], "en")
    try:
        await citizen.receive(offered)
    finally:
        await citizen.leave()


def new_record() -> str:
    """Return a file number that no other test uses."""
    return f"DEMO-{secrets.token_hex(4)}"
