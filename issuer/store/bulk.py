"""Files of many rows: the job, its rows, and which offer came of which row."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from sqlalchemy import Connection, Row, func, insert, select, update

from comity.credential import CredentialType
from comity.record import Discreet
from issuer.store.console_tables import bulk_jobs, bulk_rows
from issuer.store.insert import insert_if_absent
from issuer.store.offers import ERASED, OfferState
from issuer.store.tables import offers


class JobState(StrEnum):
    """Where a job stands."""

    CHECKED = "checked"
    RUNNING = "running"
    DONE = "done"


class RowState(StrEnum):
    """Where a row stands."""

    READY = "ready"
    REFUSED = "refused"
    REPEATED = "repeated"
    OFFERED = "offered"


class Job(Struct, frozen=True, kw_only=True):
    """One file of one authority for one type."""

    id: str
    authority: str
    type: CredentialType
    file_digest: str
    state: JobState
    created_by: str
    created_at: int
    erase_at: int


class StoredRow(Discreet, frozen=True, kw_only=True):
    """One row of a job.

    Attributes:
        number: as the spreadsheet counts.
        state: where it stands.
        problems: what is wrong with it, as ``claim: rule``.
        sealed_cells: what stood there; None once erased.
        row_digest: recognises the same row for the same authority and type.
        offer_id: what came of it.
    """

    UNPRINTED = frozenset({"sealed_cells"})
    number: int
    state: RowState
    problems: tuple[str, ...]
    sealed_cells: bytes | None
    row_digest: str
    offer_id: str | None = None


def add(connection: Connection, job: Job, rows: Sequence[StoredRow]) -> str:
    """Store a job with its rows, and return its id: that of the earlier one when the same file was given before."""
    is_new = insert_if_absent(
        connection,
        bulk_jobs,
        {
            "id": job.id,
            "authority": job.authority,
            "type_slug": job.type.slug,
            "type_version": job.type.version,
            "file_digest": job.file_digest,
            "state": job.state.value,
            "created_by": job.created_by,
            "created_at": job.created_at,
            "erase_at": job.erase_at,
        },
    )
    if not is_new:
        earlier = select(bulk_jobs.c.id).where(
            bulk_jobs.c.authority == job.authority,
            bulk_jobs.c.type_slug == job.type.slug,
            bulk_jobs.c.type_version == job.type.version,
            bulk_jobs.c.file_digest == job.file_digest,
        )
        return str(connection.execute(earlier).scalar_one())
    for each in rows:
        connection.execute(
            insert(bulk_rows).values(
                job_id=job.id,
                number=each.number,
                state=each.state.value,
                problems="\n".join(each.problems),
                sealed_cells=each.sealed_cells,
                row_digest=each.row_digest,
            )
        )
    return job.id


def find(connection: Connection, job_id: str) -> Job | None:
    """Return one job."""
    row = connection.execute(select(bulk_jobs).where(bulk_jobs.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def of_authority(connection: Connection, authority: str, *, limit: int) -> tuple[Job, ...]:
    """Return the latest jobs of one authority."""
    statement = select(bulk_jobs).where(bulk_jobs.c.authority == authority)
    ordered = statement.order_by(bulk_jobs.c.created_at.desc(), bulk_jobs.c.id).limit(limit)
    return tuple(_job(row) for row in connection.execute(ordered))


def running(connection: Connection) -> tuple[Job, ...]:
    """Return the jobs that were started and are not done: also those that a stopped process left."""
    rows = connection.execute(
        select(bulk_jobs).where(bulk_jobs.c.state == JobState.RUNNING.value).order_by(bulk_jobs.c.created_at)
    )
    return tuple(_job(row) for row in rows)


def move(connection: Connection, job_id: str, *, start: JobState, end: JobState) -> bool:
    """Take a job from one state to the next; False when it is not there."""
    changed = connection.execute(
        update(bulk_jobs).where(bulk_jobs.c.id == job_id, bulk_jobs.c.state == start.value).values(state=end.value)
    )
    return changed.rowcount == 1


def rows(connection: Connection, job_id: str) -> tuple[StoredRow, ...]:
    """Return the rows of a job in the order of the file."""
    statement = select(bulk_rows).where(bulk_rows.c.job_id == job_id).order_by(bulk_rows.c.number)
    return tuple(_row(row) for row in connection.execute(statement))


def next_ready(connection: Connection, job_id: str) -> StoredRow | None:
    """Return the first row that an offer is still to be made of."""
    statement = (
        select(bulk_rows)
        .where(bulk_rows.c.job_id == job_id, bulk_rows.c.state == RowState.READY.value)
        .order_by(bulk_rows.c.number)
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else _row(row)


def settle(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    state: RowState,
    problems: Sequence[str] = (),
    offer_id: str | None = None,
) -> bool:
    """Settle a row that is ready, by one statement; False when it was settled meanwhile."""
    changed = connection.execute(
        update(bulk_rows)
        .where(bulk_rows.c.job_id == job_id, bulk_rows.c.number == number, bulk_rows.c.state == RowState.READY.value)
        .values(state=state.value, problems="\n".join(problems), offer_id=offer_id)
        .returning(bulk_rows.c.number)
    )
    return changed.one_or_none() is not None


def counts(connection: Connection, job_id: str) -> Mapping[str, int]:
    """Return how many rows of a job stand in each state, and how many were collected."""
    found = {each.value: 0 for each in RowState} | {"collected": 0}
    statement = select(bulk_rows.c.state, func.count()).where(bulk_rows.c.job_id == job_id)
    for state, count in connection.execute(statement.group_by(bulk_rows.c.state)):
        found[state] = count
    collected = (
        select(func.count())
        .select_from(bulk_rows.join(offers, offers.c.id == bulk_rows.c.offer_id))
        .where(bulk_rows.c.job_id == job_id, offers.c.state == OfferState.REDEEMED.value)
    )
    found["collected"] = connection.execute(collected).scalar_one()
    return found


def live_offers(connection: Connection, digests: Sequence[str], *, now: int) -> frozenset[str]:
    """Return which of these rows led, in any job, to an offer that can be collected or was."""
    live = (offers.c.state == OfferState.REDEEMED.value) | (
        (offers.c.state == OfferState.OPEN.value) & (offers.c.expires_at > now)
    )
    statement = (
        select(bulk_rows.c.row_digest)
        .join(offers, offers.c.id == bulk_rows.c.offer_id)
        .where(bulk_rows.c.row_digest.in_(list(digests)), live)
    )
    return frozenset(connection.execute(statement).scalars())


def erase_due(connection: Connection, *, now: int) -> int:
    """Erase the cells of jobs whose time has come; returns rows erased."""
    is_due = bulk_jobs.c.erase_at <= now
    due = select(bulk_jobs.c.id).where(is_due)
    erased = connection.execute(
        update(bulk_rows)
        .where(bulk_rows.c.job_id.in_(due), bulk_rows.c.sealed_cells.is_not(None))
        .values(sealed_cells=None)
    )
    # The same file may be given again then; its rows that were collected are known by themselves. A job that was
    # erased is not looked at again, however many there are.
    ended = {"file_digest": bulk_jobs.c.id, "state": JobState.DONE.value, "erase_at": ERASED}
    connection.execute(update(bulk_jobs).where(is_due).values(ended))
    return erased.rowcount


def _job(row: "Row[tuple[object, ...]]") -> Job:
    return Job(
        id=row.id,
        authority=row.authority,
        type=CredentialType(slug=row.type_slug, version=row.type_version),
        file_digest=row.file_digest,
        state=JobState(row.state),
        created_by=row.created_by,
        created_at=row.created_at,
        erase_at=row.erase_at,
    )


def _row(row: "Row[tuple[object, ...]]") -> StoredRow:
    return StoredRow(
        number=row.number,
        state=RowState(row.state),
        problems=tuple(row.problems.split("\n")) if row.problems else (),
        sealed_cells=row.sealed_cells,
        row_digest=row.row_digest,
        offer_id=row.offer_id,
    )
