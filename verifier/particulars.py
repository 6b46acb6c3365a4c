"""What one request asks beyond its policy: transactions to authorise, whose credentials alone, from which websites."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from comity import base64url, dcql, strict_json, x509
from comity.credential import CredentialType, Format
from comity.dcql import TrustedAuthority
from comity.errors import Code, Malformed
from comity.openid.presentation import transaction_data
from comity.openid.presentation.digital_credentials import is_origin
from comity.trust.snapshot import RegistrySnapshot

MAX_ORIGINS = 16


class Particulars(Struct, frozen=True, kw_only=True):
    """The particulars of one request; stored sealed, since a transaction may say something about a person.

    Attributes:
        transactions: ``transaction_data`` as sent, text by text.
        authorities: by query id, base64url key identifiers of the authorities that alone are asked for; empty for any.
        origins: the websites that may ask by the Digital Credentials API; empty for other flows.
    """

    transactions: tuple[str, ...] = ()
    authorities: Mapping[str, tuple[str, ...]]
    origins: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Return them for storage."""
        authorities = {name: list(values) for name, values in self.authorities.items()}
        members = {"transactions": list(self.transactions), "authorities": authorities, "origins": list(self.origins)}
        return strict_json.serialise(members)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Particulars":
        """Return what :meth:`to_bytes` wrote."""
        members = strict_json.parse_object(stored)
        return cls(
            transactions=tuple(members["transactions"]),
            authorities={name: tuple(values) for name, values in members["authorities"].items()},
            origins=tuple(members["origins"]),
        )

    def narrowed(self, query: dcql.Query) -> dcql.Query:
        """Return ``query`` with ``trusted_authorities`` where authorities are named (OpenID4VP §6.1.1; DQ-7)."""
        credentials = tuple(
            replace(each, trusted_authorities=(TrustedAuthority(type="aki", values=self.authorities[each.id]),))
            if self.authorities.get(each.id)
            else each
            for each in query.credentials
        )
        return replace(query, credentials=credentials)


NONE = Particulars(authorities={})


def transactions_of(entries: Sequence[Mapping[str, Any]], query: dcql.Query) -> tuple[str, ...]:
    """Return transactions as they are sent; every credential of ``query`` that proves its holder may authorise them.

    Args:
        entries: ``{type, …}`` with the members of the type.
        query: what is asked for.

    Raises:
        OAuthError: ``transaction_data_invalid``.
        Malformed: ``request_invalid``: several of them are the same, too many, or nothing can authorise them.
    """
    able = [each.id for each in query.credentials if each.require_holder_binding]
    encoded = [
        transaction_data.encode(
            str(each.get("type", "")),
            {name: value for name, value in each.items() if name != "type"},
            credential_ids=able,
        )
        for each in entries
    ]
    if entries:
        transaction_data.parse(encoded, query)
    return tuple(encoded)


def authorities_of(query: dcql.Query, snapshot: RegistrySnapshot) -> dict[str, tuple[str, ...]]:
    """Return, for each ``dc+sd-jwt`` query, the key identifiers of the anchors of whoever is accredited for its type.

    A hint that spares the person a credential that would be refused; the checks of the answer do not rest on it. W3C
    credentials are known by DIDs, for which DCQL has no such hint.
    """
    found: dict[str, tuple[str, ...]] = {}
    for each in query.credentials:
        kinds = {kind for name in each.meta.vct_values if (kind := CredentialType.from_vct(name))}
        types = {f"{kind.slug}/{kind.version}" for kind in kinds}
        if each.format == Format.DC_SD_JWT and types:
            found[each.id] = tuple(sorted(_anchors(types, snapshot)))
    return found


def origins_of(origins: Sequence[str]) -> tuple[str, ...]:
    """Return the origins that a request by the Digital Credentials API names.

    Raises:
        Malformed: ``request_invalid``: none, too many, one twice, or something that is no origin.
    """
    if not 0 < len(origins) <= MAX_ORIGINS or len(set(origins)) != len(origins):
        raise Malformed(Code.REQUEST_INVALID, f"name 1 to {MAX_ORIGINS} different origins of websites that ask")
    if not all(is_origin(each) for each in origins):
        raise Malformed(
            Code.REQUEST_INVALID, "an origin is an https address without path, such as https://shop.example"
        )
    return tuple(origins)


def _anchors(types: set[str], snapshot: RegistrySnapshot) -> set[str]:
    return {
        base64url.encode(x509.subject_key_identifier(x509.from_base64(entry.identifier.anchor)))
        for entry in snapshot.issuers()
        if entry.identifier.anchor and not types.isdisjoint(each.type for each in entry.accreditations)
    }
