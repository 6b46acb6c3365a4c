"""What the tests of the list documents stand on: a key, a moment, a store with something in it, and forgeries."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comity import jose
from comity.credential import Kid, X5c
from comity.keys import KeySigner
from comity.status import bitstring_list, token_list
from comity.status.bits import StatusBits

ISSUED_AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
EXPIRES_AT = ISSUED_AT + timedelta(days=1)
URI = "https://status.example/ca-on/services/status/1"
DID = "did:web:issuer.example:ca-on:services"
KID = Kid(did_url=f"{DID}#status")
CHAIN = X5c(chain=("TEVBRg==", "U1VC"))
SIZE = 131_072
REVOKED_AT, SUSPENDED_AT = 7, 131_071
SIGNER = KeySigner.generate()

ABSENT = object()
"""In :func:`edited`: remove the member."""


def store() -> StatusBits:
    """One entry revoked, one suspended, the smallest list that may be published."""
    bits = StatusBits(SIZE)
    bits.set(REVOKED_AT, 1)
    bits.set(SUSPENDED_AT, 2)
    return bits


STORE = store()


def token(**changes: Any) -> str:
    """A good token list; arguments of ``token_list.sign`` may be exchanged."""
    arguments: dict[str, Any] = {
        "uri": URI,
        "bits": STORE,
        "ttl_seconds": 300,
        "issued_at": ISSUED_AT,
        "expires_at": EXPIRES_AT,
        "signer": SIGNER,
        "key": CHAIN,
    }
    return token_list.sign(**arguments | changes)


def credential(**changes: Any) -> str:
    """A good list credential; arguments of ``bitstring_list.sign`` may be exchanged."""
    arguments: dict[str, Any] = {
        "uri": f"{URI}/revocation",
        "purpose": "revocation",
        "bits": STORE.plane(1),
        "issuer": DID,
        "ttl_seconds": 300,
        "valid_from": ISSUED_AT,
        "valid_until": EXPIRES_AT,
        "signer": SIGNER,
        "key": KID,
    }
    return bitstring_list.sign(**arguments | changes)


def edited(encoded: str, *, header: Mapping[str, Any] | None = None, **members: Any) -> str:
    """Sign ``encoded`` again with members of its payload (``inner__outer`` for nested ones) and header exchanged."""
    jws = jose.parse(encoded)
    payload = jose.payload_object(jws)
    for name, value in members.items():
        outer, _, inner = name.partition("__")
        place = payload[outer] if inner else payload
        _put(place, inner or outer, value)
    new_header = dict(jws.header)
    for name, value in (header or {}).items():
        _put(new_header, name, value)
    return jose.sign(new_header, payload, SIGNER)


def _put(place: dict[str, Any], name: str, value: object) -> None:
    if value is ABSENT:
        del place[name]
    else:
        place[name] = value
