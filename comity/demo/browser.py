"""A person's browser at an issuer's sign-in pages: it keeps cookies, reads one form, and stops at the wallet's door."""

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

import httpx

from comity.demo.clients import Refused
from comity.openid.authorization import parse_parameters

_HIDDEN = re.compile(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">')
_CHOICE = re.compile(r'<button[^>]* name="person" value="([^"]*)">([^<]*)</button>')


@dataclass(slots=True, kw_only=True)
class Browser:
    """One browser. Nothing is followed by itself: each step is a person's."""

    client: httpx.AsyncClient

    async def people(self, url: str) -> list[str]:
        """Begin a sign-in and return who is on the list; the sign-in is left there."""
        return list(_listed(await self.client.get(_next(await self.client.get(url)))))

    async def back_from(self, url: str, name: str, *, answer: str = "agree") -> str:
        """Sign in as the person called ``name``, answer, and return where the browser is sent in the end.

        Raises:
            Refused: nobody of this name is on the list, or a page sends the browser nowhere.
        """
        page = await self.client.get(_next(await self.client.get(url)))
        listed = _listed(page)
        if name not in listed:
            raise Refused("not_listed", "nobody of this name can sign in here")
        signed_in = await self._send(page, person=listed[name])
        consent = await self.client.get(_next(signed_in))
        return _next(await self._send(consent, answer=answer))

    async def brings_back(self, url: str, name: str, *, answer: str = "agree") -> dict[str, str]:
        """As :meth:`back_from`; returns what the browser brings to the wallet."""
        return parse_parameters(urlsplit(await self.back_from(url, name, answer=answer)).query)

    async def _send(self, page: httpx.Response, **chosen: str) -> httpx.Response:
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        return await self.client.post(page.url, data={**hidden, **chosen})


def _listed(page: httpx.Response) -> dict[str, str]:
    return {unescape(label): unescape(value) for value, label in _CHOICE.findall(page.text)}


def _next(answer: httpx.Response) -> str:
    if answer.status_code != httpx.codes.SEE_OTHER:
        raise Refused(str(answer.status_code), "the sign-in page sends the browser nowhere")
    return str(answer.headers["location"])
