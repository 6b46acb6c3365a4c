"""Token Status List as a JWT (draft-ietf-oauth-status-list, §4 and §5.1; profile §3.3).

The order of a verifier (TSL §8.3): :func:`open` the token, compare ``uri``, find the key, ``jose.verify``,
:func:`decode`, judge the time, :meth:`~comity.status.status_list.StatusList.value`.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comity import base64url, jose
from comity.credential import KeyReference
from comity.errors import Code, Malformed, Misconfigured
from comity.formats import instants
from comity.formats.opened import key_header, key_reference
from comity.ports import Signer
from comity.status import status_list
from comity.status.bits import MINIMUM_ENTRIES, BitOrder, Container, PackedValues, StatusBits, deflate, inflate
from comity.status.status_list import MAX_TOKEN_BYTES, OpenedStatusList, StatusList

TYPE = "statuslist+jwt"
"""JOSE ``typ``; the media type is ``application/statuslist+jwt``."""


def sign(
    *,
    uri: str,
    bits: StatusBits,
    ttl_seconds: int,
    issued_at: datetime,
    expires_at: datetime,
    signer: Signer,
    key: KeyReference,
    aggregation_uri: str | None = None,
) -> str:
    """Return the signed list (TSL §5.1; profile TSL-1).

    Args:
        uri: the URL under which the list is published; becomes ``sub``.
        bits: the entries, all of them.
        ttl_seconds: how long a copy may be used, more than 0.
        issued_at: ``iat``, to the second.
        expires_at: ``exp``, to the second; later than ``issued_at``.
        signer: the private key.
        key: how the header names that key.
        aggregation_uri: where all lists of the same issuer are named (TSL §4.2, §9); None for nowhere.

    Raises:
        Misconfigured: ``status_list_too_short`` below 131,072 entries (profile §3.1: the same minimum for both
            forms), ``status_list_invalid`` for a ttl or an end that makes no sense.
    """
    if bits.size < MINIMUM_ENTRIES:
        raise Misconfigured(Code.STATUS_LIST_TOO_SHORT, f"a status list has at least {MINIMUM_ENTRIES} entries")
    if ttl_seconds <= 0 or expires_at <= issued_at:
        raise Misconfigured(Code.STATUS_LIST_INVALID, "a status list needs a ttl above 0 and an end after its start")
    entries = {"bits": bits.bits, "lst": base64url.encode(deflate(bits.least_first(), Container.ZLIB))}
    payload = {
        "sub": uri,
        "iat": instants.to_numeric_date(issued_at),
        "exp": instants.to_numeric_date(expires_at),
        "ttl": ttl_seconds,
        "status_list": entries if aggregation_uri is None else {**entries, "aggregation_uri": aggregation_uri},
    }
    return jose.sign({"typ": TYPE, **key_header(key)}, payload, signer)


def open(token: str) -> OpenedStatusList:  # noqa: A001 - read as token_list.open
    """Read ``token`` without verifying it (TSL §8.3 step 3, up to the key).

    Not checked: the signature, and everything that :func:`decode` reads.

    Raises:
        Malformed: whatever makes the JWS unreadable; ``type_not_allowed``, ``algorithm_not_allowed``;
            ``key_not_found``; ``status_list_invalid`` without ``sub`` or with an ``iss`` that is no text.
    """
    jws = jose.parse(token, max_bytes=MAX_TOKEN_BYTES)
    # TSL §5.1: `typ` is required; without it a token of another kind could pass as a list (profile C3).
    jose.require(jws, typ=TYPE, context=status_list.ALGORITHM_CONTEXT)
    payload = status_list.payload_of(jws)
    return OpenedStatusList(
        format=TYPE,
        uri=status_list.text(payload, "sub"),
        issuer=status_list.text(payload, "iss") if "iss" in payload else None,
        key=key_reference(jws.header),
        jws=jws,
        payload=payload,
    )


def decode(opened: OpenedStatusList) -> StatusList:
    """Return the list in a token whose signature the caller has verified (TSL §8.3 steps 4 to 6).

    Not checked: the signature, ``exp``, the age of the list, and whether it is the list that a credential names
    (:meth:`StatusList.status_of` compares that).

    Raises:
        Malformed: ``status_list_invalid``, ``time_malformed``, ``malformed_base64url``, ``too_large``.
    """
    payload = opened.payload
    # TSL §8.3 step 4 (profile TSL-4): the required claims. `sub` was read by `open`.
    issued_at = instants.optional_numeric_date(payload, "iat")
    if issued_at is None:
        raise status_list.invalid("the status list does not say when it was issued")
    # TSL §8.3 step 5: `exp` and `ttl`, which the caller compares with its clock.
    expires_at = instants.optional_numeric_date(payload, "exp")
    ttl = status_list.number(payload["ttl"], "ttl") if "ttl" in payload else None
    # TSL §8.3 step 6: inflate.
    return StatusList(
        uri=opened.uri,
        purposes=(),
        ttl_seconds=None if ttl is None else math.ceil(ttl),
        issued_at=issued_at,
        expires_at=expires_at,
        values=unpack(payload.get("status_list")),
    )


def unpack(member: object) -> PackedValues:
    """Return the entries in the value of a ``status_list`` member (TSL §4.2).

    Raises:
        Malformed: ``status_list_invalid``, ``malformed_base64url``, ``too_large``.
    """
    if not isinstance(member, Mapping):
        raise status_list.invalid("the status list has no readable 'status_list'")
    fields: Mapping[str, Any] = member
    bits, lst = fields.get("bits"), fields.get("lst")
    if not isinstance(bits, int) or not isinstance(lst, str):
        raise status_list.invalid("the status list has no readable 'bits' or 'lst'")
    # TSL §4.1 steps 1 to 4, backwards: base64url without padding, zlib, entry 0 in the least significant bits.
    data = inflate(base64url.decode(lst), Container.ZLIB)
    if not data:
        raise Malformed(Code.STATUS_LIST_INVALID, "the status list is empty")
    return PackedValues(data=data, width=bits, order=BitOrder.LEAST_FIRST)
