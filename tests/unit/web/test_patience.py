"""Connections that take their time, on a clock that the test moves: the protocol as it is really configured (Q04)."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from uvicorn.server import ServerState

from comity.web import patience
from comity.web.patience import BODY_BYTES_A_SECOND, BODY_SECONDS, HEAD_SECONDS, MAX_HEAD_BYTES, READ_SECONDS
from comity.web.serving import KEEP_ALIVE_SECONDS, configuration
from tests.unit.web.test_serving import lamp

HEAD = b"POST / HTTP/1.1\r\nhost: a.example\r\n"
WHOLE = HEAD + b"content-length: 2\r\n\r\n{}"


@dataclass
class Timer:
    due: float
    call: Callable[[], object]
    is_over: bool = False

    def cancel(self) -> None:
        self.is_over = True


class Task:
    def add_done_callback(self, _: Callable[[object], object]) -> None:
        """Nobody is told here."""


@dataclass
class Loop:
    """Time, timers and tasks, none of which move by themselves."""

    now: float = 100.0
    timers: list[Timer] = field(default_factory=list)
    tasks: list[Coroutine[Any, Any, None]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def create_task(self, coroutine: Coroutine[Any, Any, None], **_: Any) -> Any:
        self.tasks.append(coroutine)
        return Task()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [each for each in self.timers if not each.is_over and each.due <= end]:
            first = min(due, key=lambda each: each.due)
            first.is_over, self.now = True, max(self.now, first.due)
            first.call()
        self.now = end


@dataclass
class Line:
    """The transport: what was written, and how it ended."""

    written: bytes = b""
    ended: str = ""
    unread: int = 0

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, _name: str) -> None:
        return None

    def pause_reading(self) -> None:
        """Nothing comes by itself here."""

    resume_reading = pause_reading


@dataclass
class Connection:
    """One connection to the server as :func:`configuration` sets it up."""

    loop: Loop = field(default_factory=Loop)
    line: Line = field(default_factory=Line)
    app: Any = lamp

    def __post_init__(self) -> None:
        config = configuration(self.app)
        config.load()
        made = cast("Any", config.http_protocol_class)
        self.protocol = made(config=config, server_state=ServerState(), app_state={}, _loop=self.loop)
        self.protocol.connection_made(self.line)

    def send(self, *pieces: bytes, every: float = 0.0) -> None:
        for piece in pieces:
            if not self.line.ended:
                self.protocol.data_received(piece)
                self.loop.advance(every)

    def answer(self) -> None:
        """Let the application answer what has come."""
        asyncio.run(self.loop.tasks.pop())


@pytest.fixture
def connection() -> Any:
    opened = Connection()
    yield opened
    for task in opened.loop.tasks:
        task.close()


@pytest.mark.attack("Q04")
@pytest.mark.parametrize("pieces", [[], [HEAD], [bytes([each]) for each in HEAD], [b"\r\n"] * 40])
def test_a_head_that_does_not_end_is_not_waited_for(connection: Connection, pieces: list[bytes]) -> None:
    connection.send(*pieces, every=1.0)
    connection.loop.advance(HEAD_SECONDS)
    assert (connection.line.ended, connection.loop.now >= 100 + HEAD_SECONDS) == ("closed", True)
    assert connection.loop.tasks == [], "nobody worked on it"


@pytest.mark.attack("Q04")
def test_nor_is_the_next_one_on_the_same_connection(connection: Connection) -> None:
    connection.send(WHOLE)
    connection.answer()
    connection.loop.advance(KEEP_ALIVE_SECONDS - 1)
    assert connection.line.ended == ""
    connection.send(*[b"\r\n"] * 40, every=1.0)
    assert connection.line.ended == "closed"


@pytest.mark.attack("Q04")
def test_a_head_without_end_is_refused_by_its_size(connection: Connection) -> None:
    connection.send(HEAD, *[b"x-%d: " % each + b"y" * 8000 + b"\r\n" for each in range(10)])
    assert connection.line.written.startswith(b"HTTP/1.1 400 ")
    assert connection.line.ended == "closed"
    again = Connection()
    again.send(HEAD + b"x: " + b"y" * (MAX_HEAD_BYTES - 1000), b"\r\n\r\n")
    assert len(again.loop.tasks) == 1
    again.loop.tasks.pop().close()


@pytest.mark.attack("Q04")
def test_a_body_that_does_not_end_is_not_waited_for(connection: Connection) -> None:
    connection.send(HEAD + b"content-length: 1000000\r\n\r\n")
    assert len(connection.loop.tasks) == 1
    connection.send(*[b"x"] * 100, every=1.0)
    assert connection.line.ended == "closed"
    assert connection.loop.now - 100 <= BODY_SECONDS + 2
    assert connection.protocol.cycle.more_body


@pytest.mark.good_twin("Q04")
def test_a_body_that_comes_on_is_waited_for(connection: Connection) -> None:
    """Longer than the first patience lasts, at the slowest pace that is borne; then it is answered, and again."""
    size = 60 * BODY_BYTES_A_SECOND
    connection.send(HEAD + b"content-length: %d\r\n\r\n" % size)
    connection.protocol.flow.resume_reading()
    for _ in range(60):
        connection.send(b"x" * BODY_BYTES_A_SECOND, every=1.0)
        connection.protocol.flow.resume_reading()
    assert (connection.line.ended, connection.protocol.cycle.more_body) == ("", False)
    connection.loop.advance(3600)  # however long the answer takes
    connection.answer()
    connection.send(WHOLE)
    connection.answer()
    assert connection.line.written.count(b"HTTP/1.1 200 ") == 2
    assert connection.line.ended == ""


def test_a_body_that_we_are_slow_to_take_is_nobody_elses_delay(connection: Connection) -> None:
    connection.send(HEAD + b"content-length: 1000000\r\n\r\n", b"x" * 70_000)
    assert connection.protocol.flow.read_paused
    connection.loop.advance(100 * BODY_SECONDS)
    assert connection.line.ended == ""
    connection.protocol.flow.resume_reading()
    connection.loop.advance(2 * BODY_SECONDS)
    assert connection.line.ended == "closed"


@pytest.mark.good_twin("Q04")
@pytest.mark.parametrize("pieces", [(b"", WHOLE), (HEAD + b"content-length: 2\r\n\r\n", b"{}")], ids=["head", "body"])
def test_what_came_while_we_stood_still_is_taken(connection: Connection, pieces: tuple[bytes, bytes]) -> None:
    """After a pause of the whole process its timers run before its sockets are read."""
    connection.send(*filter(None, pieces[:1]))
    connection.loop.now += 1000
    connection.loop.advance(0)
    connection.send(pieces[1])
    connection.loop.advance(READ_SECONDS)
    connection.answer()
    assert connection.line.written.startswith(b"HTTP/1.1 200 ")
    assert connection.line.ended == ""


@pytest.mark.attack("Q04")
def test_an_answer_that_nobody_reads_is_let_go(connection: Connection) -> None:
    connection.send(WHOLE)
    connection.protocol.pause_writing()
    connection.loop.advance(READ_SECONDS - 1)
    connection.protocol.resume_writing()  # it was read on in time
    connection.loop.advance(READ_SECONDS)
    assert connection.line.ended == ""
    connection.protocol.pause_writing()
    connection.loop.advance(READ_SECONDS)
    assert connection.line.ended == "aborted"


@pytest.mark.attack("Q04")
@pytest.mark.parametrize(("unread", "ended"), [(0, "closed"), (500, "aborted")])
def test_an_idle_connection_ends(connection: Connection, unread: int, ended: str) -> None:
    connection.send(WHOLE)
    connection.answer()
    connection.line.unread = unread
    connection.loop.advance(KEEP_ALIVE_SECONDS)
    assert connection.line.ended == ended


@pytest.mark.attack("Q04")
def test_the_last_answer_of_a_connection_is_read_in_time_as_well(connection: Connection) -> None:
    connection.send(HEAD + b"connection: close\r\ncontent-length: 0\r\n\r\n")
    connection.answer()
    assert connection.line.ended == "closed"  # and what is left in the buffer is written, for a while
    connection.loop.advance(READ_SECONDS)
    assert connection.line.ended == "aborted"


def test_a_connection_that_is_gone_leaves_no_timer(connection: Connection) -> None:
    connection.send(HEAD)
    connection.protocol.pause_writing()
    connection.protocol.connection_lost(None)
    assert all(each.is_over for each in connection.loop.timers)
    assert patience.READ_SECONDS > 0
