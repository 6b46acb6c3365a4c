"""What the house looks like: small files, small functions, names that say what is inside, nothing left for later."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = ("comity", "issuer", "wallet", "verifier", "schemas", "tests", "benchmarks", "docs", "requirements")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
VAGUE = {"utils", "util", "common", "core", "helpers", "helper", "misc", "services"}
TEXTS = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".txt",
    ".in",
    ".json",
    ".jsonld",
    ".po",
    ".html",
    ".css",
    ".js",
    ".cfg",
}
REGISTRY_HOST = re.compile(
    r"\b(pypi|pythonhosted|npmjs|npmmirror|crates|docker|ghcr|quay|gcr|jsdelivr|unpkg|cdnjs)\.(org|com|io|net)\b"
    r"|--(extra-)?inde[x]-url|--find-link[s]"
)
LEFT_FOR_LATER = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b|pragma: [n]o cover")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def own_files() -> Iterator[Path]:
    """Yield every file of the project: its folders and the files at the top, without what ``make coverage`` leaves."""
    yield from (p for p in sorted(ROOT.iterdir()) if p.is_file() and not p.name.startswith(".coverage"))
    for name in OWN:
        yield from (p for p in sorted((ROOT / name).rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


def python_files() -> list[Path]:
    """Return the files that are code."""
    return [path for path in own_files() if path.suffix == ".py"]


def readable_files() -> list[Path]:
    """Return the files that are text."""
    return [path for path in own_files() if path.suffix in TEXTS or (path.suffix == "" and path.name != "LICENSE")]


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_functions(source: str) -> list[str]:
    """Return the functions whose own code is longer than allowed.

    Not counted: decorators, the docstring, and functions defined inside, which are judged by themselves.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function) and _own_lines(node) > MAX_FUNCTION_LINES:
            found.append(f"{node.name}: {_own_lines(node)} lines")
    return found


def _own_lines(function: Function) -> int:
    inner = [node for node in function.body if isinstance(node, Function)]
    docstring = function.body[:1] if ast.get_docstring(function) is not None else []
    return _lines(function) - sum(_lines(node) for node in [*inner, *docstring])


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def vague_names(path: Path) -> set[str]:
    """Return the parts of ``path`` that do not say what is inside."""
    parts = path.with_suffix("").parts
    return {part for part in parts if part in VAGUE} - ({"services"} if parts[:2] == ("tests", "services") else set())


def test_there_is_something_to_look_at() -> None:
    found = python_files()
    assert len(found) > 60
    assert {"comity", "tests", "schemas"} <= {path.relative_to(ROOT).parts[0] for path in found}


def test_no_file_is_longer_than_allowed() -> None:
    lengths = {_id(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_allowed() -> None:
    judged = [path for path in python_files() if path.parts[-3:-1] != ("migrations", "versions")]  # lists of tables
    found = {_id(path): long_functions(path.read_text(encoding="utf-8")) for path in judged}
    assert {name: functions for name, functions in found.items() if functions} == {}


def test_every_name_says_what_is_inside() -> None:
    found = {_id(path): vague_names(path.relative_to(ROOT)) for path in own_files()}
    assert {name: parts for name, parts in found.items() if parts} == {}


def test_no_registry_is_named() -> None:
    assert [_id(path) for path in readable_files() if REGISTRY_HOST.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_is_left_for_later() -> None:
    assert [_id(path) for path in readable_files() if LEFT_FOR_LATER.search(path.read_text(encoding="utf-8"))] == []


# --- the rules themselves


def test_a_long_function_is_found() -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    assert long_functions(f"def f():\n{body}") == ["f: 41 lines"]
    assert long_functions(f"class C:\n    async def f(self):\n{body.replace('    x', '        x')}") == ["f: 41 lines"]
    inner = body.replace("    x", "        x")
    assert long_functions(f"def f():\n    def g():\n{inner}    return g\n") == ["g: 41 lines"]
    assert long_functions(f"def f():\n{body}    def g():\n        return 1\n") == ["f: 41 lines"]
    assert long_functions(f'def f():\n    """One.\n\n    Two.\n    """\n{body[10:]}') == []


@pytest.mark.parametrize("name", ["comity/utils.py", "issuer/common/x.py", "comity/core/__init__.py", "services/x.py"])
def test_a_vague_name_is_found(name: str) -> None:
    assert vague_names(Path(name))


@pytest.mark.parametrize("name", ["tests/services/test_issuer.py", "comity/keys.py"])
def test_a_good_name_passes(name: str) -> None:
    assert not vague_names(Path(name))


@pytest.mark.parametrize(
    "host",
    ["https://{}.org/simple".format("pypi"), "files.{}.org".format("pythonhosted"), "--{} x".format("index-url")],
)
def test_a_registry_host_is_found(host: str) -> None:
    assert REGISTRY_HOST.search(host)


@pytest.mark.parametrize("mark", ["# {} later".format("TO" + "DO"), "FIX" + "ME:", "# pragma: no " + "cover"])
def test_a_mark_for_later_is_found(mark: str) -> None:
    assert LEFT_FOR_LATER.search(mark)
