"""A person who signs in at the issuer: pushed request, browser, code, token, refresh, and somebody who replays."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from comity.keys import KeySigner
from tests.faults.harness import Flow, Service, both, client
from tests.faults.issuing import deployed, status_place
from tests.services.issuer.deployed import ON, PUBLIC_URL, Deployed, Place
from tests.services.issuer.deployed import PERSON as CLAIMS
from tests.services.issuer.signing_in import REDIRECT, Browser, Wallet

FAILPOINTS = (
    *both("authorizing.push.save", "authorizing.begin.<lambda>", "authorizing.sign_in.note"),
    *both("authorizing._give_code.give", "authorizing.redeem.give", "authorizing._replayed.end"),
    *both("refreshing._rotate.give", "refreshing._replayed.end"),
    *both("issuing._reserve.reserve", "issuing._deliver.deliver"),
)
"""Every durable step of the code flow: PAR, authorize, code redemption, refresh, and the two replays."""
PEOPLE = 200
_numbers = itertools.count()


def register(place: Place) -> None:
    """Put people on the register of the authority at which they sign in."""
    people = {f"file-{number}": {"person": CLAIMS} for number in range(PEOPLE)}
    (place.folder / "people.json").write_text(json.dumps(people), "utf-8")


@dataclass
class SignIn:
    """Somebody with a file number of their own, and what their wallet was told."""

    number: int = field(default_factory=lambda: next(_numbers))
    wallet_key: KeySigner = field(default_factory=KeySigner.generate)
    verifier: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    page: str | None = None
    code: str | None = None
    used_code: str | None = None
    tokens: dict[str, Any] | None = None
    old_refresh: str | None = None
    keys: list[KeySigner] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    is_replayed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether two credentials came, and a replay ended the grant."""
        return self.is_replayed

    def again(self) -> None:
        """Begin with a new request: an answer was lost, and nothing that it held can be had twice (E)."""
        self.page = self.code = self.tokens = self.old_refresh = None
        self.keys = [KeySigner.generate(), KeySigner.generate()]
        self.credentials = []


