"""Copies: credentials of types that are shown to many come in a batch, and each copy is shown once.

Two presentations of one copy can be linked by its signature, its key and its place in the status list; two copies have
none of these in common (OpenID4VCI 1.0 §15.4). The copies of one card are one record: it is deleted as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

import schemas
from comity.credential import CredentialType, SignedCredential
from comity.keys import thumbprint
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.metadata import IssuerMetadata
from wallet import holdings
from wallet.holdings import Held
from wallet.records import CREDENTIAL, KEY, Sheet

COPIES = 5
"""Copies asked for at a time, if the issuer gives so many."""

SHOWN = "shown"
"""In the record of a card whose copy in front was shown already, because no other was left."""

LOW = 2
"""Fewer unused copies than this, beside the one that is shown next, and more are asked for."""

_ACCESS = (
    "issuer",
    "configuration_id",
    "format",
    "type_name",
    "credential_endpoint",
    "nonce_endpoint",
    "notification_endpoint",
    "encryption",
    "token",
    "dpop_key",
    "dpop_nonces",
    "keep_unrecognised",
    "proof",
    "identifiers",
)


class Spent(Struct, frozen=True, kw_only=True):
    """What is written and deleted when copies are shown."""

    put: tuple[Sheet, ...] = ()
    delete: tuple[tuple[str, str], ...] = ()


NOTHING_SPENT = Spent()


def is_one_time(kind: CredentialType | None) -> bool:
    """Say whether copies of this type are shown once, as the type itself says."""
    if kind is None or (kind.slug, kind.version) not in schemas.all_types():
        return False
    return bool(schemas.type_metadata(kind.slug, kind.version)["comity"].get("copies") == "one_time")


def copies_wanted(configuration: CredentialConfiguration, metadata: IssuerMetadata) -> int:
    """Return how many copies to ask for."""
    return min(COPIES, metadata.batch_size) if is_one_time(configuration.credential_type) else 1


def holder_of(signed: SignedCredential) -> str:
    """Return the thumbprint of the key that a credential is bound to; empty when it is bound to none."""
    jwk = holdings.process(signed).holder_jwk
    return "" if jwk is None else thumbprint(jwk)


def kept_with(line: Mapping[str, Any], copies: Sequence[SignedCredential], keys: Sequence[str]) -> dict[str, Any]:
    """Return what a card's record holds beside the copy that is shown first: the others, and how more are had."""
    if not is_one_time(CredentialType.from_vct(line["type_name"])):
        return {}
    return {"spares": spares(copies, keys), "access": {name: line.get(name) for name in _ACCESS}}


def spares(copies: Sequence[SignedCredential], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return copies as a card's record holds them."""
    return [{"encoded": each.encoded, "key": key} for each, key in zip(copies, keys, strict=True)]


def runs_low(held: Held) -> bool:
    """Say whether more copies should be asked for."""
    return "access" in held.more and len(held.more.get("spares", ())) < LOW


def was_shown(held: Held) -> bool:
    """Say whether the copy that would be shown next was shown before, although copies of its type are shown once."""
    return bool(held.more.get(SHOWN))


def spent(shown: Iterable[Held]) -> Spent:
    """Return how the records change when the copies in front are shown; the last copy of a card stays, and is marked.

    The sheets follow the versions of what was read, so that two presentations at once never show one copy.
    """
    put, delete = [], []
    for held in shown:
        left = held.more.get("spares")
        if left is None or (not left and was_shown(held)):
            continue
        content = _next(held, left) if left else _as_last(held)
        put.append(Sheet(kind=CREDENTIAL, id=held.id, content=content, version=held.version + 1))
        if left:
            delete.append((KEY, held.key_id))
    return Spent(put=tuple(put), delete=tuple(delete))


def _next(held: Held, left: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the record of a card with the next copy in front."""
    return {
        **{name: value for name, value in held.more.items() if name != SHOWN},
        "format": held.signed.format.value,
        "encoded": left[0]["encoded"],
        "about": {**held.about, "key": left[0]["key"]},
        "spares": list(left[1:]),
    }


def _as_last(held: Held) -> dict[str, Any]:
    front = {"format": held.signed.format.value, "encoded": held.signed.encoded, "about": dict(held.about)}
    return {**held.more, **front, SHOWN: True}
