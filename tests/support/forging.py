"""Tokens with exactly one thing wrong, made from good ones, and what a test says about the answer to them."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from comity import base64url, jose, strict_json
from comity.credential import Format, SignedCredential
from comity.errors import Code, Denied
from comity.ports import Signer
from comity.verification.checks import CheckName, Outcome, Result, Verdict
from tests.support.world import LICENCE, NOW, PERSON, Authority, World

BOTH = pytest.mark.parametrize("credential_format", list(Format))
GONE: Any = ...
"""Stands for a member that is taken away."""

Sign = Callable[[bytes], bytes]


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``members`` with ``changes``."""
    return {name: value for name, value in {**members, **changes}.items() if value is not GONE}


def header_of(encoded: str) -> Mapping[str, Any]:
    return jose.parse(encoded.partition("~")[0]).header


def payload_of(encoded: str) -> dict[str, Any]:
    return jose.payload_object(jose.parse(encoded.partition("~")[0]))


def compact(header: Mapping[str, Any], payload: Mapping[str, Any] | bytes, sign: Sign) -> str:
    """Return a JWS over exactly these members, whatever they say."""
    body = payload if isinstance(payload, bytes) else strict_json.serialise(payload)
    signing_input = f"{base64url.encode(strict_json.serialise(dict(header)))}.{base64url.encode(body)}"
    return f"{signing_input}.{base64url.encode(sign(signing_input.encode()))}"


def forged(
    encoded: str,
    sign: Sign,
    *,
    header: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | bytes | None = None,
) -> str:
    """Return a JWS, or the SD-JWT around it, with members changed and signed anew; a payload of bytes replaces all."""
    _, tilde, rest = encoded.partition("~")
    body = payload if isinstance(payload, bytes) else changed(payload_of(encoded), payload or {})
    return compact(changed(header_of(encoded), header or {}), body, sign) + tilde + rest


def resigned(held: SignedCredential, signer: Signer, **changes: Any) -> SignedCredential:
    """Return the credential signed again by ``signer`` with ``header`` and ``payload`` changed."""
    return replace(held, encoded=forged(held.encoded, signer.sign, **changes))


def flipped(token: str) -> str:
    """Return a JWS, or SD-JWT, with one bit of the issuer's signature changed."""
    jwt, tilde, rest = token.partition("~")
    head, payload, signature = jwt.split(".")
    raw = bytearray(base64url.decode(signature))
    raw[7] ^= 1
    return f"{head}.{payload}.{base64url.encode(bytes(raw))}{tilde}{rest}"


def mac(secret: bytes) -> Sign:
    """Return what signs with HS256 under ``secret``."""
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def issuer_signer(authority: Authority, credential_format: Format) -> Signer:
    return authority.key if credential_format is Format.DC_SD_JWT else authority.did_key


def held_in(world: World, encoded: str, at: datetime = NOW) -> Result:
    """Judge a credential in the hand, relied on in Prince Edward Island."""
    return world.verify(encoded, demand=world.demand(holder=None, at=at))


def licence(world: World, credential_format: Format, **changes: Any) -> SignedCredential:
    """Return a good driver's licence of Ontario."""
    return world.issue(world.on, credential_format, LICENCE, **changes)


def person(world: World, credential_format: Format, **changes: Any) -> SignedCredential:
    """Return a good person credential of British Columbia."""
    return world.issue(world.bc, credential_format, PERSON, **changes)


def accepted(result: Result) -> None:
    """The good twin: accepted, and its claims are released."""
    assert result.verdict is Verdict.ACCEPTED, result.codes
    assert result.codes == ()
    assert result.claims()


def rejected(result: Result, name: CheckName, code: Code) -> None:
    """Exactly this check failed with this code, no other failed or is unknown, and nothing is released."""
    _answered(result, Verdict.REJECTED, {(name, Outcome.FAILED, code)})


def undetermined(result: Result, name: CheckName, code: Code) -> None:
    """Exactly this check is unknown with this code, none failed, and nothing is released."""
    _answered(result, Verdict.UNDETERMINED, {(name, Outcome.UNKNOWN, code)})


def _answered(result: Result, verdict: Verdict, deciding: set[tuple[CheckName, Outcome, Code]]) -> None:
    bad = {(c.name, c.outcome, c.code) for c in result.all_checks if c.outcome in (Outcome.FAILED, Outcome.UNKNOWN)}
    assert (result.verdict, bad) == (verdict, deciding)
    with pytest.raises(Denied):
        result.claims()
