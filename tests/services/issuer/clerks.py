"""Clerks in front of the console: they see pages, follow links and fill in forms, as a browser would."""

import html
import re
from dataclasses import dataclass

import httpx

from issuer import signing_in
from issuer.operators import Role
from tests.services.issuer.deployed import ON, PUBLIC_URL, Deployed

PASSWORD = "a password for the tests only"
ORIGIN = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}


@dataclass
class AtDesk:
    """A browser with a clerk in front of it."""

    client: httpx.AsyncClient
    language: str = "en"

    async def get(self, path: str, **options: object) -> httpx.Response:
        return await self.client.get(f"/{self.language}{path}", follow_redirects=True)

    async def post(
        self, path: str, fields: dict[str, str], *, page: str | None = None, follow: bool = True, **more: object
    ) -> httpx.Response:
        """Send a form with the hidden fields of the page that it stands on."""
        shown = await self.client.get(f"/{self.language}{page or path}", follow_redirects=True)
        return await self.send(path, hidden(shown.text) | fields, follow=follow)

    async def send(self, path: str, fields: dict[str, str], *, follow: bool = True) -> httpx.Response:
        url = path if path.startswith(("/en/", "/fr/")) else f"/{self.language}{path}"
        return await self.client.post(url, data=fields, headers=ORIGIN, follow_redirects=follow)

    async def upload(self, kind: str, data: bytes) -> httpx.Response:
        shown = await self.get("/files")
        fields = hidden(shown.text, form=1) | {"type": kind}
        return await self.client.post(
            f"/{self.language}/files",
            data=fields,
            files={"file": ("people.csv", data, "text/csv")},
            headers=ORIGIN,
            follow_redirects=True,
        )


def hidden(text: str, *, form: int = 0) -> dict[str, str]:
    """Return the hidden fields of a form of a page that posts."""
    forms = re.findall(r'<form method="post".*?</form>', text, re.DOTALL)
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', forms[form] if forms else "")
    return {name: html.unescape(value) for name, value in found}


def words(response: httpx.Response) -> str:
    """Return what a page says, without its tags."""
    main = response.text.partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def employ(issuer: Deployed, *, authority: str = ON, suffix: str = "") -> None:
    """Open an account for each role: ``clerk``, ``supervisor`` …"""
    for role in Role:
        name = f"{role.value}{suffix}"
        await signing_in.add(
            issuer.deployment, name=name, role=role, authority=authority, password=PASSWORD, actor="test"
        )


async def sign_in(issuer: Deployed, name: str, *, language: str = "en", password: str = PASSWORD) -> AtDesk:
    """Return a browser in which ``name`` is signed in."""
    transport = httpx.ASGITransport(app=issuer.app)
    desk = AtDesk(httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL), language)
    answer = await desk.post("/sign-in", {"name": name, "password": password})
    assert answer.status_code == 200, words(answer)
    return desk
