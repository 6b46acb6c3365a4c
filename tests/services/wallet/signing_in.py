"""A person at the issuer's pages, in the same browser that has the wallet open."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.services.wallet.town import ISSUER, ON, WALLET, Person, Town

FILE = "file-7"
PERSON_ID, LICENCE_ID = "person.1.sdjwt", "drivers-licence.1.sdjwt"


@dataclass
class Pages:
    """The issuer's pages."""

    town: Town
    cookies: dict[str, str] = field(default_factory=dict)

    async def agree(self, url: str, *, person: str = FILE, answer: str = "agree") -> dict[str, str]:
        """Sign in, answer, and return what the browser brings back to the wallet."""
        begun = await self._send("GET", url)
        assert begun.status_code == 303, begun.text
        signed_in = await self._choose(begun.headers["location"], person=person)
        back = await self._choose(signed_in.headers["location"], answer=answer)
        assert back.headers["location"].startswith(f"{WALLET}/callback?"), back.headers["location"]
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))

    async def _choose(self, url: str, **chosen: str) -> httpx.Response:
        page = await self._send("GET", url)
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        return await self._send("POST", url, {"csrf": csrf, **chosen})

    async def _send(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
        transport = httpx.ASGITransport(self.town.issuer_app)
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER, cookies=self.cookies) as client:
            answer = await client.request(method, url, data=form)
            self.cookies.update(answer.cookies)
            return answer


async def started(maya: Person, **asked: Any) -> str:
    """Begin a sign-in and return where the browser goes."""
    wanted = asked or {"issuer": f"{ISSUER}/{ON}", "configuration_ids": [PERSON_ID]}
    answer = await maya.post("authorizations", **wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def received(town: Town, maya: Person, **asked: Any) -> list[dict[str, Any]]:
    """Get credentials by signing in; it must work."""
    brought = await Pages(town).agree(await started(maya, **asked))
    answer = await maya.post("authorizations/finish", **brought)
    assert answer.status_code == 201, answer.text
    return list(answer.json()["credentials"])
