"""Whatever a signed member says, there is a verdict: it was signed with the right key, and is what nobody expects."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from comity import base64url, strict_json
from comity.credential import Format
from comity.verification.checks import Verdict
from tests.support.forging import (
    BOTH,
    accepted,
    compact,
    forged,
    header_of,
    issuer_signer,
    licence,
    payload_of,
    resigned,
)
from tests.support.world import NOW, World

DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 1e308, -1e308, 10**18, -(10**18), 10**400),
    *(253_402_300_799, 253_402_300_798.9, 253_402_300_800, 253_402_300_739, -62_135_596_800),
    *("", " ", "x", "\u202e", "a" * 10_000, "https://[", "did:web:", "data:,", "9" * 5000),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "0000-01-01T00:00:00Z"),
    *([], {}, [None], [{}], ["x"], {"x": {"y": []}}, {"": 1}, DEEP),
)
Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every member and element below ``value``."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield (*path, name)
        yield from paths(each, (*path, name))


def put(document: Any, path: Path, value: Any) -> Any:
    """Return ``document`` with ``value`` at ``path``; nothing is shared with it that is changed."""
    if not path:
        return value
    here: Any = dict(document) if isinstance(document, dict) else list(document)
    here[path[0]] = put(here[path[0]], path[1:], value)
    return here


def changed(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every document in which one member has another value, with words for a failure."""
    for path in paths(document):
        for value in VALUES:
            yield f"{path} = {str(value)[:40]}", put(document, path, value)


def judged(world: World, encoded: str, told: str, at: datetime = NOW) -> Verdict:
    """Return the verdict; that there is one is what is tested."""
    try:
        return world.verify(encoded, demand=world.demand(at=at)).verdict
    except Exception as error:
        raise AssertionError(f"{told}: {type(error).__name__}") from error


@BOTH
@pytest.mark.parametrize("part", ["header", "payload"])
def test_every_member_that_an_issuer_signs(world: World, credential_format: Format, part: str) -> None:
    good = licence(world, credential_format)
    accepted(world.verify(world.present(good)))
    document = header_of(good.encoded) if part == "header" else payload_of(good.encoded)
    signer = issuer_signer(world.on, credential_format)
    for told, other in changed(dict(document)):
        bad = resigned(good, signer, **{part: other})
        try:
            shown = world.present(bad)
        except Exception:  # noqa: BLE001  (a wallet need not be able to show it)
            continue
        judged(world, shown, told)


@BOTH
@pytest.mark.parametrize("part", ["header", "payload"])
def test_every_member_that_a_holder_signs(world: World, credential_format: Format, part: str) -> None:
    shown = world.present(licence(world, credential_format))
    accepted(world.verify(shown))
    before, tilde, proof = shown.rpartition("~") if credential_format is Format.DC_SD_JWT else ("", "", shown)
    document = dict(header_of(proof) if part == "header" else payload_of(proof))
    for told, other in changed(document):
        judged(world, before + tilde + forged(proof, world.holder.sign, **{part: other}), told)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_every_instant_that_a_holder_may_add(world: World, name: str) -> None:
    shown = world.present(licence(world, Format.DC_SD_JWT))
    before, tilde, proof = shown.rpartition("~")
    for value in VALUES:
        judged(
            world, before + tilde + forged(proof, world.holder.sign, payload={name: value}), f"{name} = {value!s:.40}"
        )
    later = forged(proof, world.holder.sign, payload={"exp": 253_402_300_799})
    accepted(world.verify(before + tilde + later))


@BOTH
@pytest.mark.parametrize("days", [-3650, 0, 3650])
def test_every_member_that_a_status_list_s_signer_signs(world: World, credential_format: Format, days: int) -> None:
    shown = world.present(licence(world, credential_format))
    at = NOW + timedelta(days=days)
    if days == 0:
        accepted(world.verify(shown))
    if credential_format is Format.DC_SD_JWT:
        uri, good, signer = world.on.list_uri(), world.on.token_list(), world.on.status_key
    else:
        uri, good, signer = world.on.list_uri("revocation"), world.on.bitstring_list("revocation"), world.on.did_key
    for part in ("header", "payload"):
        document = dict(header_of(good) if part == "header" else payload_of(good))
        for told, other in changed(document):
            world.put(uri, forged(good, signer.sign, **{part: other}).encode())
            judged(world, shown, f"{part} {told}", at)


@BOTH
def test_a_payload_that_is_no_object(world: World, credential_format: Format) -> None:
    good = licence(world, credential_format)
    signer = issuer_signer(world.on, credential_format)
    for value in VALUES:
        _, tilde, rest = good.encoded.partition("~")
        token = compact(dict(header_of(good.encoded)), strict_json.serialise(value), signer.sign) + tilde + rest
        assert judged(world, token, str(value)[:40]) is not Verdict.ACCEPTED


def test_every_value_in_a_disclosure(world: World) -> None:
    good = licence(world, Format.DC_SD_JWT)
    payload = payload_of(good.encoded)
    for value in VALUES:
        for disclosure in (["salt", "age_over_18", value], ["salt", value, True], [value, "age_over_18", True], value):
            text = base64url.encode(strict_json.serialise(disclosure))
            digest = base64url.encode(hashlib.sha256(text.encode()).digest())
            token = forged(
                good.encoded.partition("~")[0] + f"~{text}~", world.on.key.sign, payload={**payload, "_sd": [digest]}
            )
            judged(world, token, str(value)[:40])
