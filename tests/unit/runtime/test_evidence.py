"""The shell around the verification machine, over a real cache and a table of answers."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.credential import Format, Kid, Status
from comity.errors import Code, Unreachable
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.runtime.clock import FixedClock
from comity.runtime.evidence import EvidenceShell
from comity.runtime.status_cache import StatusCache
from comity.status import bits, bitstring_list, token_list
from comity.verification.checks import CheckName, Result, Verdict
from comity.verification.evidence import Evidence, Need, NeedKind, Needs, Obtained
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from tests.support.world import LICENCE, NOW, World


class Internet(Fetcher):
    """Serves a world's documents and counts what is asked of it."""

    def __init__(self, world: World, clock: FixedClock) -> None:
        self.world, self.clock = world, clock
        self.asked: list[str] = []
        self.down: set[str] = set()

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.asked.append(request.url)
        served = self.world.evidence.get(request.url)
        if request.url in self.down or not isinstance(served, Obtained):
            raise Unreachable(Code.UNREACHABLE, "the host does not answer")
        return Fetched(
            url=request.url,
            status=200,
            content_type=request.accept[0],
            body=served.body,
            headers={},
            fetched_at=self.clock.now(),
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def internet(world: World, clock: FixedClock) -> Internet:
    return Internet(world, clock)


class Desk:
    """Verifies Ontario licences at the moment of the clock."""

    def __init__(self, world: World, internet: Internet, clock: FixedClock, folder: Path) -> None:
        self.world, self.clock = world, clock
        self.cache = StatusCache(folder, internet, clock)
        self.shell = EvidenceShell(self.cache)
        self.held = {each: world.issue(world.on, each, LICENCE) for each in Format}

    async def verify(self, credential_format: Format = Format.DC_SD_JWT) -> Result:
        demand = self.world.demand(holder=None, at=self.clock.now())
        snapshot = self.world.snapshot(NOW + timedelta(days=30))
        encoded = self.held[credential_format].encoded
        return await self.shell.settle(verify_held(encoded, demand=demand, status=StatusDemand(), snapshot=snapshot))


@pytest.fixture
def desk(world: World, internet: Internet, clock: FixedClock, tmp_path: Path) -> Desk:
    return Desk(world, internet, clock, tmp_path)


async def test_what_is_needed_is_fetched_once_and_no_more(desk: Desk, world: World, internet: Internet) -> None:
    assert (await desk.verify()).verdict is Verdict.ACCEPTED
    assert internet.asked == [world.on.list_uri()]
    assert (await desk.verify(Format.VC_JWT)).verdict is Verdict.ACCEPTED
    lists = {world.on.list_uri("revocation"), world.on.list_uri("suspension")}
    assert internet.asked[1] == world.on.document_url
    assert set(internet.asked[2:]) == lists
    await desk.verify()
    assert len(internet.asked) == 4


async def test_a_result_that_needs_nothing_fetches_nothing(desk: Desk, world: World, internet: Internet) -> None:
    world.documents["ca-on/issuers.json"]["issuers"] = []
    result = await desk.verify()
    assert result.codes == (Code.ISSUER_UNKNOWN,)
    assert internet.asked == []


@pytest.mark.attack("J15", "R17", "Q11")
@pytest.mark.good_twin("J15", "R17")
async def test_keys_that_nobody_knows_cost_one_request_a_minute(
    desk: Desk, world: World, internet: Internet, clock: FixedClock
) -> None:
    """Catalogue J15: each forgery names another key of the issuer's document; the document is fetched once."""
    good = desk.held[Format.VC_JWT]

    async def flood() -> None:
        forged = (Kid(did_url=f"{world.on.did}#{number}") for number in range(200))
        for each in forged:
            desk.held[Format.VC_JWT] = world.issue(world.on, Format.VC_JWT, LICENCE, key=each)
            result = await desk.verify(Format.VC_JWT)
            assert (result.verdict, result.codes) == (Verdict.REJECTED, (Code.KEY_NOT_FOUND,))

    await flood()
    assert internet.asked == [world.on.document_url]
    clock.advance(timedelta(seconds=60))
    await flood()
    assert internet.asked == [world.on.document_url] * 2
    desk.held[Format.VC_JWT] = good
    assert (await desk.verify(Format.VC_JWT)).verdict is Verdict.ACCEPTED


@pytest.mark.attack("R17")
async def test_what_cannot_be_had_is_evidence_of_that(desk: Desk, world: World, internet: Internet) -> None:
    internet.down = {world.on.document_url}
    for _ in range(2):  # that it could not be had is not remembered
        assert (await desk.verify(Format.VC_JWT)).codes == (Code.DID_UNRESOLVED,)
    internet.down = {world.on.list_uri("suspension")}
    result = await desk.verify(Format.VC_JWT)
    assert (result.verdict, result.codes) == (Verdict.UNDETERMINED, (Code.STATUS_UNAVAILABLE,))


@pytest.mark.attack("Q10")
@pytest.mark.good_twin("Q10")
async def test_lists_are_unpacked_beside_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[threading.Thread] = []

    def unpack(*arguments: Any, **named: Any) -> bytes:
        where.append(threading.current_thread())
        return inflate(*arguments, **named)

    inflate = bits.inflate
    for module in (token_list, bitstring_list):
        monkeypatch.setattr(module, "inflate", unpack)
    for each in Format:
        assert (await desk.verify(each)).verdict is Verdict.ACCEPTED
    assert len(where) == 3
    assert threading.current_thread() not in where


async def test_a_machine_that_asks_for_ever_is_a_bug(desk: Desk, world: World) -> None:
    need = Need(url=world.on.list_uri(), kind=NeedKind.STATUS_LIST, accept=("application/statuslist+jwt",))

    def again(evidence: Evidence) -> Needs[Result]:
        return Needs(wanted=(need,), resume=again)

    with pytest.raises(AssertionError, match="more rounds"):
        await desk.shell.settle(again({}))


@pytest.mark.attack("L10")
async def test_a_verified_list_is_remembered_and_an_older_one_refused(
    desk: Desk, world: World, internet: Internet, clock: FixedClock, tmp_path: Path
) -> None:
    uri = world.on.list_uri()
    old = world.on.token_list(NOW - timedelta(seconds=90))
    world.on.bits.set(7, Status.REVOKED)
    world.put(uri, world.on.token_list(NOW).encode())
    assert (await desk.verify()).codes == (Code.REVOKED,)
    assert desk.cache.newest_issued_at(uri) == NOW
    world.put(uri, old.encode())
    later = FixedClock(NOW + timedelta(hours=2))
    after_restart = Desk(world, Internet(world, later), later, tmp_path)
    after_restart.held = desk.held
    assert (await after_restart.verify()).codes == (Code.STATUS_LIST_ROLLED_BACK,)
    assert after_restart.cache.newest_issued_at(uri) == NOW


async def test_a_rolled_back_copy_is_dropped_so_that_the_next_asks_again(
    desk: Desk, world: World, internet: Internet
) -> None:
    uri = world.on.list_uri()
    desk.cache.remember_issued_at(uri, NOW, ttl_seconds=300)
    world.put(uri, world.on.token_list(NOW - timedelta(hours=1)).encode())
    assert (await desk.verify()).codes == (Code.STATUS_LIST_ROLLED_BACK,)
    world.put(uri, world.on.token_list(NOW).encode())
    assert (await desk.verify()).verdict is Verdict.ACCEPTED
    assert internet.asked == [uri, uri]


@pytest.mark.parametrize("wrong", [b"<html>busy</html>", b"a.b.c"])
async def test_a_wrong_copy_is_dropped_so_that_the_next_asks_again(
    desk: Desk, world: World, internet: Internet, wrong: bytes
) -> None:
    uri = world.on.list_uri()
    good = world.evidence[uri]
    world.put(uri, wrong)
    assert (await desk.verify()).credentials[0].check(CheckName.STATUS).outcome == "failed"
    world.evidence[uri] = good
    assert (await desk.verify()).verdict is Verdict.ACCEPTED
    assert internet.asked == [uri, uri]


async def test_a_copy_that_ended_is_dropped_although_its_ttl_is_long(
    desk: Desk, world: World, internet: Internet, clock: FixedClock
) -> None:
    uri = world.on.list_uri()
    world.put(uri, world.on.token_list(ttl_seconds=7200, expires_at=NOW + timedelta(hours=1)).encode())
    assert (await desk.verify()).verdict is Verdict.ACCEPTED
    clock.advance(timedelta(minutes=90))
    world.put(uri, world.on.token_list(clock.now()).encode())
    assert (await desk.verify()).codes == (Code.STATUS_UNAVAILABLE,)
    assert (await desk.verify()).verdict is Verdict.ACCEPTED
    assert internet.asked == [uri, uri]


async def test_a_list_dated_in_the_future_is_not_remembered(desk: Desk, world: World) -> None:
    uri = world.on.list_uri()
    world.put(uri, world.on.token_list(NOW + timedelta(days=9)).encode())
    assert (await desk.verify()).codes == (Code.STATUS_LIST_INVALID,)
    assert desk.cache.newest_issued_at(uri) is None
    world.put(uri, world.on.token_list(NOW).encode())
    assert (await desk.verify()).verdict is Verdict.ACCEPTED


async def test_a_good_copy_survives_the_bad_one_beside_it(desk: Desk, world: World, internet: Internet) -> None:
    good, bad = world.on.list_uri("revocation"), world.on.list_uri("suspension")
    world.put(bad, b"wrong")
    await desk.verify(Format.VC_JWT)
    await desk.verify(Format.VC_JWT)
    assert (internet.asked.count(good), internet.asked.count(bad)) == (1, 2)


async def test_a_revoked_credential_does_not_cost_the_copy(desk: Desk, world: World, internet: Internet) -> None:
    world.on.bits.set(7, Status.SUSPENDED)
    world.publish()
    for _ in range(2):
        assert (await desk.verify()).codes == (Code.SUSPENDED,)
    assert internet.asked == [world.on.list_uri()]
