"""A counter's browser as far as services go: cookies, forms with their tokens, and pages read as text."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.services.verifier.deployed import PUBLIC_URL, Deployed

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
TAGS = re.compile(r"<(?:script|style|svg)\b.*?</(?:script|style|svg)>|<[^>]+>", re.DOTALL)


def words(page: str) -> str:
    """Return what people read on a page."""
    return re.sub(r"\s+", " ", html.unescape(TAGS.sub(" ", page)))


@dataclass
class Till:
    """One browser. ``language`` is that of its pages."""

    verifier: Deployed
    language: str = "en"
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.verifier.app)
        self.client = httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(f"/{self.language}{path}", **options)

    async def post(self, path: str, fields: Mapping[str, str], *, drawn_at: str = "", **options: Any) -> httpx.Response:
        """Open the page on which the form stands, and send it."""
        page = await self.get(drawn_at or path)
        found = TOKEN.search(page.text)
        assert found is not None, (page.status_code, words(page.text)[:200])
        return await self.client.post(f"/{self.language}{path}", data={"form_token": found[1], **fields}, **options)

    async def pair(self, party: str = "bar", name: str = "Till 1", place: str = "") -> "Till":
        """Sign this browser in with a new code."""
        _, code = await self.verifier.deployment.pairing.add(name, relying_party=party, place=place)
        answer = await self.post("/counter/sign-in", {"code": code})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/{self.language}/counter")
        return self

    async def ask(self, policy: str) -> str:
        """Ask a question and return the path of its page."""
        answer = await self.post("/counter", {"policy": policy})
        assert answer.status_code == 303, words(answer.text)
        return str(answer.headers["location"])[3:]

    async def link(self, check: str) -> dict[str, Any]:
        """Return what a wallet reads from the code on a page: the request's link and its name."""
        page = (await self.get(check)).text
        found = re.search(r'href="(openid4vp:[^"]+)"', page)
        assert found is not None, words(page)
        link = html.unescape(found[1])
        request_id = re.search(r"requests%2F([A-Za-z0-9_-]{43})", link)
        assert request_id is not None
        return {"link": link, "request_id": request_id[1]}

    async def read(self, path: str) -> str:
        """Return the words of a page."""
        answer = await self.get(path)
        assert answer.status_code == 200, (answer.status_code, words(answer.text)[:300])
        return words(answer.text)


async def paired(verifier: Deployed, party: str = "bar", **how: str) -> Till:
    """Return a counter that is signed in."""
    till = Till(verifier, language=how.pop("language", "en"))
    return await till.pair(party, **how)
