"""The frozen domain types of a credential, from claims to signed bytes to the issuer's record of it."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any

from msgspec import Struct

from comity.ports import Jwk

TYPES_BASE = "https://types.comity.example/"
"""Type names start here. They are names: nothing is ever fetched from them."""

W3C_CONTEXT = "https://www.w3.org/ns/credentials/v2"
"""The first item of every VCDM 2.0 ``@context``."""

_TYPE_NAME = re.compile(r"https://types\.comity\.example/([a-z][a-z0-9-]{0,63})/([1-9][0-9]{0,3})\Z")


class Format(StrEnum):
    """Credential formats, named by their media type suffix."""

    DC_SD_JWT = "dc+sd-jwt"
    VC_JWT = "vc+jwt"


class Status(IntEnum):
    """What an authority says today about a credential it issued (values of the Token Status List draft, §7.1)."""

    VALID = 0
    REVOKED = 1
    SUSPENDED = 2


@lru_cache(maxsize=256)
def _pascal_case(slug: str) -> str:
    return "".join(word.capitalize() for word in slug.split("-"))


class CredentialType(Struct, frozen=True, kw_only=True):
    """A credential type of the federation: a slug such as ``drivers-licence`` and a version from 1 up."""

    slug: str
    version: int

    @property
    def vct(self) -> str:
        """The SD-JWT VC type name."""
        return f"{TYPES_BASE}{self.slug}/{self.version}"

    @property
    def context(self) -> str:
        """The JSON-LD context of the W3C form."""
        return f"{self.vct}/context"

    @property
    def w3c_type(self) -> str:
        """The W3C type term: the slug in PascalCase."""
        return _pascal_case(self.slug)

    @classmethod
    @lru_cache(maxsize=256)
    def from_vct(cls, vct: str) -> "CredentialType | None":
        """Return the type that ``vct`` names, or None when it is not one of the federation's names."""
        match = _TYPE_NAME.match(vct)
        return cls(slug=match[1], version=int(match[2])) if match else None


class StatusEntry(Struct, frozen=True, kw_only=True):
    """Where the status of one credential stands.

    Attributes:
        list_uri: the list's URL, equal to the list's own ``sub`` (token list) or ``id`` (bitstring list).
        index: position in the list, from 0.
        purpose: ``revocation`` or ``suspension`` for a Bitstring Status List; None for a Token Status List,
            whose one value says both.
    """

    list_uri: str
    index: int
    purpose: str | None = None


class X5c(Struct, frozen=True, kw_only=True):
    """A key named by a certificate chain: base64 DER, leaf first, never with the root (HAIP §5)."""

    chain: tuple[str, ...]


class Kid(Struct, frozen=True, kw_only=True):
    """A key named by a DID URL."""

    did_url: str


KeyReference = X5c | Kid


class Credential(Struct, frozen=True, kw_only=True):
    """What an authority is about to sign.

    Attributes:
        issuer: the issuer id (https URL) for ``dc+sd-jwt``, the issuer's DID for ``vc+jwt``.
        type: the credential type.
        claims: flat snake_case claims about the subject.
        disclosable: names of the claims that the holder may withhold (ignored by formats without disclosure).
        holder_jwk: the public key the credential is bound to; None for a credential without a holder key.
        issued_at: instant of issue; formats may state it more coarsely.
        valid_from: first instant of validity.
        valid_until: last instant of validity; None for a credential that does not end.
        status: where its status stands; all entries share one index.
    """

    issuer: str
    type: CredentialType
    claims: Mapping[str, Any]
    disclosable: frozenset[str]
    holder_jwk: Jwk | None
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime | None
    status: tuple[StatusEntry, ...]


class SignedCredential(Struct, frozen=True, kw_only=True):
    """The bytes as they were signed or received; never parsed and written again."""

    format: Format
    encoded: str
