"""Every durable step of the services, read from their sources: what is handed to ``database.write``, by its name."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("issuer", "wallet", "verifier")


def units(service: str) -> set[str]:
    """Return the names of a service's units as failpoints have them: ``module.function`` and what is within it."""
    found: set[str] = set()
    for file in sorted((ROOT / service).rglob("*.py")):
        found.update(_in(ast.parse(file.read_text("utf-8")), file.stem, ()))
    return found


def _in(node: ast.AST, module: str, within: tuple[str, ...]) -> Iterator[str]:
    named = dict(_assigned(node))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _in(child, module, (*within, child.name))
        else:
            yield from (name for call in _writes(child) for name in _named(call.args[0], module, within, named))


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for each in ast.walk(node):
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def _writes(node: ast.AST) -> Iterator[ast.Call]:
    """Return the calls of ``….database.write`` below a statement, but not those of functions within it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    match node:
        case ast.Call(func=ast.Attribute(attr="write", value=value)) if ast.unparse(value).endswith("database"):
            yield node
    for child in ast.iter_child_nodes(node):
        yield from _writes(child)


def _named(unit: ast.expr, module: str, within: tuple[str, ...], named: Mapping[str, ast.expr]) -> Iterator[str]:
    match unit:
        case ast.Lambda():
            yield ".".join((module, *within, "<lambda>"))
        case ast.Call(func=ast.Name(id="partial")):
            yield ast.unparse(unit.args[0])
        case ast.Name(id=name) if name in named:
            yield from _named(named[name], module, within, {})
        case ast.Name(id=name):
            yield ".".join((module, *within, name))
