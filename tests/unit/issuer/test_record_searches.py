"""What is wanted is found by indexes, however many records there are, on both databases."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from comity.credential import CredentialType, Format
from comity.runtime.database import open_database
from issuer.store import bulk, console_tables, credentials, deferrals, desk, metadata, reissues
from issuer.store.offers import ERASED
from issuer.store.tables import issuances
from tests.support.plans import plans

ON = "ca-on/services"
THING = reissues.Item(
    key_thumbprint="a key",
    first_id="an offer",
    configuration_id="person.1.sdjwt",
    authority=ON,
    type=CredentialType(slug="person", version=1),
    format=Format.DC_SD_JWT,
    record_reference=None,
    state=reissues.ItemState.OFFERED,
    problem=None,
    offer_id=None,
    was_suspended=False,
)
SEARCHES: Mapping[Callable[[Connection], object], frozenset[str]] = {
    # One search with OR made PostgreSQL read every offer at each revocation.
    lambda c: c.execute(select(issuances.c.id).where(issuances.c.offer_id.in_(credentials.family("one")))): frozenset(
        {"ix_offers_renews", "ix_offers_authorization_id"}
    ),
    lambda c: deferrals.waiting(c, ON, now=1): frozenset({"ix_offers_decision"}),
    lambda c: desk.log(c, ON, desk.LogFilter(), before=None, limit=5): frozenset({"ix_audit_authority_id"}),
    lambda c: desk.log(c, ON, desk.LogFilter(), before=9, limit=5): frozenset({"ix_audit_authority_id"}),
    bulk.running: frozenset({"ix_bulk_jobs_state"}),
    lambda c: bulk.erase_due(c, now=1): frozenset({"ix_bulk_jobs_erase_at"}),
    # By its authority SQLite read all that was ever issued, once for each thing.
    lambda c: reissues.old_records(c, THING): frozenset(
        {"ix_offers_renews", "ix_offers_authorization_id", "ix_credentials_issuance_id"}
    ),
}


async def test_what_is_wanted_is_searched_for_and_nothing_is_read_through(database_url: str) -> None:
    database = open_database(database_url)
    try:
        await database.write(metadata.create_all)
        for search, indexes in SEARCHES.items():
            found = await database.write(lambda connection, search=search: plans(connection, search))  # type: ignore[misc]
            assert [name for name in indexes if name not in found] == [], found
            assert "SCAN " not in found
            assert "Seq Scan" not in found
    finally:
        await database.close()


async def test_a_file_that_was_erased_is_not_looked_at_again(database_url: str) -> None:
    jobs = console_tables.bulk_jobs
    job = {
        "id": "a file",
        "authority": ON,
        "type_slug": "person",
        "type_version": 1,
        "file_digest": "its digest",
        "state": bulk.JobState.RUNNING.value,
        "created_by": "somebody",
        "created_at": 1,
        "erase_at": 2,
    }

    def unit(connection: Connection) -> list[Any]:
        metadata.create_all(connection)
        connection.execute(insert(jobs).values(job))
        before = bulk.find(connection, "a file")
        bulk.erase_due(connection, now=1)
        too_early = bulk.find(connection, "a file")
        bulk.erase_due(connection, now=2)
        return [before, too_early, bulk.find(connection, "a file")]

    database = open_database(database_url)
    try:
        before, too_early, after = await database.write(unit)
    finally:
        await database.close()
    assert before == too_early
    assert (after.erase_at, after.state, after.file_digest) == (ERASED, bulk.JobState.DONE, "a file")
