"""From the start of a service's process to its first answer, beside a bare ASGI application under the same server.

The issuer is started a first time before, so that keys, database and lists are there, as they are when an installation
is started again. What counts is the CPU of the process until it answers, from ``/proc``; both read compiled bytecode.

Beside it stands what the libraries cost alone, loaded as we load and with nothing of ours (``benchmarks/floor.md``): an
application of the same web framework, database toolkit, settings, log and command line with one route; one of the web
framework and the database toolkit alone; and one of the web framework alone.
"""

import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.credentials import Row
from benchmarks.endpoint import cpu_nanoseconds
from comity.demo.processes import HOST, command, environment, free_ports
from tests.services.issuer.deployed import Place

ROUNDS, PATIENCE_SECONDS = 5, 60.0
_BARE = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, host=sys.argv[1], port=int(sys.argv[2]), log_level="error", lifespan="off")
"""
_FRAMEWORK = """
import gc, sys
gc.disable()
import fastapi, uvicorn
app = fastapi.FastAPI()
@app.get("/healthz")
async def healthz(): return {"status": "ok"}
gc.freeze()
gc.enable()
uvicorn.run(app, host=sys.argv[1], port=int(sys.argv[2]), log_level="error", access_log=False)
"""
_SELECT = """
import sqlalchemy
with sqlalchemy.create_engine("sqlite://").connect() as connection:
    connection.execute(sqlalchemy.text("SELECT 1"))
"""
_WITH_DATABASE = _FRAMEWORK.replace("gc.freeze()\n", f"{_SELECT}gc.freeze()\n")
_LIBRARIES = """
import gc, sys
gc.disable()
import typer, structlog, fastapi, pydantic_settings, sqlalchemy, uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
app = fastapi.FastAPI()
@app.get("/healthz")
async def healthz(): return {"status": "ok"}
with sqlalchemy.create_engine("sqlite://").connect() as connection:
    connection.execute(sqlalchemy.text("SELECT 1"))
gc.freeze()
gc.enable()
uvicorn.run(app, host=sys.argv[1], port=int(sys.argv[2]), log_level="error", access_log=False)
"""
_ALONE = {
    "the issuer's libraries, with nothing of ours": _LIBRARIES,
    "FastAPI and SQLAlchemy, with one route and nothing else": _WITH_DATABASE,
    "FastAPI, with one route and nothing else": _FRAMEWORK,
}


def measure() -> list[Row]:
    """Start each in turn."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "place")
        place.prepare()
        settings = _settings(place)
        _issuer(settings)
        started = [(_issuer(settings), *map(_application, (*_ALONE.values(), _BARE))) for _ in range(ROUNDS)]
    ours, *alone, bare = (min(each) for each in zip(*started, strict=True))
    against = "bare ASGI application under uvicorn"
    return [
        Row(
            measure="cold start of the issuer to its first answer",
            against=against,
            ours_us=ours,
            yardstick_us=bare,
            must=3.0,
        ),
        *(
            Row(measure=f"cold start of {what}", against=against, ours_us=took, yardstick_us=bare)
            for what, took in zip(_ALONE, alone, strict=True)
        ),
    ]


def _settings(place: Place) -> Mapping[str, str]:
    named = place.settings().model_dump(exclude_none=True)
    plain = {name: value for name, value in named.items() if isinstance(value, str | int | float | Path)}
    return {f"ISSUER_{name.upper()}": str(value) for name, value in plain.items()}


def _issuer(settings: Mapping[str, str]) -> float:
    (port,) = free_ports(1)
    return _until_answered(command("issuer", "serve", "--port", str(port)), port, environment(settings))


def _application(code: str) -> float:
    (port,) = free_ports(1)
    return _until_answered([sys.executable, "-c", code, HOST, str(port)], port, environment({}))


def _until_answered(arguments: list[str], port: int, variables: Mapping[str, str]) -> float:
    """Return the CPU, in microseconds, that the process took until it answered; it is stopped then."""
    process = subprocess.Popen(  # noqa: S603  # our own commands
        arguments, env=dict(variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{arguments[-4:]} does not answer")
            time.sleep(0.01)
        return cpu_nanoseconds(process.pid) / 1000
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
