"""Publication of status lists: from stored rows to signed files that any static host can serve.

One list is three files in a folder of its own, each with a gzip twin::

    <directory>/<authority>/status/<n>/token               …/status/<n>              application/statuslist+jwt
    <directory>/<authority>/status/<n>/revocation          …/status/<n>/revocation   application/vc+jwt
    <directory>/<authority>/status/<n>/suspension          …/status/<n>/suspension   application/vc+jwt

and one document that names all token lists of an authority (:mod:`issuer.aggregation`)::

    <directory>/<authority>/status/lists                   …/status/lists            application/json

The first URL of a list is also the folder of the other two, which is why its file is called ``token``. ``comity issuer
status-host`` maps them; in nginx it is ``try_files $uri/token $uri =404``.

Who changes a status only marks the list in the same transaction. What is marked is written here, also after a crash,
and by one process at a time: see :mod:`issuer.list_folder`.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from msgspec import Struct

from comity.credential import Status
from comity.errors import Code, Misconfigured, Unreachable
from comity.ports import Clock
from comity.runtime.database import Database
from comity.runtime.logging import without_message
from comity.status import bitstring_list, token_list
from comity.status.bits import StatusBits
from comity.status.status_list import REVOCATION, SUSPENSION
from issuer import aggregation
from issuer.authorities import Authority
from issuer.list_folder import ListFolder, alone_in, holds, leaf_of, numbers_in
from issuer.store import Connection
from issuer.store import status_lists as store
from issuer.store.status_lists import ListState

TOKEN_FILE = "token"
PURPOSES = {REVOCATION: Status.REVOKED, SUSPENSION: Status.SUSPENDED}
_FILES = (TOKEN_FILE, *PURPOSES)
_PAUSE_AFTER_FAILURE = 5.0
_LONGEST_PAUSE = 30.0  # a list that closed must be replaced before the other one is full

_log = structlog.get_logger("issuer.status_lists")


class ListRules(Struct, frozen=True, kw_only=True):
    """How lists are made; durations in seconds."""

    directory: Path
    ttl_seconds: int
    valid_seconds: int
    size: int
    open_lists: int
    publish_seconds: float


class Publisher:
    """Writes the lists of all authorities of one deployment."""

    def __init__(
        self, *, authorities: Mapping[str, Authority], database: Database, clock: Clock, rules: ListRules
    ) -> None:
        self._authorities = authorities
        self._database = database
        self._clock = clock
        self._rules = rules
        self._changed = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def wake(self) -> None:
        """Say that a list was marked; it is written after the gathering time."""
        self._changed.set()

    async def start(self) -> None:
        """Open lists where there are too few and write everything that is marked, due, missing, or of another key.

        What another process holds now is left to :meth:`run`; until then ``/readyz`` says what is missing.

        Raises:
            Misconfigured: the folder holds lists that the database does not know.
        """
        await self._require_known()
        await self._open_lists()
        try:
            await self.publish_due()
            states = await self._database.read(store.all_lists)
            await self._publish([state for state in states if await self._is_lost(state)])
        except Unreachable:
            self._changed.set()

    async def _require_known(self) -> None:
        """Refuse to begin anew over published lists: a lost database would take their revocations with it."""
        folders = {path: self._rules.directory / path / "status" for path in self._authorities}
        # The folder first: a list that another worker opens meanwhile has its row before it has its files.
        there = {(path, number) for path, folder in folders.items() for number in numbers_in(folder, TOKEN_FILE)}
        states = await self._database.read(store.all_lists)
        if there - {(state.authority, state.number) for state in states}:
            raise Misconfigured(
                Code.MISCONFIGURED,
                "the status directory holds lists that the database does not know: restore a backup of the database",
            )

    async def run(self) -> None:
        """Write marked lists as changes come, and every list anew before it ends; until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_between_looks()):
                    await self._changed.wait()
            await asyncio.sleep(self._rules.publish_seconds)
            self._changed.clear()
            try:
                await self._open_lists()
                await self.publish_due()
            except Exception as error:  # noqa: BLE001 - the next round must come; the lists stay marked
                _log.error("publication failed", **without_message(error))
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
                self._changed.set()

    async def publish_due(self) -> int:
        """Write every list that is marked or soon ends; return how many were written by this process."""
        now = self._now()
        return await self._publish(await self._database.read(lambda connection: store.due(connection, now=now)))

    async def check(self) -> None:
        """Say whether every list of an authority that issues here stands on disk and none is overdue; for ``/readyz``.

        Raises:
            Unreachable: ``status_stale``.
        """
        now = self._now()
        states = [each for each in await self._database.read(store.all_lists) if each.authority in self._authorities]
        if not states or not all(self._is_fresh(state, now) for state in states):
            raise Unreachable(Code.STATUS_STALE, "a status list is not published or no longer fresh")

    def _is_fresh(self, state: ListState, now: int) -> bool:
        age_limit = self._rules.valid_seconds
        is_young = state.published_at is not None and now - state.published_at < age_limit
        return is_young and self._is_on_disk(state)

    async def _open_lists(self) -> None:
        rules = self._rules

        def ensure(connection: Connection) -> None:
            for path in self._authorities:
                store.ensure_open(connection, path, wanted=rules.open_lists, size=rules.size)

        await self._database.write(ensure)

    async def _publish(self, states: Sequence[ListState]) -> int:
        """Write these lists, each unless another process was faster; return how many were written.

        Raises:
            Unreachable: ``busy``: another process held one of them; all the others were written.
            OSError: one of them could not be written; all the others were.
        """
        written, problem = 0, None
        async with self._one_at_a_time:
            for state in states:
                authority = self._authorities.get(state.authority)
                if authority is None:  # lists of an authority that left stay as they are
                    continue
                try:
                    async with alone_in(self._folder(state)) as folder:
                        written += await self._publish_into(folder, authority, state)
                except (Unreachable, OSError) as error:  # it stays marked, and the other lists must not wait for it
                    problem = error
        for authority in self._authorities.values():
            await aggregation.write(authority, self._rules.directory, list_file=TOKEN_FILE)
        if problem is not None:
            raise problem
        return written

    async def _publish_into(self, folder: ListFolder, authority: Authority, state: ListState) -> bool:
        begun = await self._begin(folder, state)
        if begun is None:
            return False
        # The count of changes is read before the rows: a change made meanwhile is written now or marked for later.
        entries = await self._database.read(lambda connection: store.statuses(connection, begun.id))
        # Verifiers refuse a list older than one they saw (TSL §11.5): time never goes back, whatever the clock does.
        issued_at = datetime.fromtimestamp(max(self._now(), begun.published_at or 0), tz=self._clock.now().tzinfo)
        # In a thread: packing and signing take a while.
        documents = await asyncio.to_thread(self.documents, authority, begun, entries, issued_at)
        files = {name: text.encode("ascii") for name, text in documents.items()}
        if not await folder.write(files, fence=begun.fence):
            return False
        published_at = int(issued_at.timestamp())
        republish_at = published_at + self._rules.valid_seconds // 2
        mark = partial(store.mark_published, state=begun, published_at=published_at, republish_at=republish_at)
        await self._database.write(mark)
        _log.info("status list published", authority=authority.path, list=begun.number, entries=len(entries))
        return True

    async def _begin(self, folder: ListFolder, state: ListState) -> ListState | None:
        """Take the next number of this list, under its lock; None when there is nothing left to do."""
        now, is_lost = self._now(), await self._is_lost(state)

        def begin(connection: Connection) -> ListState | None:
            return store.begin_publication(connection, state.id, now=now, above=folder.fence, is_lost=is_lost)

        return await self._database.write(begin)

    def documents(
        self,
        authority: Authority,
        state: ListState,
        entries: Sequence[tuple[int, Status]],
        issued_at: datetime,
    ) -> dict[str, str]:
        """Return the signed forms of one list by file name: one bit store, three views."""
        bits = StatusBits(state.size, 2)
        for index, status in entries:
            bits.set(index, status.value)
        uri, ends_at = authority.list_uri(state.number), issued_at + timedelta(seconds=self._rules.valid_seconds)
        token = token_list.sign(
            uri=uri,
            bits=bits,
            ttl_seconds=self._rules.ttl_seconds,
            issued_at=issued_at,
            expires_at=ends_at,
            signer=authority.status_signer,
            key=authority.status_chain,
            aggregation_uri=authority.aggregation_uri,
        )
        lists = {
            purpose: bitstring_list.sign(
                uri=f"{uri}/{purpose}",
                purpose=purpose,
                bits=bits.plane(status.value),
                issuer=authority.did,
                ttl_seconds=self._rules.ttl_seconds,
                valid_from=issued_at,
                valid_until=ends_at,
                signer=authority.status_signer,
                key=authority.status_kid,
            )
            for purpose, status in PURPOSES.items()
        }
        return {TOKEN_FILE: token, **lists}

    def _folder(self, state: ListState) -> Path:
        return self._rules.directory / state.authority / "status" / str(state.number)

    async def _is_lost(self, state: ListState) -> bool:
        """Say whether the list has to be written whatever its row says: its files are gone, or of an exchanged key."""
        authority = self._authorities.get(state.authority)
        if not self._is_on_disk(state) or authority is None:
            return True
        leaf = await asyncio.to_thread(leaf_of, self._folder(state) / TOKEN_FILE)
        return leaf != authority.status_chain.chain[0]

    def _is_on_disk(self, state: ListState) -> bool:
        return holds(self._folder(state), _FILES)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def _seconds_between_looks(self) -> float:
        return max(1.0, min(_LONGEST_PAUSE, self._rules.valid_seconds / 8))
