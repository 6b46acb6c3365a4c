"""What holds for every test: how hard Hypothesis tries, and the account of the published vectors."""

import gc
import os
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from comity.runtime.loading import loading
from tests.support import kept, nursery, postgres, vectors
from tests.support.databases import (  # noqa: F401  (pytest finds them here; no __all__: nested runs take everything)
    copied,
    created,
    database_kind,
    database_url,
    empty_database,
    pytest_generate_tests,
)

# The same examples at every run, so that a red run is red again; many more, and new ones, in `make test-long`.
# How fast an example is depends on what else the machine does, and is not what these tests are about.
_UNHURRIED: Mapping[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("short", max_examples=40, derandomize=True, **_UNHURRIED)
settings.register_profile("long", max_examples=500, print_blob=True, **_UNHURRIED)
settings.load_profile("long" if os.environ.get("COMITY_LONG") == "1" else "short")

MADE_OF_RANDOM = 30
"""From this length on a text in a parameter may be a key or a digest, different in each worker: it names no test."""


@pytest.fixture(autouse=True, scope="package")
def nothing_that_all_share_is_changed() -> Iterator[None]:
    """Name the folder whose tests changed what others read."""
    yield
    assert kept.changed() == []


@pytest.fixture(scope="session", autouse=True)
def nobody_is_left_in_the_nursery() -> Iterator[None]:
    """End the process that services are forked from."""
    yield
    nursery.close()


def pytest_configure(config: pytest.Config) -> None:
    """Name the run, so that all its processes find one PostgreSQL."""
    if postgres.begin_run():
        config.add_cleanup(postgres.end_run)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let nobody search the modules and the ten thousand tests for garbage, neither while they come nor afterwards."""
    with loading():
        found = yield
        gc.collect()
    return found


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name tests alike in every process."""
    return argname if isinstance(val, str | bytes) and len(val) >= MADE_OF_RANDOM else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what is marked with one ``xdist_group`` on one worker.

    xdist 3.8 writes the group into ``_nodeid``, which pytest 9.2 no longer reads (pytest-dev/pytest-xdist#1386).
    """
    for item in items if getattr(config.option, "loadgroup", False) else ():
        mark = item.get_closest_marker("xdist_group")
        if mark is not None and not item.nodeid.endswith(f"@{mark.args[0]}"):
            item._id = item.id.parse(f"{item.nodeid}@{mark.args[0]}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist counted. A worker that died says nothing, and its cases are missing."""
    vectors.CASES.update(getattr(node, "workeroutput", {}).get("vector_cases", {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts to the process that runs the workers; there, fail a full run that had too few cases."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["vector_cases"] = dict(vectors.CASES)
    elif session.exitstatus == pytest.ExitCode.OK and missing(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the account; each shortfall is an error in the summary."""
    terminalreporter.write_line(vectors.account(vectors.CASES, vectors.folder()))
    name = f"tests/support/{vectors.RECORDED.name}"
    for each in missing(config):
        report = pytest.TestReport(name, (name, None, each), {}, "failed", f"vector cases: {each}", "setup")
        terminalreporter.line(f"vector cases: {each}", red=True)
        terminalreporter.stats.setdefault("error", []).append(report)


def missing(config: pytest.Config) -> list[str]:
    """Return the shortfalls of a full run; a part of the tests has none."""
    if not vectors.is_full(config):
        return []
    return vectors.shortfalls(vectors.CASES, vectors.recorded(vectors.RECORDED), vectors.folder())
