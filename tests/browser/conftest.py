"""One Chromium and one stage of real services for all browser tests of a run, on one worker and in one event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from comity.demo.founding import Stage
from comity.demo.play import Play
from tests.browser import chromium
from tests.browser.visitor import Visitor, arrive
from tests.support import npm
from tests.support.stage import standing

NewVisitor = Callable[..., Awaitable[Visitor]]
HERE = Path(__file__).parent
LAST = "test_every_page.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder together: one worker, one event loop; the account of all pages comes last."""
    items.sort(key=lambda item: item.path.name == LAST and item.path.is_relative_to(HERE))
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("browser"))
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with standing(tmp_path_factory.mktemp("browser-stage") / "demo") as stage:
        yield stage


@pytest.fixture(scope="session")
def axe_source() -> str:
    try:
        return (npm.packages(HERE / "node") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    except npm.NotInstalled as reason:
        pytest.skip(f"accessibility checker: {reason}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        try:
            path = chromium.find(playwright)
        except chromium.NoChromium as reason:
            pytest.skip(str(reason))
        browser = await playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, stage: Stage, axe_source: str) -> AsyncIterator[NewVisitor]:
    """Open windows: ``await visitor(locale="fr-CA", window=DESKTOP, scripts=False)``; all close by themselves."""
    opened: list[Visitor] = []

    async def new(**how: object) -> Visitor:
        made = await arrive(browser, frozenset(stage.urls.values()), axe_source, **how)  # type: ignore[arg-type]
        opened.append(made)
        return made

    yield new
    for each in opened:
        await each.close()


@pytest_asyncio.fixture(loop_scope="session")
async def play(stage: Stage) -> AsyncIterator[Play]:
    """The clerk and the relying party by their APIs, for what a test of another face needs from them."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        play = Play(stage=stage, client=client, language="en", tell=lambda _: None, patience=60.0)
        yield play
        await play.close()
