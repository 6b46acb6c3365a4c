"""Records that are made in C are frozen all the same, and print no more than the others."""

import pkgutil
from importlib import import_module
from typing import Any

import msgspec
import pytest

import comity
from comity.jose import Jws
from comity.record import printed

JWS = Jws(header={}, payload=b"Canary", signing_input=b"", signature=b"", encoded="a.b.c")


def _records() -> list[type[msgspec.Struct]]:
    for folder in ("formats", "verification"):
        package = import_module(f"comity.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            import_module(f"comity.{folder}.{module.name}")
    found = [each for each in msgspec.Struct.__subclasses__() if each.__module__.startswith(f"{comity.__name__}.")]
    return sorted(found, key=lambda each: each.__qualname__)


@pytest.mark.parametrize("record", _records(), ids=lambda record: record.__qualname__)
def test_every_record_is_frozen_and_made_by_names_alone(record: Any) -> None:
    assert record.__struct_config__.frozen
    assert record.__match_args__ == ()


def test_a_member_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        JWS.payload = b""  # type: ignore[misc]
    assert msgspec.structs.replace(JWS, payload=b"").payload == b""
    assert JWS.payload == b"Canary"


def test_what_is_left_out_is_not_printed() -> None:
    assert "Canary" in repr(JWS)
    assert printed(JWS, without={"payload"}) == repr(JWS).replace("payload=b'Canary', ", "")
