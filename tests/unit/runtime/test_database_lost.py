"""PostgreSQL goes away and comes back: what was acknowledged is there, what was not is not, and work goes on."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from comity.errors import Code, Unreachable
from comity.runtime.database import Database, open_database
from tests.support import databases, dropping, postgres
from tests.unit.runtime.rows import METADATA, numbers, put


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    databases.need(databases.POSTGRESQL)
    with postgres.database() as url:
        opened = open_database(url)
        await opened.write(METADATA.create_all)
        yield opened
        await opened.close()


@pytest.mark.fault("F17")
async def test_a_connection_that_is_lost_in_a_unit_undoes_it_and_is_told_as_later(database: Database) -> None:
    def unit(connection: Connection) -> None:
        put(1)(connection)
        dropping.own(connection)

    with pytest.raises(Unreachable) as lost:
        await database.write(unit)
    assert (lost.value.code, lost.value.retry_after) == (Code.BUSY, 1)
    assert await database.read(numbers) == set()
    assert await database.write(put(1)) == 1
    assert await database.read(numbers) == {1}


@pytest.mark.fault("F17")
async def test_connections_that_were_dropped_while_idle_are_opened_anew(database: Database) -> None:
    await database.write(put(1))
    for number in range(2, 6):
        await dropping.all_but_one(database)
        assert await database.write(put(number)) == number
    assert await database.read(numbers) == {1, 2, 3, 4, 5}
