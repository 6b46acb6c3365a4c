"""What a jurisdiction attests that a verifier may ask, as a signed text that the verifier shows (decision record 0021).

A JWT of type ``comity-entitlement+jwt``: ``iss`` is a jurisdiction of the registry, ``kid`` the RFC 7638 thumbprint of
one of the keys that *its own* document lists, ``client_ids`` whom it is for. It names no place to fetch anything from.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from comity import jose, keys
from comity.errors import Code, Malformed
from comity.ports import Signer
from comity.trust import documents
from comity.trust.entries import Entitlement, Names
from comity.trust.placement import document_of
from comity.trust.snapshot import RegistrySnapshot, VerifierEntry

TYP = "comity-entitlement+jwt"
CLOCK_SKEW = timedelta(seconds=60)
LONGEST = timedelta(days=400)
MAX_BYTES = 65_536
_TIMES = ("iat", "exp")


class Attestation(Struct, frozen=True, kw_only=True):
    """A verified attestation.

    Attributes:
        jurisdiction: who attests it, ``ca-on``.
        client_ids: the verifier's full client identifiers.
        name: the verifier's name, in ``en`` and ``fr``.
        may_ask: what it may ask.
        expires_at: until when.
    """

    jurisdiction: str
    client_ids: tuple[str, ...]
    name: Names
    may_ask: tuple[Entitlement, ...]
    expires_at: datetime

    def entry_for(self, client_id: str) -> VerifierEntry:
        """Return it in the shape of a registry entry, for :func:`comity.trust.may_ask`; it names no keys."""
        return VerifierEntry(
            client_id=client_id,
            jurisdiction=self.jurisdiction,
            name=self.name,
            anchor=None,
            key_thumbprints=(),
            may_ask=self.may_ask,
            document=document_of(self.jurisdiction, "verifiers"),
        )


def sign(entry: dict[str, Any], signer: Signer, *, jurisdiction: str, at: datetime, until: datetime) -> str:
    """Return the attestation of a verifier's ``entry`` (as ``comity verifier identifiers`` prints it).

    Raises:
        Malformed: ``registry_invalid`` for an entry that no registry would take, ``time_malformed`` for times that are
            not in order or more than 400 days apart.
    """
    if not at < until <= at + LONGEST:
        raise Malformed(Code.TIME_MALFORMED, "an entitlement ends after it begins, within 400 days")
    documents.parse_verifiers({"verifiers": [entry]})
    claims = {
        "iss": jurisdiction,
        **{name: entry[name] for name in ("client_ids", "name", "may_ask")},
        "iat": int(at.timestamp()),
        "exp": int(until.timestamp()),
    }
    return jose.sign({"typ": TYP, "kid": keys.thumbprint(signer.public_jwk)}, claims, signer)


def read(encoded: str, snapshot: RegistrySnapshot, *, client_id: str, at: datetime) -> Attestation:
    """Verify an attestation that a verifier shows.

    Not checked: that the request was signed by ``client_id``, which its caller knows, and what it asks for.

    Args:
        encoded: the compact JWT.
        snapshot: the registry.
        client_id: full client identifier of whoever shows it.
        at: the current instant.

    Raises:
        Malformed: ``entitlement_signer_unknown``, ``entitlement_expired``, ``entitlement_invalid``, or a code of
            :mod:`comity.jose` for what cannot be read.
    """
    # 1: an attestation of this kind, under an allowed algorithm.
    jws = jose.parse(encoded, max_bytes=MAX_BYTES)
    jose.require(jws, typ=TYP, context="entitlement")
    claims = jose.payload_object(jws)
    # 2: the key is one that the jurisdiction named lists itself; nobody else's key speaks for it.
    jurisdiction = claims.get("iss")
    listed = snapshot.entitlement_signers(jurisdiction) if isinstance(jurisdiction, str) else ()
    jwk = next((each for each in listed if keys.thumbprint(each) == jws.header.get("kid")), None)
    if jwk is None:
        detail = "the entitlement is signed with a key that its jurisdiction does not list"
        raise Malformed(Code.ENTITLEMENT_SIGNER_UNKNOWN, detail)
    jose.verify(jws, keys.public_key(jwk))
    # 3: for this verifier.
    found = _parsed(claims)
    if client_id not in found.client_ids:
        raise Malformed(Code.ENTITLEMENT_INVALID, "the entitlement is that of another verifier")
    # 4: now.
    issued_at = _instant(claims["iat"])
    if issued_at > at + CLOCK_SKEW or found.expires_at <= at - CLOCK_SKEW:
        raise Malformed(Code.ENTITLEMENT_EXPIRED, "the entitlement does not hold at this time")
    if found.expires_at - issued_at > LONGEST:
        raise Malformed(Code.ENTITLEMENT_INVALID, "the entitlement holds for longer than any may")
    return found


def _parsed(claims: dict[str, Any]) -> Attestation:
    if any(not isinstance(claims.get(name), int) or isinstance(claims.get(name), bool) for name in _TIMES):
        raise Malformed(Code.ENTITLEMENT_INVALID, "the entitlement does not say from when and until when")
    try:
        # The members are those of a registry entry; what identifies its key stands in the request, not here.
        entry = {name: claims[name] for name in ("client_ids", "name", "may_ask")}
        (parsed,) = documents.parse_verifiers({"verifiers": [{**entry, "key_thumbprints": ["A" * 43]}]})
    except (KeyError, Malformed):
        raise Malformed(Code.ENTITLEMENT_INVALID, "the entitlement does not say whom it is for and what for") from None
    return Attestation(
        jurisdiction=claims["iss"],
        client_ids=parsed.client_ids,
        name=parsed.name,
        may_ask=parsed.may_ask,
        expires_at=_instant(claims["exp"]),
    )


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise Malformed(Code.ENTITLEMENT_INVALID, "the entitlement names a time that is none") from None
