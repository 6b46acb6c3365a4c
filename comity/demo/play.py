"""One play: the stage, the people at it, and what each journey expected and saw."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from comity.demo.clients import Citizen, Counter, Desk, Offered, Refused
from comity.demo.founding import Stage
from comity.demo.pocket import Pocket
from comity.keys import KeySigner
from comity.runtime.clock import SystemClock
from comity.web import qr

PATIENCE_SECONDS = 12.0
"""How long the play waits for something that services do by themselves: a refresh, a publication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing a journey expected.

    Attributes:
        words: key of the sentence that tells it.
        values: what is filled into the sentence.
        expected: verdict or code that had to come.
        seen: what came.
        report: the result document, when the step was a verification.
    """

    words: str
    values: Mapping[str, str]
    expected: str
    seen: str
    report: Mapping[str, Any] | None = None

    @property
    def is_as_expected(self) -> bool:
        """Whether it came as expected."""
        return self.expected == self.seen


@dataclass(slots=True, kw_only=True)
class Play:
    """What journeys work with. ``tell`` is called with each step as it happens; ``patience`` is in seconds."""

    stage: Stage
    client: httpx.AsyncClient
    language: str
    tell: Callable[[Step], None]
    patience: float = PATIENCE_SECONDS
    steps: list[Step] = field(default_factory=list)
    guests: list[Citizen] = field(default_factory=list)

    @property
    def desk(self) -> Desk:
        """The clerk."""
        return Desk(client=self.client, url=self.stage.urls["issuer"], token=self.stage.operator_token)

    @property
    def counter(self) -> Counter:
        """The relying party."""
        return Counter(client=self.client, url=self.stage.urls["verifier"], token=self.stage.relying_party_token)

    def pocket(self) -> Pocket:
        """A holder without our wallet."""
        return Pocket(client=self.client, key=KeySigner.generate())

    def today(self) -> str:
        """Today's UTC day."""
        return SystemClock().now().date().isoformat()

    async def citizen(self) -> Citizen:
        """A person with a new, empty wallet."""
        guest = await Citizen.arrive(self.stage.urls["wallet"], self.language)
        self.guests.append(guest)
        return guest

    async def close(self) -> None:
        """Say good-bye to everybody."""
        for guest in self.guests:
            await guest.leave()
        self.guests.clear()

    # --- telling

    def expect(self, words: str, *, expected: str, seen: str, report: Any = None, **values: str) -> None:
        """Note what was expected and what came."""
        step = Step(words=f"demo.{words}", values=values, expected=expected, seen=seen, report=report)
        self.steps.append(step)
        self.tell(step)

    def judge(self, words: str, report: Mapping[str, Any], *, expected: str, **values: str) -> None:
        """Note a verification: ``accepted``, or the first code of everything that failed or is unknown."""
        self.expect(words, expected=expected, seen=told(report), report=report, **values)

    # --- moves that several journeys make

    async def issue(
        self,
        citizen: Citizen,
        authority: str,
        type_id: str,
        claims: Mapping[str, Any],
        *,
        formats: list[str] | None = None,
        **terms: Any,
    ) -> tuple[list[dict[str, Any]], Offered]:
        """Offer and take a credential; returns what the wallet kept, and the offer."""
        offered = await self.desk.offer(authority, type_id, claims, formats=formats)
        return await citizen.receive(offered, **terms), offered

    async def show(
        self,
        citizen: Citizen,
        policy: str,
        *,
        place: str | None = None,
        selection: Mapping[str, str] | None = None,
        same_holder: bool = False,
    ) -> dict[str, Any]:
        """Ask at the counter, read the QR code, agree in the wallet, and return the counter's result."""
        counter = self.counter
        started = await counter.ask(policy, place=place, same_holder=same_holder)
        link = await qr.read_async(await counter.qr(started))
        consent = await citizen.consent(link)
        await citizen.agree(consent, selection)
        return await counter.result(started)

    async def until(self, words: str, attempt: Callable[[], Any], *, expected: str, **values: str) -> None:
        """Try a verification until it comes out as expected, or patience ends; note the last one."""
        ends = time.monotonic() + self.patience
        while True:
            report = await attempt()
            if told(report) == expected or time.monotonic() > ends:
                self.judge(words, report, expected=expected, **values)
                return
            await asyncio.sleep(0.5)


def told(report: Mapping[str, Any]) -> str:
    """Return the one word for a result: its verdict, or its first code when it is not accepted."""
    if report["verdict"] == "accepted":
        remarks = [check["code"] for each in report["credentials"] for check in each["checks"] if is_remark(check)]
        return str(remarks[0]) if remarks else "accepted"
    return str(report["codes"][0]) if report["codes"] else str(report["verdict"])


def is_remark(check: Mapping[str, Any]) -> bool:
    """Say whether a check passed with something worth saying, such as a cached status."""
    return check["outcome"] == "passed" and check["code"] in {"withdrawn_keeps_effect", "status_from_cache"}


async def refusal_of(attempt: Any) -> str:
    """Return the code with which something is refused, ``done`` when it is not."""
    try:
        await attempt
    except Refused as refused:
        return refused.code
    return "done"
