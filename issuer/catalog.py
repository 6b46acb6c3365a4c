"""What an authority has on offer: types in formats, with their labels, rules and defaults from ``schemas/``."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from datetime import date as Date  # noqa: N812 - a type, read as one
from typing import Any

from msgspec import Struct

import schemas
from comity.credential import CredentialType, Format
from comity.errors import Code, Malformed, Misconfigured, NotFound
from comity.openid.issuance import configuration
from comity.openid.issuance.configuration import CredentialConfiguration
from issuer.authorities import Authority

_END_CLAIMS = ("expires_on", "valid_until", "interim_until")


class CatalogEntry(Struct, frozen=True, kw_only=True):
    """One configuration of an authority."""

    type: CredentialType
    format: Format
    configuration: CredentialConfiguration

    @property
    def id(self) -> str:
        """The configuration id, such as ``person.1.sdjwt``."""
        return self.configuration.id


def entries(authority: Authority, *, is_attestable: bool = False) -> Mapping[str, CatalogEntry]:
    """Return everything an authority issues, by configuration id.

    ``is_attestable`` says that somebody's key attestations are trusted.

    Raises:
        Misconfigured: a type needs key attestations, and nobody's are trusted.
    """
    demands = authority.description.key_attestations
    if demands and not is_attestable:
        detail = f"authority {authority.path} needs key attestations, but no wallet provider is trusted"
        raise Misconfigured(Code.MISCONFIGURED, detail)
    algorithms = {
        Format.DC_SD_JWT: authority.credential_signer.algorithm,
        Format.VC_JWT: authority.did_signer.algorithm,
    }
    found = (
        CatalogEntry(
            type=each,
            format=each_format,
            configuration=configuration.of_type(
                each,
                each_format,
                signing_algorithms=(algorithms[each_format],),
                takes_attestations=is_attestable,
                key_attestation=demands.get(each),
            ),
        )
        for each in authority.description.types
        for each_format in (Format.DC_SD_JWT, Format.VC_JWT)
    )
    return {entry.id: entry for entry in found}


def find_type(authority: Authority, name: str) -> CredentialType:
    """Return the type called ``name``: ``person/1``, or ``person`` for the newest version on offer.

    Raises:
        NotFound: ``credential_type_unknown``: the authority does not issue it.
    """
    slug, _, version = name.partition("/")
    matching = [
        each for each in authority.description.types if each.slug == slug and version in {"", str(each.version)}
    ]
    if not matching:
        raise NotFound(Code.CREDENTIAL_TYPE_UNKNOWN, "this authority does not issue a credential of this type")
    return max(matching, key=lambda each: each.version)


def check_claims(credential_type: CredentialType, claims: Mapping[str, Any]) -> None:
    """Check claims against the type's schema.

    Raises:
        Malformed: ``claims_invalid``: the detail lists what is wrong by claim name and rule, never by value.
    """
    found = schemas.violations(credential_type.slug, credential_type.version, claims, partial=False)
    if found:
        raise Malformed(Code.CLAIMS_INVALID, f"the claims do not fit the type: {'; '.join(found)}")


def is_suspendable(credential_type: CredentialType) -> bool:
    """Say whether credentials of this type can be suspended."""
    return bool(_rules(credential_type)["suspendable"])


def number_of(credential_type: CredentialType, claims: Mapping[str, Any]) -> str | None:
    """Return the document number among ``claims``, where the type has one."""
    name = _rules(credential_type)["number_claim"]
    return str(claims[name]) if name in claims else None


def name_of(credential_type: CredentialType, claims: Mapping[str, Any]) -> str | None:
    """Return the holder's full name among ``claims``, where the type has one."""
    parts = [str(claims[name]) for name in _rules(credential_type)["name_claims"] if claims.get(name)]
    return " ".join(parts) or None


def disclosable(credential_type: CredentialType) -> frozenset[str]:
    """Return the claims that the holder may withhold."""
    data = schemas.type_metadata(credential_type.slug, credential_type.version)
    return frozenset(entry["path"][0] for entry in data["claims"] if entry["sd"] != "never")


def end_of_validity(
    credential_type: CredentialType, claims: Mapping[str, Any], chosen: datetime | None, at: datetime
) -> datetime:
    """Return when a credential issued at ``at`` ends: the earliest of the choice, the document's own end, the rule.

    Ends that nobody chose to the second are ends of days, so that they do not tell credentials apart.

    Raises:
        Malformed: ``claims_invalid``: that end is past.
    """
    rule = at + timedelta(days=int(_rules(credential_type)["validity_days"]))
    days = [rule.date(), *(Date.fromisoformat(claims[name]) for name in _END_CLAIMS if name in claims)]
    ends = [datetime.combine(min(days), time(23, 59, 59), tzinfo=UTC), *([chosen] if chosen else [])]
    if min(ends) <= at:
        raise Malformed(Code.CLAIMS_INVALID, "the credential would have ended before it is issued")
    return min(ends)


def _rules(credential_type: CredentialType) -> Mapping[str, Any]:
    rules: Mapping[str, Any] = schemas.type_metadata(credential_type.slug, credential_type.version)["comity"]
    return rules
