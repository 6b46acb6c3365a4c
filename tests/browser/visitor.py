"""One person at a browser: a window of its own, and an account of everything that went wrong behind the page."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Request

from tests.browser import walking
from tests.browser.looks import FORCED, MORE, NOT_TOLD, PICTURED, PLAIN
from tests.support.waiting import PATIENCE_SECONDS

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
NARROWEST = 320
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
AXE_COLOURS = ("color-contrast", "link-in-text-block")
AXE_MORE = ("color-contrast-enhanced",)
SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"
Scheme = Literal["light", "dark"]
JUDGED: set[tuple[str, str]] = set()
"""Origin and path of every page that was found clean in this run, for ``test_every_page``."""
STARK: set[tuple[str, str]] = set()
"""Those that were looked at with forced colours and more contrast too: once, as language changes nothing there."""


@dataclass(slots=True, kw_only=True)
class Visitor:
    """One person's window.

    Attributes:
        page: the window.
        context: its cookies.
        origins: the services that it may speak to.
        axe_source: the accessibility checker.
        outside: requests to anybody else.
        complaints: violations of the Content-Security-Policy, and errors of scripts.
    """

    page: Page
    context: BrowserContext
    origins: frozenset[str]
    axe_source: str = field(repr=False)
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _session: CDPSession | None = None

    # --- judging

    async def findings(self, schemes: Sequence[Scheme] = ("light", "dark")) -> list[str]:
        """Return what axe finds on the page (WCAG 2.2 A and AA, best practice), in light and in dark.

        The second scheme changes colours and nothing else, so only the rules about colours run again.
        """
        found = []
        for scheme in schemes:
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for each in await self._axe(only=() if scheme == schemes[0] else AXE_COLOURS):
                found.append(f"{self.path} {scheme}: {each['id']}: {each['help']}: {_places(each)}")
        return found

    async def sideways(self, width: int = NARROWEST) -> list[str]:
        """Return what sticks out when the window is ``width`` wide: 320 px is also 1280 px at 400 % (WCAG 1.4.10)."""
        before = self.page.viewport_size
        await self.page.set_viewport_size({"width": width, "height": 640})
        out: list[str] = await self.evaluate(walking.STICKS_OUT)
        if before is not None:
            await self.page.set_viewport_size(before)
        return [f"{self.path}: {each}" for each in out]

    async def stark(self) -> list[str]:
        """Return what is lost where colours are forced, and text of less than 7 to 1 where more contrast is wished for.

        In both schemes each: WCAG 2.2, 1.4.1, 1.4.6 and 1.4.11.
        """
        found = []
        for name, media in FORCED.items():
            await self.page.emulate_media(**media)
            found += [f"{self.path} {name}: {each}" for each in await self.evaluate(NOT_TOLD)]
        for name, media in MORE.items():
            await self.page.emulate_media(**media)
            found += [f"{self.path} {name}: {each['help']}: {_places(each)}" for each in await self._axe(only=AXE_MORE)]
        await self.page.emulate_media(**PLAIN)
        return found

    async def check(self) -> None:
        """Fail unless the page is clean: axe in both schemes, no sideways scroll, no complaint, nobody outside.

        A page that comes for the first time is also looked at with forced colours and with more contrast.
        """
        assert await self.findings() == []
        assert await self.sideways() == []
        parts = urlsplit(self.page.url)
        judged = (f"{parts.scheme}://{parts.netloc}", parts.path)
        shape = (judged[0], re.sub(r"^/(en|fr)\b", "", parts.path))
        if shape not in STARK:
            lost = await self.stark()
            assert lost == [], lost
            STARK.add(shape)
        self.check_quiet()
        JUDGED.add(judged)

    def check_quiet(self) -> None:
        """Fail unless nothing was blocked by the policy, no script failed, and nobody else was asked anything."""
        assert self.complaints == []
        assert self.outside == []

    # --- moving

    @property
    def path(self) -> str:
        """Where the window is, without the host."""
        return "/" + self.page.url.split("/", 3)[-1]

    async def go(self, url: str) -> None:
        """Open ``url``."""
        await self.page.goto(url)

    async def press(self, name: str, *, exact: bool = False) -> None:
        """Click the button or link called ``name``, and wait until the page that it leads to has come."""
        page = self.page
        await (
            page.get_by_role("button", name=name, exact=exact)
            .or_(page.get_by_role("link", name=name, exact=exact))
            .first.click()
        )
        await page.wait_for_load_state()

    async def back(self) -> None:
        """Press the browser's back button; a page that is still arriving has no history to go back in."""
        await self.page.wait_for_load_state()
        await self.page.go_back()

    async def type(self, label: str, text: str) -> None:
        """Type ``text`` into the field called ``label``."""
        await self.page.get_by_label(label).first.fill(text)

    async def heading(self) -> str:
        """Return the page's first heading."""
        return await self.page.locator("h1").first.inner_text()

    async def walk_to(self, name: str, *, most: int = 60) -> None:
        """Go on with the Tab key until what has the focus is called ``name``, as a person without a mouse does."""
        for _ in range(most):
            await self.page.keyboard.press("Tab")
            seen = str(await self.evaluate(walking.FOCUSED))
            if name.casefold() in seen.casefold():
                assert await self.evaluate(walking.FOCUS_SHOWS), f"nobody sees that {name} has the focus"
                return
        raise AssertionError(f"{self.path}: Tab does not reach {name!r}")

    async def evaluate(self, script: str) -> Any:
        """Run ``script`` in the page; the page's own policy would not let it, and stays in force."""
        session = await self._devtools()
        answer: Mapping[str, Any] = await session.send(
            "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True}
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def shoot(self, name: str) -> None:
        """Keep a picture of the whole page for ``make screenshots``; elsewhere nothing happens."""
        if os.environ.get("COMITY_SCREENSHOTS") != "1":
            return
        SCREENSHOTS.mkdir(exist_ok=True)
        language = self.path[1:3] if re.match(r"/(en|fr)\b", self.path) else "xx"
        before = self.page.viewport_size
        for window, size in (("phone", PHONE), ("desktop", DESKTOP)):
            await self.page.set_viewport_size(size)  # type: ignore[arg-type]
            for look, media in PICTURED[window].items():
                await self.page.emulate_media(**media)
                path = SCREENSHOTS / f"{name}-{language}-{window}-{look}.png"
                await self.page.screenshot(path=path, full_page=True)
        await self.page.emulate_media(**PLAIN)
        if before is not None:
            await self.page.set_viewport_size(before)

    async def close(self) -> None:
        """Close the window."""
        await self.context.close()

    # --- inside

    async def _axe(self, only: Sequence[str] = ()) -> list[dict[str, Any]]:
        if not await self.evaluate("typeof axe !== 'undefined'"):
            await self.evaluate(self.axe_source + ";true")
        kind, values = ("rule", only) if only else ("tag", AXE_TAGS)
        which = f"{{type:'{kind}',values:[{','.join(repr(each) for each in values)}]}}"
        run = f"axe.run(document,{{runOnly:{which},resultTypes:['violations']}}).then(r=>r.violations)"
        return list(await self.evaluate(run))

    async def _devtools(self) -> CDPSession:
        if self._session is None:
            self._session = await self.context.new_cdp_session(self.page)
        return self._session

    def watch(self) -> None:
        """Begin to note what goes wrong behind the page."""

        def asked(request: Request) -> None:
            origin = "/".join(request.url.split("/", 3)[:3])
            if not request.url.startswith(("data:", "blob:")) and origin not in self.origins:
                self.outside.append(request.url)

        self.page.on("request", asked)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.path}: {error}"))
        self.page.on(
            "console",
            lambda line: (
                self.complaints.append(f"{self.path}: {line.text}") if "Security Policy" in line.text else None
            ),
        )


def _places(finding: Mapping[str, Any]) -> list[str]:
    """Return where on the page axe found something."""
    return [" ".join(map(str, node["target"])) for node in finding["nodes"][:3]]


async def arrive(
    browser: Browser,
    origins: frozenset[str],
    axe_source: str,
    *,
    locale: str = "en-CA",
    window: Mapping[str, int] = PHONE,
    scripts: bool = True,
    permissions: Sequence[str] = (),
) -> Visitor:
    """Open a window for somebody new."""
    context = await browser.new_context(
        locale=locale,
        viewport=dict(window),  # type: ignore[arg-type]
        java_script_enabled=scripts,
        reduced_motion="reduce",
        permissions=list(permissions),
    )
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    page = await context.new_page()
    visitor = Visitor(page=page, context=context, origins=origins, axe_source=axe_source)
    visitor.watch()
    return visitor
