"""The table of faults: the rows from their list, the tests that carry their marks, and what the last long run said.

Read from the sources, so that it costs no collection and cannot depend on what was selected.
"""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
ROOT = TESTS.parent
DOCUMENT = ROOT / "docs" / "faults.md"
REQUIRED = frozenset(f"F{number:02}" for number in (*range(1, 21), 26, *range(29, 32), *range(33, 40), 42))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault: what happens, which promises it must not break, its tests, or why it has none.

    ``told`` says what the tests leave untried; ``tests`` are node ids without parameters, sorted.
    """

    name: str
    words: str
    promises: str
    told: str
    reason: str
    tests: tuple[str, ...]


def rows() -> tuple[Row, ...]:
    """Return every row of ``rows.toml``, in its order, with its tests."""
    return tuple(
        Row(
            name=name,
            words=said["words"],
            promises=said["promises"],
            told=said.get("told", ""),
            reason=said.get("reason", ""),
            tests=tuple(sorted(test for test, fault in marks() if fault == name)),
        )
        for name, said in _read("rows.toml").items()
    )


@cache
def marks() -> frozenset[tuple[str, str]]:
    """Return (test, fault) for each ``pytest.mark.fault``; on a module it counts for all its tests."""
    found: set[tuple[str, str]] = set()
    for file in sorted(TESTS.rglob("test_*.py")):
        source = file.read_text(encoding="utf-8")
        if "mark.fault(" in source:
            found.update(_tests(ast.parse(source).body, file.relative_to(ROOT).as_posix()))
    return frozenset(found)


def _tests(body: list[ast.stmt], path: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for said in node.decorator_list:
                yield from ((f"{path}::{node.name}", fault) for fault in _faults(said))
        elif isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{path}::{node.name}")


def _faults(said: ast.expr) -> Iterator[str]:
    """Return what ``@pytest.mark.fault(…)`` names; nothing for any other decorator."""
    if isinstance(said, ast.Call) and ast.unparse(said.func) == "pytest.mark.fault":
        yield from (str(ast.literal_eval(each)) for each in said.args)


def document() -> str:
    """Return ``docs/faults.md``."""
    found = rows()
    lines = [
        "# Faults",
        "",
        "Made by `python -m tests.faults` from the marks in the tests; a test says when it no longer fits them.",
        "A real service is broken at every durable step, and an outside ledger is held against what is left",
        "(decision records 0028 and 0033). The promises, which no fault may break:",
        "",
        *(f"- **{name}** {words}" for name, words in _read("promises.toml").items()),
        "",
        "## Rows",
        "",
        f"Rows with tests: {sum(bool(row.tests) for row in found)} of {len(found)}.",
        "",
        "| fault | what happens | promises | tests, or why there are none |",
        "|---|---|---|---|",
        *(_line(row) for row in found),
        "",
        "## Failpoints",
        "",
        "`make test` kills at each of them and tries a sample of the other faults by a printed seed; `make test-long`",
        "tries every one with `kill`, `SIGTERM`, an exception, a stall of ten seconds and a full disk, on SQLite and",
        "on PostgreSQL.",
        "",
        *(f"- {name}: {', '.join(f'`{each}`' for each in places)}" for name, places in failpoints().items()),
        "",
        "Not broken:",
        "",
        *(f"- {group['why']} ({', '.join(f'`{each}`' for each in group['units'])})" for group in unbroken()),
        "",
        "## The last long run",
        "",
        *_long(_read("long.toml")),
        "",
    ]
    return "\n".join(lines)


def failpoints() -> dict[str, tuple[str, ...]]:
    """Return the failpoints of each flow."""
    from tests.faults import authorizing, holding, issuing, signing_in, verifying, websites

    return {
        "issuer, pre-authorized code": issuing.FAILPOINTS,
        "issuer, authorization code": authorizing.FAILPOINTS,
        "wallet": holding.FAILPOINTS,
        "verifier": verifying.FAILPOINTS,
        "verifier, signing in at a website": signing_in.FAILPOINTS,
        "verifier, commands for websites": websites.FAILPOINTS,
    }


def unbroken() -> list[dict[str, Any]]:
    """Return the durable steps at which nothing is broken, by the reason (``why``, ``units``)."""
    found: list[dict[str, Any]] = _read("unbroken.toml")["group"]
    return found


def _line(row: Row) -> str:
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in row.tests)
    said = "<br>".join(each for each in (tests, row.told, row.reason) if each)
    return f"| {row.name} | {row.words} | {row.promises} | {said} |"


def _long(said: dict[str, Any]) -> list[str]:
    """Return what was run, when, and what came of it, as it was written down."""
    lines = [said["words"], "", "| what | database | how much | result | date |", "|---|---|---|---|---|"]
    lines += [
        f"| {each['what']} | {each['database']} | {each['rounds']} | {each['result']} | {each['date']} |"
        for each in said.get("run", [])
    ]
    return lines


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))
