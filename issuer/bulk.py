"""Many offers out of one file: checked first, then made one by one, whatever happens in between.

A file is known by its digest: giving the same file again leads to the same job. A row is settled in the very
transaction that stores its offer, by a statement that only a ready row lets through: so a stopped process, a second
process or a second click never gives two offers for one row. A row of another file that says the same thing as one
whose offer is open or was collected is *repeated*, and left out.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import structlog
from msgspec import Struct

from comity import strict_json
from comity.credential import CredentialType
from comity.errors import Code, ComityError, NotFound, Unreachable
from comity.runtime.logging import without_message
from issuer import fields, offering, spreadsheet
from issuer.deployment import Deployment
from issuer.offering import Wanted
from issuer.spreadsheet import Row
from issuer.store import Connection, audit, bulk, credentials
from issuer.store.bulk import Job, JobState, RowState, StoredRow

LOOK_SECONDS = 5.0
_log = structlog.get_logger("issuer.bulk")


class Standing(Struct, frozen=True, kw_only=True):
    """A job, and how many of its rows stand where."""

    job: Job
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many rows the file has."""
        return sum(self.counts[each] for each in RowState)


async def check(
    deployment: Deployment, *, authority: str, credential_type: CredentialType, data: bytes, actor: str
) -> str:
    """Read a file, judge every row, store the result, and return the job's id. No offer is made yet.

    Raises:
        Malformed: as for :func:`issuer.spreadsheet.read`.
    """
    now = deployment.now()
    today = datetime.fromtimestamp(now, tz=UTC).date()
    job_id = credentials.new_id()
    sheet = await asyncio.to_thread(spreadsheet.read, data, credential_type)
    judge = _Judge(deployment, authority=authority, credential_type=credential_type, job_id=job_id, today=today)
    rows = await asyncio.to_thread(lambda: [judge.row(each) for each in sheet.rows])
    job = Job(
        id=job_id,
        authority=authority,
        type=credential_type,
        file_digest=hashlib.sha256(data).hexdigest(),
        state=JobState.CHECKED,
        created_by=actor,
        created_at=now,
        erase_at=now + deployment.limits.long_offer_seconds,
    )

    def save(connection: Connection) -> str:
        live = bulk.live_offers(connection, [each.row_digest for each in rows], now=now)
        kept = bulk.add(connection, job, _without_repeated(rows, live))
        if kept == job.id:
            _tell(connection, job, "file_checked", actor=actor, at=now)
        return kept

    return await deployment.database.write(save)


class _Judge:
    """Says what is right and wrong with rows of one file."""

    def __init__(
        self, deployment: Deployment, *, authority: str, credential_type: CredentialType, job_id: str, today: date
    ) -> None:
        self._deployment = deployment
        self._authority = authority
        self._type = credential_type
        self._job_id = job_id
        self._today = today

    def row(self, row: Row) -> StoredRow:
        """Return the row as it is stored: its cells sealed, its problems by claim and rule."""
        problems = _problems(self._type, row.cells, self._today)
        secrecy = self._deployment.secrecy
        name = f"{self._type.slug}/{self._type.version}"
        said = strict_json.serialise(dict(sorted(row.cells.items()))).decode()
        return StoredRow(
            number=row.number,
            state=RowState.REFUSED if problems else RowState.READY,
            problems=problems,
            sealed_cells=secrecy.seal(row.cells, _context(self._job_id, row.number)),
            row_digest=secrecy.row_digest(self._authority, name, said),
        )


def _problems(credential_type: CredentialType, cells: Mapping[str, str], today: date) -> tuple[str, ...]:
    found = fields.read(credential_type, cells, today=today).problems
    lines = [f"{name}: {rule}" for name, rule in found.items()]
    record = cells.get(spreadsheet.RECORD, "")
    if len(record) > 200 or not record.isprintable():
        lines.append(f"{spreadsheet.RECORD}: pattern")
    return tuple(lines)


def _without_repeated(rows: Sequence[StoredRow], live: frozenset[str]) -> list[StoredRow]:
    """Mark rows that say what another row says, here or in an earlier file."""
    seen, kept = set(live), []
    for each in rows:
        is_repeated = each.state is RowState.READY and each.row_digest in seen
        kept.append(_as_repeated(each) if is_repeated else each)
        seen.add(each.row_digest)
    return kept


def _as_repeated(row: StoredRow) -> StoredRow:
    return StoredRow(
        number=row.number,
        state=RowState.REPEATED,
        problems=(),
        sealed_cells=row.sealed_cells,
        row_digest=row.row_digest,
    )


async def find(deployment: Deployment, job_id: str, *, authority: str) -> Standing:
    """Return a job of one authority.

    Raises:
        NotFound: ``not_found``.
    """

    def read(connection: Connection) -> Standing | None:
        job = bulk.find(connection, job_id)
        return None if job is None else Standing(job=job, counts=bulk.counts(connection, job_id))

    found = await deployment.database.read(read)
    if found is None or found.job.authority != authority:
        raise NotFound(Code.NOT_FOUND, "there is no such file")
    return found


