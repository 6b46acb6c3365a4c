"""People who sign in at a website through the verifier, or leave, and a website that tries each code twice."""

import asyncio
import html
import itertools
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import Connection, select

from comity.demo.founding import Stage
from comity.openid.presentation.parameters import RequestObject
from comity.runtime.clock import SystemClock
from comity.runtime.database import open_database
from tests.faults import verifying
from tests.faults.harness import Flow, both, client
from tests.faults.verifying import FORM, Held
from tests.faults.websites import CALLBACK, Website
from verifier import bridge_store, store
from verifier.bridge_store import SignIn

FAILPOINTS = (
    *both("bridge_store.save_sign_in", "bridge_store.ask_again", "bridge_store.give_code", "bridge_store.redeem"),
    *both("bridge_store.end_sign_in", "bridge_store.erase_sign_ins"),
)
"""Every durable step: begun, asked again on this device, the code given, redeemed; left; purged."""
LONG_OVER = "long-over-"
"""How the names of sign-ins begin that were over before a trial."""
_LATE_SECONDS = 15.0
"""From then on an answer may have been erased, or a code be over, by the time that each has."""
_numbers = itertools.count()


@dataclass
class Visit:
    """One person who wants to sign in, in one browser, and what they and the website were told.

    Attributes:
        leaves: whether they go back without showing anything.
        cookies: of the browser.
        page: of the sign-in; None before it is begun.
        asked: what the wallet is asked on this device.
        returns: where the wallet sends the browser.
        code: what the website was given.
        answered_at: when the answer was sent, on this machine's clock.
        unsure: steps of which no answer came, so that they may have been done.
        token: the ID token's claims.
        is_over: the website tried the code again, or the person is gone.
    """

    leaves: bool = field(default_factory=lambda: next(_numbers) % 3 == 2)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    page: str | None = None
    asked: RequestObject | None = None
    returns: str | None = None
    code: str | None = None
    answered_at: float = 0.0
    unsure: set[str] = field(default_factory=set)
    token: dict[str, Any] | None = None
    is_over: bool = False

    def again(self, step: str) -> None:
        """Begin anew at the website: an answer was lost, and what it held cannot be had twice (E)."""
        is_late = self.answered_at and time.monotonic() - self.answered_at > _LATE_SECONDS
        assert step in self.unsure or is_late, f"{step} was refused, though it was never done (E)"
        self.page = self.asked = self.returns = self.code = None
        self.answered_at, self.cookies = 0.0, httpx.Cookies()
        self.unsure.clear()


