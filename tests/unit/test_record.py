"""Records that are made in C are frozen all the same, and print no more than the others."""

import ast
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.pretty import pretty_repr

import comity
from comity import formats
from comity.credential import Format
from comity.formats import sd_jwt
from comity.formats.opened import HeldCredential
from comity.jose import Jws
from comity.record import Discreet
from tests.support.world import DEMO_CLAIMS, PERSON, World

JWS = Jws(header={}, payload=b"Canary", signing_input=b"", signature=b"", encoded="a.b.c")


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _records() -> list[type[msgspec.Struct]]:
    for folder in ("formats", "verification"):
        package = import_module(f"comity.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            import_module(f"comity.{folder}.{module.name}")
    found = [each for each in _below(msgspec.Struct) if each.__module__.startswith(f"{comity.__name__}.")]
    return sorted(found, key=lambda each: each.__qualname__)


@pytest.mark.parametrize("record", _records(), ids=lambda record: record.__qualname__)
def test_every_record_is_frozen_and_made_by_names_alone(record: Any) -> None:
    assert record.__struct_config__.frozen
    assert record.__match_args__ == ()
    assert set(getattr(record, "UNPRINTED", ())) <= set(record.__struct_fields__)


ROOT = Path(comity.__file__).parents[1]


@pytest.mark.parametrize("package", ["comity", "issuer", "verifier", "wallet"])
def test_every_record_of_a_service_says_so_too(package: str) -> None:
    found = list(_classes_in(ROOT / package))
    assert len(found) > 20
    for name, record in found:
        said = {each.arg: ast.unparse(each.value) for each in record.keywords}
        assert (name, said) == (name, {"frozen": "True", "kw_only": "True"})
        members = {ast.unparse(each.target) for each in record.body if isinstance(each, ast.AnnAssign)}
        assert (name, _unprinted(record) - members) == (name, set())


def _classes_in(folder: Path) -> Iterator[tuple[str, ast.ClassDef]]:
    for file in sorted(folder.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if file.name != "record.py" and ("(Struct" in source or "(Discreet" in source):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & {
                    "Struct",
                    "Discreet",
                }:
                    yield f"{file.relative_to(ROOT)}: {node.name}", node


def _unprinted(record: ast.ClassDef) -> set[str]:
    """Return what a record hides: a name that it does not have would hide nothing."""
    for each in record.body:
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "UNPRINTED":
            assert isinstance(each.value, ast.Call)
            hidden: set[str] = ast.literal_eval(each.value.args[0])
            assert hidden
            return hidden
    return set()


def test_a_member_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        JWS.payload = b""  # type: ignore[misc]
    assert msgspec.structs.replace(JWS, payload=b"").payload == b""
    assert JWS.payload == b"Canary"


def test_the_rest_is_printed_as_of_any_other_record() -> None:
    class Note(Discreet, frozen=True, kw_only=True):
        UNPRINTED = frozenset({"text"})
        number: int
        text: str

    assert repr(Note(number=1, text="Canary")) == pretty_repr(Note(number=1, text="Canary")) == "Note(number=1)"


@pytest.mark.parametrize("kind", list(Format))
def test_what_a_credential_says_is_not_printed(kind: Format) -> None:
    """Neither by ``repr`` nor by Rich, which prints the values in a traceback where somebody asks it to."""
    world = World()
    held = world.issue(world.on, kind, PERSON, claims={**DEMO_CLAIMS[PERSON], "family_name": "Canary"})
    presented = world.present(held, ("family_name",))
    opened = formats.FORMATS[kind].open(presented)
    processed = formats.FORMATS[kind].process(opened.credentials[0])
    assert processed.claims["family_name"] == "Canary"
    shown: list[object] = [opened, processed, HeldCredential(opened=opened, processed=processed)]
    if kind is Format.DC_SD_JWT:
        parts = sd_jwt.parse(presented)
        shown += [parts, sd_jwt.process_payload(opened.credentials[0].payload, parts.disclosures)]
    said = [*opened.credentials[0].disclosures, presented, held.encoded, "Canary"]
    assert [each for each in said for one in shown if each in repr(one) or each in pretty_repr(one)] == []
