"""An operator who registers a website, gives it another secret, and removes it, by commands that break half-way."""

import asyncio
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx

from comity.demo.founding import Stage
from tests.faults.harness import both, client
from tests.support import nursery
from tests.support.nursery import NOT_REACHED, Child

UNITS = ("bridge_store.add_client", "bridge_store.renew_client", "bridge_store.remove_client")
FAILPOINTS = both(*UNITS)
"""Every durable step of the commands, in their order."""
CALLBACK = "https://shop.example/callback"
_SECRET = re.compile(r"^[A-Za-z0-9_-]{43}$", re.MULTILINE)
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Website:
    """What the operator was told of one; ``secret`` is what it shows who it is with."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a command: before its commit or after it."""

    name: str
    step: str
    action: str

    @property
    def lets_stand(self) -> bool:
        """Whether what the command does stands all the same."""
        return self.step == "committed" or self.is_told

    @property
    def is_told(self) -> bool:
        """Whether the command comes to its end."""
        return self.action.startswith("stall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever types the commands of one installation."""

    stage: Stage

    async def type(self, *arguments: str, fault: Fault | None = None) -> str:
        """Run ``comity verifier client …``, however it ends; return what it printed.

        Raises:
            AssertionError: a command was to break and did not come to the place.
        """
        settings = dict(self.stage.processes["verifier"].settings)
        if fault is not None:
            settings["VERIFIER_FAILPOINT"] = f"{fault.name}.{fault.step}={fault.action}"
        out = self.stage.folder / f"command-{next(_numbers)}"
        child = Child(nursery.current().fork(["verifier", "client", *arguments], settings, out))
        await asyncio.to_thread(child.wait, 60)
        printed = out.read_text("utf-8")
        assert NOT_REACHED not in printed, printed
        return printed

    async def add(self, name: str, fault: Fault | None = None) -> Website | None:
        """Register a website; None when the command broke before it said which."""
        what = ("--name-en", name, "--name-fr", name, "--redirect-uri", CALLBACK, "--preset", "drivers-licence-valid")
        printed = await self.type("add", *what, "--place", "ca-on", fault=fault)
        named = re.search(r"^[0-9a-f]{24}$", printed, re.MULTILINE)
        if named is None:
            return None
        return Website(id=named[0], secret=_SECRET.findall(printed)[0])

    async def renew(self, name: str, fault: Fault | None = None) -> str | None:
        """Give a website another secret; None when the command broke before it said which."""
        return next(iter(_SECRET.findall(await self.type("renew", name, fault=fault))), None)

    async def listed(self, name: str) -> list[list[str]]:
        """Return what the list says of websites of one name: id and state first."""
        lines = (line.split("\t") for line in (await self.type("list")).splitlines())
        return [line for line in lines if len(line) > 3 and line[3] == f"{name} / {name}"]

    async def is_let_in(self, website: Website) -> bool:
        """Say whether the verifier knows the website by its secret; it is asked with a code that nobody was given."""
        form = {"grant_type": "authorization_code", "code": "nobody-s", "redirect_uri": CALLBACK}
        form |= {"client_id": website.id, "client_secret": website.secret}
        async with client(self.stage.urls["verifier"]) as verifier:
            answer: httpx.Response = await verifier.post("/oidc/token", data=form)
        assert (answer.status_code, answer.json()["error"]) in {(400, "invalid_grant"), (401, "invalid_client")}
        return answer.status_code == 400

    async def walk(self, faults: dict[str, Fault]) -> None:
        """Register, renew and remove one website, each by a command that may break, and hold them to their word."""
        name = f"Shop {next(_numbers)}"
        website = await self._added(name, faults.get(UNITS[0]))
        website = await self._renewed(website, faults.get(UNITS[1]))
        await self._removed(name, website, faults.get(UNITS[2]))

    async def _added(self, name: str, fault: Fault | None) -> Website:
        website = await self.add(name, fault)
        assert (website is None) is (fault is not None and not fault.is_told)
        if website is None:
            found = await self.listed(name)
            assert fault is not None
            assert len(found) == fault.lets_stand, "half a website, or one that was undone (A, B)"
            if found:  # its secret was lost with the answer
                website = Website(id=found[0][0], secret=str(await self.renew(found[0][0])))
            else:
                website = await self.add(name)
        assert website is not None
        assert await self.is_let_in(website), "a website that was registered is not known (B)"
        return website

    async def _renewed(self, website: Website, fault: Fault | None) -> Website:
        secret = await self.renew(website.id, fault)
        has_changed = fault is None or fault.lets_stand
        assert await self.is_let_in(website) is not has_changed, "an old secret and a new one, or neither (A, B)"
        secret = secret or await self.renew(website.id)
        assert secret is not None
        renewed = Website(id=website.id, secret=secret)
        assert await self.is_let_in(renewed), "a new secret is not known (B)"
        assert not await self.is_let_in(website), "an old secret still opens (B)"
        return renewed

    async def _removed(self, name: str, website: Website, fault: Fault | None) -> None:
        await self.type("remove", website.id, fault=fault)
        if fault is not None and not fault.lets_stand:
            assert await self.is_let_in(website), "removed, though it was undone (A)"
            await self.type("remove", website.id)
        assert not await self.is_let_in(website), "a website that was removed can still ask (B)"
        assert [line[:2] for line in await self.listed(name)] == [[website.id, "removed"]], "registered twice (A)"


def lives(failpoints: Sequence[str]) -> Iterator[dict[str, Fault]]:
    """Yield faults for one website after the other: of each command at most one."""
    left = list(failpoints)
    while left:
        faults: dict[str, Fault] = {}
        for each in tuple(left):
            place, _, action = each.partition("=")
            name, _, step = place.rpartition(".")
            if name not in faults:
                faults[name] = Fault(name=name, step=step, action=action)
                left.remove(each)
        yield faults
