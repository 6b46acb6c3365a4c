"""What belongs to one offer is found by indexes, however many offers there are, on both databases."""

from sqlalchemy import Connection, select, text

from comity.runtime.database import open_database
from issuer.store import credentials, metadata
from issuer.store.tables import issuances


async def test_the_family_of_an_offer_is_searched_for_and_not_read_through(database_url: str) -> None:
    """One search with OR made PostgreSQL read every offer at each revocation."""

    def plan(connection: Connection) -> str:
        wanted = select(issuances.c.id).where(issuances.c.offer_id.in_(credentials.family("one")))
        told = str(wanted.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is read through otherwise
            return "\n".join(row[0] for row in connection.execute(text(f"EXPLAIN {told}")))
        return "\n".join(row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {told}")))

    database = open_database(database_url)
    try:
        await database.write(metadata.create_all)
        found = await database.read(plan)
    finally:
        await database.close()
    assert "ix_offers_renews" in found
    assert "ix_offers_authorization_id" in found
