"""Which tests carry which marks of ours.

Read from the sources, so that it costs no collection and cannot depend on what was selected.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
OURS = ("clause", "derived", "attack", "good_twin")


def marked(mark: str, name: str) -> tuple[str, ...]:
    """Return the tests that carry ``pytest.mark.<mark>`` with ``name`` among its arguments, sorted."""
    return tuple(sorted(test for test, kind, said in marks() if kind == mark and said == name))


@cache
def marks() -> frozenset[tuple[str, str, str]]:
    """Return (test, mark, argument) for each mark of ours in the sources; marks stand on the tests themselves.

    A test is named by its node id without parameters.
    """
    found: set[tuple[str, str, str]] = set()
    for file in sorted(TESTS.rglob("test_*.py")):
        source = file.read_text(encoding="utf-8")
        if any(f"mark.{each}(" in source for each in OURS):
            found.update(_marks_in(ast.parse(source), file.relative_to(ROOT).as_posix()))
    return frozenset(found)


def _marks_in(tree: ast.Module, path: str) -> Iterator[tuple[str, str, str]]:
    for name, said in _tests(tree.body, path):
        for call in (each for expression in said for each in ast.walk(expression) if isinstance(each, ast.Call)):
            if _mark(call) in OURS:
                for argument in call.args:
                    yield name, _mark(call), str(ast.literal_eval(argument))


def _tests(body: list[ast.stmt], path: str) -> Iterator[tuple[str, list[ast.expr]]]:
    """Return each test below ``path`` with its decorators; tests may be methods of a class."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield f"{path}::{node.name}", node.decorator_list
        elif isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{path}::{node.name}")


def _mark(call: ast.Call) -> str:
    """Return the name of the mark that ``call`` makes (``pytest.mark.clause(…)`` gives ``clause``), or ""."""
    made = call.func
    return made.attr if isinstance(made, ast.Attribute) and ast.unparse(made.value) == "pytest.mark" else ""