class Authorizing(Flow[SignIn]):
    """The flow by sign-in, each person with a wallet that proves its key (DPoP)."""

    def __init__(self, place: Place, service: Service) -> None:
        super().__init__()
        self.place = place
        self.service = service
        self.acknowledged: list[tuple[str, str]] = []
        self.asked: dict[str, set[str]] = {}

    def begin(self) -> SignIn:
        somebody = SignIn()
        somebody.again()
        return somebody

    async def step(self, walk: SignIn) -> None:
        assert self.service.process is not None
        async with client(self.service.process.url) as connection:
            issuer = deployed(self.place, connection)
            wallet = Wallet(issuer, key=walk.wallet_key)
            if walk.verifier is not None:
                wallet.verifier = walk.verifier
            walk.verifier = wallet.verifier
            try:
                await self._next(walk, wallet, Browser(issuer, walk.cookies))
            except KeyError:
                await asyncio.sleep(0.02)  # a 5xx without the nonce that it should bring: later

    async def _next(self, walk: SignIn, wallet: Wallet, browser: Browser) -> None:
        if walk.code is None and walk.tokens is None:
            await self._authorize(walk, wallet, browser)
        elif walk.tokens is None:
            await self._redeem(walk, wallet)
        elif len(walk.credentials) == 0 or (walk.old_refresh is not None and len(walk.credentials) == 1):
            await self._receive(walk, wallet)
        elif walk.old_refresh is None:
            await self._refresh(walk, wallet)
        else:
            await self._replay(walk, wallet)

    async def _authorize(self, walk: SignIn, wallet: Wallet, browser: Browser) -> None:
        """Push, sign in, agree; whatever is lost on the way, the person starts again."""
        pushed = await wallet.push(await wallet.proof("par"))
        if pushed.status_code != 201:
            assert pushed.status_code >= 500, f"a repeated push was refused (E): {pushed.text}"
            return
        begun = await browser.get(wallet.start_url(pushed.json()["request_uri"]))
        if begun.status_code != 303:
            return
        signed_in = await self._chosen(browser, begun.headers["location"], person=f"file-{walk.number}")
        if signed_in is None or signed_in.status_code != 303:
            return
        back = await self._chosen(browser, signed_in.headers["location"], answer="agree")
        if back is not None and back.status_code == 303 and back.headers["location"].startswith(REDIRECT):
            walk.code = dict(parse_qsl(urlsplit(back.headers["location"]).query)).get("code")

    async def _chosen(self, browser: Browser, url: str, **chosen: str) -> httpx.Response | None:
        url = url.removeprefix(PUBLIC_URL)
        page = await browser.get(url)
        if page.status_code != 200:
            return None
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        return await browser.post(url, {"csrf": csrf, **chosen})

    async def _redeem(self, walk: SignIn, wallet: Wallet) -> None:
        assert walk.code is not None
        answer = await wallet.redeem(walk.code)
        if answer.status_code == 200:
            walk.tokens, walk.used_code, walk.code = answer.json(), walk.code, None
        elif answer.status_code == 400:
            assert answer.json()["error"] == "invalid_grant"
            walk.again()

    async def _receive(self, walk: SignIn, wallet: Wallet) -> None:
        assert walk.tokens is not None
        token, number = walk.tokens["access_token"], len(walk.credentials)
        self.asked.setdefault(self._file(walk), set()).add(token)
        answer = await wallet.ask(token, walk.keys[number])
        if answer.status_code == 200:
            credential = answer.json()["credentials"][0]["credential"]
            walk.credentials.append(credential)
            self.acknowledged.append((self._file(walk), credential))
        else:
            assert answer.status_code >= 500, f"a repeated request was refused (E): {answer.text}"

    async def _refresh(self, walk: SignIn, wallet: Wallet) -> None:
        assert walk.tokens is not None
        answer = await wallet.refresh(walk.tokens["refresh_token"])
        if answer.status_code == 200:
            walk.old_refresh, walk.tokens = walk.tokens["refresh_token"], answer.json()
        elif answer.status_code == 400:
            assert answer.json()["error"] == "invalid_grant"
            walk.again()  # the answer was lost: said twice, it ends the grant; the person signs in again

    async def _replay(self, walk: SignIn, wallet: Wallet) -> None:
        """Somebody sends an old code, or an old refresh token: nothing is given, and the grant ends."""
        assert walk.tokens is not None
        assert walk.used_code is not None
        assert walk.old_refresh is not None
        again = wallet.redeem(walk.used_code) if walk.number % 2 else wallet.refresh(walk.old_refresh)
        answer = await again
        assert answer.status_code == 400 or answer.status_code >= 500, f"a replay was served (A): {answer.text}"
        if answer.status_code == 400:
            ended = await wallet.ask(walk.tokens["access_token"], KeySigner.generate())
            if ended.status_code < 500:
                assert ended.status_code == 401, f"a replay did not end the grant (B): {ended.text}"
                walk.is_replayed = True

    # --- the judgement

    def _file(self, walk: SignIn) -> str:
        return f"file-{walk.number}"

    async def judge(self) -> None:
        assert self.service.process is not None
        async with client(self.service.process.url) as connection:
            issuer = deployed(self.place, connection)
            records = {file: await _records(issuer, file) for file in {self._file(each) for each in self.walks}}
        places = [place for found in records.values() for place in found]
        assert len(set(places)) == len(places), "an index was given twice (A)"
        for file, found in records.items():
            assert len(found) <= len(self.asked.get(file, ())), "more than one credential for one grant and key (A)"
        for file, credential in self.acknowledged:
            assert status_place(credential) in records[file], "an acknowledged credential has no record (B)"
        for walk in self.walks:
            last = {status_place(each) for each in walk.credentials}
            assert len(last) == 2, "two tokens gave one credential (A)"


async def _records(issuer: Deployed, file: str) -> list[tuple[str, int]]:
    found = await issuer.records(record_reference=file)
    assert {each["authority"] for each in found} <= {ON}
    return [(each["status_list"], each["status_index"]) for each in found]