async def latest(deployment: Deployment, authority: str, *, limit: int = 10) -> tuple[Standing, ...]:
    """Return the latest jobs of one authority."""

    def read(connection: Connection) -> tuple[Standing, ...]:
        jobs = bulk.of_authority(connection, authority, limit=limit)
        return tuple(Standing(job=each, counts=bulk.counts(connection, each.id)) for each in jobs)

    return await deployment.database.read(read)


async def rows(deployment: Deployment, job: Job) -> tuple[StoredRow, ...]:
    """Return the rows of a job."""
    return await deployment.database.read(lambda connection: bulk.rows(connection, job.id))


def cells(deployment: Deployment, job: Job, row: StoredRow) -> dict[str, str]:
    """Return what stood in a row; empty once erased."""
    if row.sealed_cells is None:
        return {}
    return {
        name: str(value)
        for name, value in deployment.secrecy.unseal(row.sealed_cells, _context(job.id, row.number)).items()
    }


async def start(deployment: Deployment, job: Job, *, actor: str) -> None:
    """Let the offers of a checked job be made; starting it again changes nothing."""
    now = deployment.now()

    def move(connection: Connection) -> None:
        if bulk.move(connection, job.id, start=JobState.CHECKED, end=JobState.RUNNING):
            _tell(connection, job, "file_started", actor=actor, at=now)

    await deployment.database.write(move)


async def erase_due(deployment: Deployment) -> int:
    """Erase what stood in files whose time has come; return of how many rows."""
    now = deployment.now()
    return await deployment.database.write(lambda connection: bulk.erase_due(connection, now=now))


class Runner:
    """Makes the offers of started jobs, one after the other, in every process that runs it."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._started = asyncio.Event()

    def wake(self) -> None:
        """Say that a job was started."""
        self._started.set()

    async def run(self) -> None:
        """Work until cancelled; a job that a stopped process left is taken up at the next look."""
        while True:
            self._started.clear()
            try:
                await self.run_started()
            except Exception as error:  # noqa: BLE001 - the next round must come; the rows stay ready
                _log.error("bulk issuing failed", **without_message(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._started.wait()

    async def run_started(self) -> int:
        """Make every offer that is to be made now; return how many were."""
        made = 0
        for job in await self._deployment.database.read(bulk.running):
            while (row := await self._next(job)) is not None:
                made += await self._settle(job, row)
            await self._finish(job)
        return made

    async def _finish(self, job: Job) -> None:
        start, end = JobState.RUNNING, JobState.DONE
        await self._deployment.database.write(lambda connection: bulk.move(connection, job.id, start=start, end=end))

    async def _next(self, job: Job) -> StoredRow | None:
        return await self._deployment.database.read(lambda connection: bulk.next_ready(connection, job.id))

    async def _settle(self, job: Job, row: StoredRow) -> bool:
        """Make the offer of one row; what cannot be offered is refused with its reason."""
        deployment = self._deployment
        try:
            prepared = await offering.prepare_offer(deployment, _wanted(deployment, job, row))
        except Unreachable:
            raise
        except ComityError as error:
            problem = (f"$: {error.code.value}",)
            await self._refuse(job, row, problem)
            return False

        def save(connection: Connection) -> bool:
            with connection.begin_nested() as together:
                offering.save_offer(connection, prepared.offer, actor=job.created_by)
                is_ours = bulk.settle(
                    connection, job.id, row.number, state=RowState.OFFERED, offer_id=prepared.offer.id
                )
                if not is_ours:
                    together.rollback()
            return is_ours

        return await deployment.database.write(save)

    async def _refuse(self, job: Job, row: StoredRow, problem: tuple[str, ...]) -> None:
        await self._deployment.database.write(
            lambda connection: bulk.settle(connection, job.id, row.number, state=RowState.REFUSED, problems=problem)
        )


def _wanted(deployment: Deployment, job: Job, row: StoredRow) -> Wanted:
    found = cells(deployment, job, row)
    today = datetime.fromtimestamp(deployment.now(), tz=UTC).date()
    return Wanted(
        authority=job.authority,
        type_name=f"{job.type.slug}/{job.type.version}",
        claims=fields.read(job.type, found, today=today).claims,
        record_reference=found.get(spreadsheet.RECORD),
        batch_size=1,
        is_for_later=True,
    )


def _context(job_id: str, number: int) -> str:
    return f"{job_id}/{number}"


def _tell(connection: Connection, job: Job, action: str, *, actor: str, at: int) -> None:
    event = audit.Event(at=at, actor=actor, action=action, authority=job.authority, subject=job.id)
    audit.record(connection, event)
