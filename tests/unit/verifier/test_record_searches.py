"""What the timer erases is found by indexes, however many records there are, on both databases."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from comity.runtime import migrations
from comity.runtime.database import open_database
from tests.support.plans import plans
from verifier import counter_store, store

AT = datetime.fromtimestamp(1, UTC)
SEARCHES: Mapping[Callable[[Connection], object], frozenset[str]] = {
    lambda c: store.erase(c, answered_before=AT, expired_at=AT): frozenset(
        {"requests_with_report", "requests_unanswered"}
    ),
    lambda c: store.drop_unanswered(c, party_prefix="website:", expired_before=AT): frozenset({"requests_unanswered"}),
    lambda c: counter_store.erase_checks(c, viewed_before=AT, ended_before=AT): frozenset({"counter_checks_by_end"}),
}


def test_what_is_erased_is_searched_for_and_nothing_is_read_through(database_url: str) -> None:
    migrations.upgrade(database_url, "verifier")  # what PostgreSQL leaves out of an index stands in a revision alone

    async def judge() -> None:
        database = open_database(database_url)
        try:
            for search, indexes in SEARCHES.items():
                found = await database.write(partial(plans, search=search))
                assert [name for name in indexes if name not in found] == [], found
                assert "SCAN " not in found
                assert "Seq Scan" not in found
        finally:
            await database.close()

    asyncio.run(judge())
