"""The issuer's modules of the plan oid4vci-1_0-issuer, derived from their names (no certification)."""

from typing import Any

import pytest

from comity import formats, jose
from comity.keys import KeySigner
from comity.openid.issuance import metadata
from tests.services.issuer.deployed import ON, PUBLIC_URL, Deployed

PERSON = "person.1.sdjwt"


def keys(number: int) -> list[KeySigner]:
    """Return that many keys of a wallet."""
    return [KeySigner.generate() for _ in range(number)]


async def refused(issuer: Deployed, offer: dict[str, Any], error: str, proofs: list[str], **members: Any) -> None:
    """One request is refused with ``error`` and changes nothing: the good twin with the same token succeeds."""
    token = await issuer.token(offer)
    answer = await issuer.request(token, PERSON, proofs, **members)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert await issuer.records(record_reference=offer.get("record_reference") or "none") == []
    assert (await issuer.receive(offer, token=token)).status_code == 200


def issued(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["credential"] for each in answer.json()["credentials"]]


def bound_to(encoded: str) -> str:
    """Return the thumbprint of the key that a credential is bound to."""
    jwk = formats.FORMATS[formats.of(encoded)].open(encoded).credentials[0].payload["cnf"]["jwk"]
    return KeySigner_thumbprint(jwk)


def KeySigner_thumbprint(jwk: Any) -> str:
    from comity import keys as comity_keys

    return comity_keys.thumbprint(jwk)
