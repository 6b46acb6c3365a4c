"""Bitstring Status List as a W3C credential secured with JOSE (Bitstring Status List v1.0; profile §3.2).

The order of a verifier (Bitstring Status List §3.2, profile BSL-3): :func:`open` the credential, compare ``uri``, find
the key, ``jose.verify``, :func:`decode`, judge the time and the purpose,
:meth:`~comity.status.status_list.StatusList.value`.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comity import base64url, jose
from comity.credential import W3C_CONTEXT, KeyReference
from comity.errors import Code, Malformed, Misconfigured
from comity.formats import instants
from comity.formats.opened import key_header, key_reference
from comity.ports import Signer
from comity.status import status_list
from comity.status.bits import MINIMUM_ENTRIES, BitOrder, Container, PackedValues, StatusBits, deflate, inflate
from comity.status.status_list import MAX_TOKEN_BYTES, REVOCATION, SUSPENSION, OpenedStatusList, StatusList

TYPE = "vc+jwt"
"""JOSE ``typ``; the media type is ``application/vc+jwt``."""

CREDENTIAL_TYPES = ("VerifiableCredential", "BitstringStatusListCredential")
SUBJECT_TYPE = "BitstringStatusList"

_MULTIBASE_BASE64URL = "u"


def sign(
    *,
    uri: str,
    purpose: str,
    bits: StatusBits,
    issuer: str,
    ttl_seconds: int,
    valid_from: datetime,
    valid_until: datetime,
    signer: Signer,
    key: KeyReference,
) -> str:
    """Return the signed list credential (Bitstring Status List §2.2 and §3.1; profile BSL-2).

    Args:
        uri: the URL under which the list is published; becomes ``id``.
        purpose: ``revocation`` or ``suspension``.
        bits: one bit per entry (``StatusBits.plane``).
        issuer: the DID of the authority that speaks here.
        ttl_seconds: how long a copy may be used, more than 0; written in milliseconds.
        valid_from: ``validFrom``, to the second.
        valid_until: ``validUntil``, to the second; later than ``valid_from``.
        signer: the private key.
        key: how the header names that key.

    Raises:
        Misconfigured: ``status_list_too_short`` below 131,072 entries; ``status_list_invalid`` for more than one bit
            per entry, another purpose, or a ttl or an end that makes no sense.
    """
    _check_signable(purpose, bits, ttl_seconds, valid_from, valid_until)
    payload = {
        "@context": [W3C_CONTEXT],
        "id": uri,
        "type": list(CREDENTIAL_TYPES),
        "issuer": issuer,
        "validFrom": instants.to_date_time_stamp(valid_from),
        "validUntil": instants.to_date_time_stamp(valid_until),
        "credentialSubject": {
            "id": f"{uri}#list",
            "type": SUBJECT_TYPE,
            "statusPurpose": purpose,
            "encodedList": pack(bits),
            "ttl": ttl_seconds * 1000,
        },
    }
    return jose.sign({"typ": TYPE, **key_header(key)}, payload, signer)


def _check_signable(
    purpose: str, bits: StatusBits, ttl_seconds: int, valid_from: datetime, valid_until: datetime
) -> None:
    if bits.size < MINIMUM_ENTRIES:
        raise Misconfigured(Code.STATUS_LIST_TOO_SHORT, f"a status list has at least {MINIMUM_ENTRIES} entries")
    if bits.bits != 1 or purpose not in (REVOCATION, SUSPENSION):
        raise Misconfigured(Code.STATUS_LIST_INVALID, "a bitstring list has one bit for revocation or suspension")
    if ttl_seconds <= 0 or valid_until <= valid_from:
        raise Misconfigured(Code.STATUS_LIST_INVALID, "a status list needs a ttl above 0 and an end after its start")


def pack(bits: StatusBits) -> str:
    """Return ``encodedList``: gzip, multibase ``u``, base64url without padding (Bitstring Status List §3.3)."""
    return _MULTIBASE_BASE64URL + base64url.encode(deflate(bits.most_first(), Container.GZIP))


def open(token: str) -> OpenedStatusList:  # noqa: A001 - read as bitstring_list.open
    """Read ``token`` without verifying it (Bitstring Status List §3.2, up to the key).

    An ``id`` is required, although the Recommendation lets it be absent: without it one list could be served in
    place of another (profile BSL-3, catalogue L02). Not checked: the signature, and everything that :func:`decode`
    reads.

    Raises:
        Malformed: whatever makes the JWS unreadable; ``type_not_allowed``, ``algorithm_not_allowed``;
            ``key_not_found``; ``status_list_invalid`` without ``id`` or ``issuer``.
    """
    jws = jose.parse(token, max_bytes=MAX_TOKEN_BYTES)
    jose.require(jws, typ=TYPE, context=status_list.ALGORITHM_CONTEXT)
    payload = status_list.payload_of(jws)
    issuer = payload.get("issuer")
    return OpenedStatusList(
        format=TYPE,
        uri=status_list.text(payload, "id"),
        issuer=status_list.text(issuer, "id") if isinstance(issuer, Mapping) else status_list.text(payload, "issuer"),
        key=key_reference(jws.header),
        jws=jws,
        payload=payload,
    )


def decode(opened: OpenedStatusList, *, status_size: int = 1) -> StatusList:
    """Return the list in a credential whose signature the caller has verified (profile BSL-3 steps 3 to 5).

    Not checked: the signature, ``validUntil``, the age of the list, and whether it is the list, of the purpose, that
    a credential names (:meth:`StatusList.status_of` compares that).

    Args:
        opened: from :func:`open`.
        status_size: bits per entry, as the *credential's entry* states it (``statusSize``, 1 when absent).

    Raises:
        Malformed: ``context_unknown``, ``status_list_too_short``, ``status_list_invalid``, ``time_malformed``,
            ``malformed_base64url``, ``too_large``.
    """
    payload = opened.payload
    # BSL-2: a credential of the right kind, about a list.
    _check_context(payload.get("@context"))
    if not set(CREDENTIAL_TYPES) <= set(_texts(payload, "type")):
        raise status_list.invalid("the credential is not a status list credential")
    subject = payload.get("credentialSubject")
    if not isinstance(subject, Mapping) or SUBJECT_TYPE not in _texts(subject, "type"):
        raise status_list.invalid("the credential's subject is not a status list")
    # BSL-3 step 2 (P): from when to when. A list without a start could not be told from an older one (L10).
    issued_at = _instant(payload, "validFrom") or instants.optional_numeric_date(payload, "iat")
    if issued_at is None:
        raise status_list.invalid("the status list does not say when it was issued")
    ttl = status_list.number(subject["ttl"], "ttl") if "ttl" in subject else None
    # BSL-3 step 3: what it is for; compared by `StatusList.status_of`. Steps 4 and 5: expand, and long enough.
    return StatusList(
        uri=opened.uri,
        purposes=_texts(subject, "statusPurpose"),
        ttl_seconds=None if ttl is None else math.ceil(ttl / 1000),  # milliseconds here, seconds in a token list
        issued_at=issued_at,
        expires_at=_instant(payload, "validUntil"),
        values=unpack(subject.get("encodedList"), status_size=status_size),
    )


def unpack(encoded: object, *, status_size: int = 1) -> PackedValues:
    """Return the entries in ``encodedList`` (Bitstring Status List §3.4; profile BSL-3 steps 4 and 5).

    Raises:
        Malformed: ``status_list_invalid``, ``malformed_base64url``, ``too_large``, ``status_list_too_short`` below
            131,072 entries.
    """
    # BSL §3.4 step 1: multibase, where "u" says base64url without padding.
    if not isinstance(encoded, str) or not encoded.startswith(_MULTIBASE_BASE64URL):
        raise status_list.invalid("the status list has no readable 'encodedList'")
    # BSL §3.4 steps 2 and 3: gzip, entry 0 in the most significant bit.
    data = inflate(base64url.decode(encoded[1:]), Container.GZIP)
    values = PackedValues(data=data, width=status_size, order=BitOrder.MOST_FIRST)
    # BSL-3 step 5: STATUS_LIST_LENGTH_ERROR. A shorter list gives its members no crowd to hide in (L09).
    if len(values) < MINIMUM_ENTRIES:
        raise Malformed(Code.STATUS_LIST_TOO_SHORT, f"the status list has fewer than {MINIMUM_ENTRIES} entries")
    return values


def _check_context(value: object) -> None:
    """Check ``@context``: VCDM 2.0 first (VCDM §4.3) and nothing else, since terms could be redefined."""
    if not isinstance(value, list) or not value or value[0] != W3C_CONTEXT:
        raise status_list.invalid("the status list credential has another context than VCDM 2.0")
    if len(value) > 1:
        raise Malformed(Code.CONTEXT_UNKNOWN, "the status list credential has a context that is not known here")


def _texts(payload: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return one text, or an array of at least one, as a tuple; raises ``Malformed(status_list_invalid)``."""
    value = payload.get(name)
    each = value if isinstance(value, list) else [value]
    if not each or not all(isinstance(item, str) and item for item in each):
        raise status_list.invalid(f"the status list has no readable '{name}'")
    return tuple(each)


def _instant(payload: Mapping[str, Any], name: str) -> datetime | None:
    """Return the dateTimeStamp in ``name``, None when absent; raises ``Malformed(time_malformed)``."""
    return instants.date_time_stamp(payload[name]) if name in payload else None
