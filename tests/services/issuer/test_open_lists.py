"""Which lists take entries is remembered for a moment; what is late there harms nobody, and what closes is seen."""

import pytest
from sqlalchemy import update

from comity.errors import Code, Conflict
from issuer.store import Connection
from issuer.store import status_lists as store
from issuer.store.open_lists import KEPT_SECONDS, OpenLists
from issuer.store.tables import status_lists
from tests.services.issuer.deployed import BC, ON, Deployed

NOW = 1_000


async def close(issuer: Deployed, *numbers: int) -> None:
    """Close lists of Ontario as another process would."""

    def closed(connection: Connection) -> None:
        these = (status_lists.c.authority == ON) & status_lists.c.number.in_(numbers)
        connection.execute(update(status_lists).where(these).values(is_open=False))

    await issuer.deployment.database.write(closed)


async def numbers(issuer: Deployed, lists: OpenLists, authority: str = ON, *, now: int = NOW) -> list[int]:
    """Return what ``lists`` says at ``now``."""
    found = await issuer.deployment.database.read(lambda connection: lists.of(connection, authority, now=now))
    return sorted(each.number for each in found)


async def test_what_another_process_closed_is_known_after_a_moment(issuer: Deployed) -> None:
    lists = OpenLists()
    assert await numbers(issuer, lists) == [1, 2]
    await close(issuer, 1)
    assert await numbers(issuer, lists, now=NOW + KEPT_SECONDS - 1) == [1, 2]
    assert await numbers(issuer, lists, BC) == [1, 2]  # of another authority, read for the first time
    assert await numbers(issuer, lists, now=NOW + KEPT_SECONDS) == [2]


async def test_a_clock_that_goes_back_keeps_nothing_longer(issuer: Deployed) -> None:
    lists = OpenLists()
    await numbers(issuer, lists)
    await close(issuer, 1)
    assert await numbers(issuer, lists, now=NOW - 1) == [2]


async def test_that_none_is_open_is_never_remembered(issuer: Deployed) -> None:
    lists = OpenLists()
    await close(issuer, 1, 2)
    with pytest.raises(Conflict) as refused:
        await numbers(issuer, lists)
    assert refused.value.code is Code.STATUS_LISTS_FULL

    def opened(connection: Connection) -> None:
        connection.execute(update(status_lists).where(status_lists.c.number == 2).values(is_open=True))

    await issuer.deployment.database.write(opened)
    assert await numbers(issuer, lists) == [2]


@pytest.mark.both_databases
async def test_who_counts_in_a_list_hears_whether_it_takes_more(issuer: Deployed) -> None:
    def counted(connection: Connection) -> list[bool]:
        (chosen, *_) = store.open_lists(connection, ON)
        full = chosen.size * 3 // 4
        return [store.count(connection, chosen.id, added) for added in (full - 1, 1, 0)]

    assert await issuer.deployment.database.write(counted) == [True, False, False]


async def test_a_closed_list_is_not_opened_by_a_late_entry(issuer: Deployed) -> None:
    await close(issuer, 1)

    def late(connection: Connection) -> bool:
        this = connection.execute(
            status_lists.select().where(status_lists.c.authority == ON, status_lists.c.number == 1)
        )
        return store.count(connection, this.one().id, 1)

    assert await issuer.deployment.database.write(late) is False


async def test_the_next_credential_after_one_that_closed_its_list_goes_elsewhere(issuer: Deployed) -> None:
    def nearly_full(connection: Connection) -> None:
        almost = status_lists.c.size * 3 / 4 - 1
        connection.execute(update(status_lists).where(status_lists.c.authority == ON).values(allocated=almost))

    assert (await issuer.receive(await issuer.offer(record_reference="before"))).status_code == 200
    await issuer.deployment.database.write(nearly_full)
    for each in ("first", "second"):
        assert (await issuer.receive(await issuer.offer(record_reference=each))).status_code == 200
    places = [(await issuer.records(record_reference=each))[0]["status_list"] for each in ("first", "second")]
    assert places[0] != places[1]
