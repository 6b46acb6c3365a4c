"""Real servers in processes of their own."""

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest

from comity.errors import Misconfigured
from comity.web import serving
from comity.web.patience import PatientProtocol
from comity.web.serving import configuration, listen, serve

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from fastapi import FastAPI
from comity.runtime.settings import ServiceSettings
from comity.web.app import create_base
from comity.web.serving import serve

@asynccontextmanager
async def lifespan(app):
    yield
    sys.stdout.write("closed\\n"); sys.stdout.flush()

app = create_base(ServiceSettings(public_url="http://localhost:1"), title="lamp", version="1", lifespan=lifespan)

@app.get("/slow")
async def slow():
    sys.stdout.write("asked\\n"); sys.stdout.flush()
    await asyncio.sleep(0.5)
    return {"slow": True}

serve(app, "localhost", int(sys.argv[1]), name="lamp")
"""


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline().strip()
            yield process, int(line.rpartition(":")[2]) if line else 0
        finally:
            process.kill()


def ask(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    try:
        connection.request("GET", path, headers={"X-Forwarded-Host": "evil.example"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_it_says_where_it_listens_and_ends_gracefully() -> None:
    with running("0") as (process, port):
        status, headers, _ = ask(port, "/healthz?token=secret")
        assert status == 200
        assert "server" not in headers
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(ask(port, "/slow")[0]))
        asking.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        os.kill(process.pid, signal.SIGTERM)
        asking.join()
        out, err = process.communicate(timeout=60)
    assert answers == [200], "a running request is finished"
    assert "closed" in out
    assert "secret" not in out + err
    assert "Traceback" not in err


Scope = MutableMapping[str, Any]


async def lamp(scope: Scope, receive: Any, send: Any) -> None:
    """Answer everything with its path, and follow the lifespan."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def broken(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed"})


def test_ctrl_c_is_a_quiet_end() -> None:
    said: list[str] = []
    asked: list[tuple[int, bytes]] = []

    def use(line: str) -> None:
        def ask_then_stop() -> None:
            port = int(line.rpartition(":")[2])
            status, _, content = ask(port, "/here")
            asked.append((status, content))
            os.kill(os.getpid(), signal.SIGINT)

        said.append(line)
        threading.Thread(target=ask_then_stop).start()

    serve(lamp, "localhost", 0, name="lamp", say=use)
    assert asked == [(200, b"/here")]
    assert said[0].startswith("lamp http://localhost:")


def test_an_application_that_cannot_start_ends_it() -> None:
    with pytest.raises(Misconfigured) as refused:
        serve(broken, "localhost", 0, name="lamp", say=lambda _: None)
    assert "lamp could not start" in refused.value.detail


def test_a_port_that_is_taken_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as refused:
            serve(lamp, "localhost", port)
        assert str(port) in refused.value.detail


def test_when_the_second_address_is_taken_the_first_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        both = [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        with pytest.raises(Misconfigured):
            listen("localhost", port)
        monkeypatch.undo()
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_host_without_an_address_is_said_plainly() -> None:
    with pytest.raises(Misconfigured):
        listen("nothing.invalid", 0)


def test_every_address_of_a_host_is_listened_on_at_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        return [
            (socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", port)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.2", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    sockets = listen("localhost", 0)
    names = [each.getsockname() for each in sockets]
    for each in sockets:
        each.close()
    assert {name[0] for name in names} >= {"127.0.0.1", "127.0.0.2"}
    assert len({name[1] for name in names}) == 1


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_an_address_this_machine_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = socket.socket

    class Six(real):  # type: ignore[misc, valid-type]
        def __init__(self, family: int = -1, *rest: int, **named: object) -> None:
            if family == socket.AF_INET6 and number == errno.EAFNOSUPPORT:
                raise OSError(number, "no such family")
            super().__init__(socket.AF_INET, *rest)

        def setsockopt(self, level: int, *rest: object) -> None:
            if level != socket.IPPROTO_IPV6:
                super().setsockopt(level, *rest)

        def bind(self, address: tuple[str, int]) -> None:
            raise OSError(number, "not here")

    monkeypatch.setattr(socket, "socket", Six)
    assert serving._open(socket.AF_INET6, ("::1", 0)) is None
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0))])
    with pytest.raises(Misconfigured):
        listen("localhost", 0)


def test_other_socket_failures_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(socket, "socket", full)
    with pytest.raises(Misconfigured) as refused:
        listen("localhost", 0)
    assert "too many open files" in refused.value.detail


def test_uvicorn_is_set_as_the_house_wants() -> None:
    config = configuration(lamp)
    assert (config.loop, config.http, config.ws) == ("uvloop", PatientProtocol, "none")
    assert not config.access_log
    assert not config.proxy_headers
    assert not config.server_header


def test_ipv6_hosts_are_shown_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    assert serving._bracketed("::1") == "[::1]"
    assert serving._bracketed("localhost") == "localhost"
    serving._print("lamp http://localhost:1")
    assert capsys.readouterr().out == "lamp http://localhost:1\n"
