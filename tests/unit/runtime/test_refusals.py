"""Refusals are counted without waiting, stored in one unit, added up across processes, and forgotten in time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import MetaData

from comity.errors import Code, ComityError, Denied, Malformed, Misconfigured, NotFound, Unreachable
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.runtime.clock import FixedClock
from comity.runtime.database import Database, open_database
from comity.runtime.refusals import EVENTS, HOUR, KEEP_SECONDS, Refusals, kind_of, refusals_tables

METADATA = MetaData()
TABLES = refusals_tables(METADATA)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BAD = OAuthError(Code.REQUEST_INVALID, "grant_type is needed")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = open_database(database_url)
    await opened.write(METADATA.create_all)
    yield opened
    await opened.close()


def process(database: Database, clock: FixedClock | None = None) -> Refusals:
    return Refusals(database=database, tables=TABLES, clock=clock or FixedClock(NOON))


@pytest.mark.attack("Q06")
async def test_a_flood_of_one_kind_is_one_row(database: Database) -> None:
    clock = FixedClock(NOON)
    here = process(database, clock)
    for _ in range(5000):
        here.note(BAD, endpoint="token", scope="ca-on/services")
        clock.advance(timedelta(milliseconds=500))
    assert await here.newest("ca-on/services") == (), "nothing is written while requests are answered"
    assert await here.store() == 5000
    (row,) = await here.newest("ca-on/services")
    assert (row.kind.endpoint, row.kind.error, row.kind.code) == ("token", "invalid_request", "request_invalid")
    noon = int(NOON.timestamp())
    assert (row.hour, row.first_at, row.last_at, row.times) == (noon, noon, noon + 2499, 5000)
    assert await here.newest("ca-bc/services") == ()
    assert await here.store() == 0
    told = await here.events("ca-on/services")
    assert [each.at for each in told] == [noon + second for second in reversed(range(EVENTS // 2)) for _ in range(2)]
    assert {each.kind for each in told} == {row.kind}
    assert await here.events("ca-bc/services") == ()


async def test_each_request_is_an_event_until_there_are_enough_of_its_kind_in_the_hour(database: Database) -> None:
    clock = FixedClock(NOON)
    one, two = process(database, clock), process(database, clock)
    for number in range(EVENTS - 1):
        (one, two)[number % 2].note(BAD, endpoint="token")
    await one.store()
    await two.store()
    assert len(await one.events()) == EVENTS - 1
    for _ in range(3):  # another round, of which one fits
        one.note(BAD, endpoint="token")
        two.note(BAD, endpoint="par")
    await one.store()
    await two.store()
    kinds = [each.kind.endpoint for each in await one.events()]
    assert (kinds.count("token"), kinds.count("par")) == (EVENTS, 3)
    clock.advance(timedelta(hours=1))
    one.note(BAD, endpoint="token")
    await one.store()
    assert len(await one.events()) == EVENTS + 4, "the next hour has room again"
    assert [each.at for each in await one.events(limit=1)] == [int(NOON.timestamp()) + HOUR], "the newest first"


async def test_processes_and_rounds_add_up(database: Database) -> None:
    clock = FixedClock(NOON)
    one, two = process(database, clock), process(database, clock)
    one.note(BAD, endpoint="token")
    clock.advance(timedelta(seconds=30))
    two.note(BAD, endpoint="token")
    two.note(BAD, endpoint="par")
    for each in (two, one):
        await each.store()
    clock.advance(timedelta(hours=1))
    one.note(BAD, endpoint="token")
    await one.store()
    rows = {(each.hour - int(NOON.timestamp()), each.kind.endpoint): each for each in await one.newest()}
    assert {key: each.times for key, each in rows.items()} == {(0, "token"): 2, (0, "par"): 1, (HOUR, "token"): 1}
    both = rows[0, "token"]
    assert both.last_at - both.first_at == 30, "whichever process stores first"
    assert (await one.newest(limit=1))[0].hour == int(NOON.timestamp()) + HOUR


async def test_what_cannot_be_stored_stays_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    here = process(database)

    async def busy(_unit: object) -> None:
        here.note(BAD, endpoint="token")  # more come while it tries
        raise Unreachable(Code.BUSY, "the database is held by somebody else")

    here.note(BAD, endpoint="token")
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", busy)
        with pytest.raises(Unreachable):
            await here.store()
    assert await here.store() == 2
    assert [each.times for each in await here.newest()] == [2]


async def test_to_have_stored_is_to_have_stored_everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    here, gate, write = process(database), asyncio.Event(), database.write

    async def waiting(unit: Any) -> Any:
        await gate.wait()
        return await write(unit)

    here.note(BAD, endpoint="token")
    monkeypatch.setattr(database, "write", waiting)
    timer = asyncio.create_task(here.store())
    await asyncio.sleep(0)
    second = asyncio.create_task(here.store())
    await asyncio.sleep(0)
    assert not second.done(), "the timer has taken it, and it is not there yet"
    gate.set()
    assert (await timer, await second) == (1, 0)
    assert len(await here.events()) == 1


async def test_a_service_that_stops_stores_what_it_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    here = process(database)
    async with here.storing():
        here.note(BAD, endpoint="token")
    assert [each.times for each in await here.newest()] == [1]

    async def gone(_unit: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", gone)
        async with here.storing():
            here.note(BAD, endpoint="token")  # and a database that is gone does not keep it from stopping
    assert [each.times for each in await here.newest()] == [1]


async def test_counts_are_forgotten_after_their_time(database: Database) -> None:
    clock = FixedClock(NOON)
    here = process(database, clock)
    here.note(BAD, endpoint="token")
    await here.store()
    clock.advance(timedelta(seconds=KEEP_SECONDS))
    assert await here.erase_due() == 0
    clock.advance(timedelta(seconds=1))
    assert await here.erase_due() == 2, "the count and the event"
    assert (await here.newest(), await here.events()) == ((), ())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BAD, "invalid_request"),
        (OAuthError(Code.TOKEN_INVALID, "", error=OAuthErrorCode.INVALID_TOKEN), "invalid_token"),
        (NotFound(Code.REQUEST_UNKNOWN), ""),
        (Denied(Code.SESSION_MISMATCH), ""),
        (Malformed(Code.TOO_LARGE), ""),
        (OAuthError(Code.NONCE_INVALID, "", error=OAuthErrorCode.USE_DPOP_NONCE), "use_dpop_nonce"),
        (
            OAuthError(Code.NONCE_INVALID, "", error=OAuthErrorCode.USE_ATTESTATION_CHALLENGE),
            "use_attestation_challenge",
        ),
        (OAuthError(Code.REQUEST_INVALID, "", error=OAuthErrorCode.USE_FRESH_ATTESTATION), "use_fresh_attestation"),
    ],
)
def test_what_the_other_side_did_wrong_is_counted(error: ComityError, told: str) -> None:
    kind = kind_of(error, scope="", endpoint="token")
    assert kind is not None
    assert (kind.error, kind.code) == (told, error.code.value)


@pytest.mark.parametrize(
    "error",
    [
        OAuthError(Code.NONCE_NEEDED, "", error=OAuthErrorCode.USE_DPOP_NONCE),
        OAuthError(Code.NONCE_NEEDED, "", error=OAuthErrorCode.USE_ATTESTATION_CHALLENGE),
        OAuthError(Code.BUSY, "", error=OAuthErrorCode.TEMPORARILY_UNAVAILABLE),
        Unreachable(Code.BUSY),
        Misconfigured(Code.MISCONFIGURED),
        ComityError(Code.INTERNAL),
    ],
)
def test_what_is_our_turn_is_not(error: ComityError) -> None:
    assert kind_of(error, scope="", endpoint="token") is None