class SigningIn(Flow[Visit]):
    """The flow from the website's link to its ID token."""

    def __init__(self, stage: Stage, held: Held, website: Website) -> None:
        super().__init__()
        self.stage = stage
        self.held = held
        self.website = website
        self.nonces: dict[str, str] = {}
        self.codes: list[str] = []

    def begin(self) -> Visit:
        return Visit()

    async def step(self, walk: Visit) -> None:
        async with client(self.stage.urls["verifier"], cookies=walk.cookies) as browser:
            name, act = self._next(walk)
            try:
                answered = await act(walk, browser)
            except httpx.TransportError:
                walk.unsure.add(name)
                raise
            finally:
                walk.cookies = browser.cookies
            if not answered:
                walk.unsure.add(name)
                await asyncio.sleep(0.02)

    def _next(self, walk: Visit) -> tuple[str, Any]:
        if walk.page is None:
            return "begin", self._begin
        if walk.leaves:
            return "leave", self._leave
        if walk.asked is None:
            return "ask", self._ask
        if walk.returns is None:
            return "present", self._present
        if walk.code is None:
            return "arrive", self._arrive
        return ("redeem", self._redeem) if walk.token is None else ("replay", self._replay)

    # Each returns False for an answer that says nothing of whether it was done (5xx).

    async def _begin(self, walk: Visit, browser: httpx.AsyncClient) -> bool:
        state, nonce = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        wanted = {"client_id": self.website.id, "redirect_uri": CALLBACK, "response_type": "code"}
        wanted |= {"scope": "openid drivers-licence-valid", "state": state, "nonce": nonce}
        answer = await browser.get("/oidc/authorize", params=wanted)
        location = answer.headers.get("location", "")
        if answer.status_code == 303 and not location.startswith(CALLBACK):
            walk.page = httpx.URL(location).path
            self.nonces[state] = nonce
        else:
            assert answer.status_code >= 500 or "error=" in location, f"a website was not known (B): {answer.text}"
        return walk.page is not None

    async def _ask(self, walk: Visit, browser: httpx.AsyncClient) -> bool:
        """Ask for the wallet on this device; when the answer is lost, ask once more (E)."""
        assert walk.page is not None
        page = await browser.get(walk.page)
        if page.status_code >= 500:
            return False
        assert page.status_code == 200, f"a sign-in that was begun is not there (B): {page.text}"
        (token, *_) = re.findall(r'name="form_token" value="([^"]+)"', page.text)
        asked = await browser.post(walk.page, data={"form_token": token, "device": "here"})
        if asked.status_code >= 500:
            return False
        assert asked.status_code == 303, f"asking again was refused (E): {asked.text}"
        page = await browser.get(walk.page)
        links = re.findall(r'href="(openid4vp:[^"]+)"', page.text)
        walk.asked = await verifying.fetch(html.unescape(links[0]), browser) if links else None
        return walk.asked is not None

    async def _present(self, walk: Visit, browser: httpx.AsyncClient) -> bool:
        assert walk.asked is not None
        body, walk.answered_at = self.held.answer(walk.asked), time.monotonic()  # not before: by then it is not erased
        answer = await browser.post(str(walk.asked.response_uri), content=body, headers=FORM)
        if answer.status_code == 200:
            walk.returns = answer.json()["redirect_uri"]
        elif answer.status_code == 400:
            assert answer.json()["code"] == "request_already_answered", answer.text
            walk.again("present")
        return answer.status_code < 500

    async def _arrive(self, walk: Visit, browser: httpx.AsyncClient) -> bool:
        """Come back from the wallet, and be sent to the website with the code."""
        assert walk.returns is not None
        back = await browser.get(walk.returns)
        if back.status_code >= 500:
            return False
        assert back.status_code == 303, f"the browser could not come back (E): {back.text}"
        page = await browser.get(back.headers["location"])
        told = httpx.URL(page.headers.get("location", "")).params
        if page.status_code == 303 and "code" in told:
            walk.code = told["code"]
            self.codes.append(told["code"])
            assert told["state"] in self.nonces
        elif page.status_code < 500:
            walk.again("arrive")
        return page.status_code < 500

    async def _redeem(self, walk: Visit, website: httpx.AsyncClient) -> bool:
        answer = await self._token(walk, website)
        if answer.status_code == 200:
            keys = KeySet.import_key_set((await self._keys(website)).json())
            walk.token = dict(jwt.decode(answer.json()["id_token"], keys, algorithms=["ES256"]).claims)
        elif answer.status_code == 400:
            assert answer.json()["error"] == "invalid_grant", answer.text
            walk.again("redeem")
        return answer.status_code < 500

    async def _keys(self, website: httpx.AsyncClient) -> httpx.Response:
        answer = await website.get("/oidc/jwks")
        if answer.status_code != 200:
            raise httpx.ReadError("the keys cannot be had now; the token is lost with them")
        return answer

    async def _token(self, walk: Visit, website: httpx.AsyncClient) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": str(walk.code), "redirect_uri": CALLBACK}
        return await website.post(
            "/oidc/token", data=form | {"client_id": self.website.id, "client_secret": self.website.secret}
        )

    async def _replay(self, walk: Visit, website: httpx.AsyncClient) -> bool:
        """A: a code that gave a token gives no other one."""
        answer = await self._token(walk, website)
        if answer.status_code < 500:
            assert answer.status_code == 400, "a code was used twice (A)"
            assert answer.json()["error"] == "invalid_grant"
            walk.is_over = True
        return answer.status_code < 500

    async def _leave(self, walk: Visit, browser: httpx.AsyncClient) -> bool:
        answer = await browser.get(f"{walk.page}/leave")
        if answer.status_code == 303:
            assert httpx.URL(answer.headers["location"]).params["error"] == "access_denied"
            walk.is_over = True
        elif answer.status_code < 500:
            assert "leave" in walk.unsure, f"nobody left, and it is over (B): {answer.text}"
            walk.is_over = True
        return answer.status_code < 500

    # --- the judgement

    async def judge(self) -> None:
        tokens = [walk.token for walk in self.walks if walk.token is not None]
        assert len({each["sub"] for each in tokens}) == len(tokens), "two sign-ins gave one subject (A)"
        assert {each["nonce"] for each in tokens} <= set(self.nonces.values())
        assert all(each["class"] for each in tokens), "a token without what was shown (D)"
        assert len(set(self.codes)) == len(self.codes), "a code was given twice (A)"
        async with client(self.stage.urls["verifier"]) as connection:
            for walk in (each for each in self.walks if each.token is not None):
                again = await self._token(walk, connection)
                assert again.status_code == 400, "a code that was used up is good again (B)"
            for walk in (each for each in self.walks if each.leaves):
                connection.cookies = walk.cookies
                assert (await connection.get(str(walk.page))).status_code == 403, "who had left is expected again (B)"
        await kept(self.stage, _judge_rows)


def _judge_rows(connection: Connection) -> None:
    """C: a code is used up and its report gone, or neither; what was over long ago is erased (B)."""
    row = bridge_store.sign_ins.c
    report = store.requests.c.sealed_report
    found = connection.execute(
        select(row.id, row.code_hash, row.ended_at, report).join(store.requests, store.requests.c.id == row.request_id)
    ).all()
    half = [each.id for each in found if each.code_hash and each.ended_at and each.sealed_report is not None]
    assert half == [], "a code was used up, and what it stood for is still there (C)"
    assert connection.execute(select(row.id).where(row.id.startswith(LONG_OVER))).first() is None, "never erased (B)"


async def kept(stage: Stage, unit: Any) -> None:
    """Look into the verifier's database, or write to it, from outside."""
    own = f"sqlite:///{stage.folder}/verifier/verifier.sqlite3"
    database = open_database(stage.databases.get("verifier", own))
    try:
        await database.write(unit)
    finally:
        await database.close()


async def leave_behind(stage: Stage, website: Website) -> None:
    """Keep a sign-in that was over a day ago, for the purge to find."""
    before = SystemClock().now().replace(microsecond=0) - timedelta(days=1)
    row = SignIn(
        id=f"{LONG_OVER}{next(_numbers)}",
        client_id=website.id,
        redirect_uri=CALLBACK,
        policy="drivers-licence-valid",
        state=None,
        nonce=None,
        code_challenge=None,
        request_id="gone",
        browser_hash="nobody's",
        expires_at=before,
    )
    await kept(stage, lambda connection: bridge_store.save_sign_in(connection, row))
