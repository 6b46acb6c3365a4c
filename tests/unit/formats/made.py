"""Credentials, good and forged, that the tests of this folder start from. All people and hosts are fictional."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from comity import base64url, jose, keys, strict_json, x509
from comity.credential import Credential, CredentialType, Format, Kid, SignedCredential, StatusEntry, X5c
from comity.errors import Code, Malformed
from comity.formats import FORMATS, OpenedPresentation, ProcessedCredential, sd_jwt
from comity.formats.concealing import conceal

NOW = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
DAY = timedelta(days=1)
ISSUER_ID = "https://issuer.example/ca-on/services"
ISSUER_DID = "did:web:issuer.example:ca-on:services"
AUDIENCE = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk"
NONCE = "n-0S6_WzA2Mj-demo-nonce"
PERSON = CredentialType(slug="person", version=1)

ISSUER = keys.KeySigner.generate()
HOLDER = keys.KeySigner.generate()
STRANGER = keys.KeySigner.generate()

CLAIMS: Mapping[str, Any] = {
    "given_names": "Rosalie DEMO",
    "family_name": "Tremblay",
    "birthdate": "2001-04-05",
    "age_over_19": True,
    "region": "ON",
}
DISCLOSABLE = frozenset({"given_names", "family_name", "birthdate", "age_over_19", "locality"})


def leaf(uri_san: str | None = ISSUER_ID) -> X5c:
    """A real leaf certificate for ISSUER, alone in its chain."""
    anchor_signer = keys.KeySigner.generate()
    end = NOW + 365 * DAY
    anchor = x509.issue_anchor(name="DEMO anchor", signer=anchor_signer, not_before=NOW - DAY, not_after=end)
    certificate = x509.issue_leaf(
        name="DEMO issuer",
        uri_san=uri_san,
        dns_san=None,
        public_jwk=ISSUER.public_jwk,
        anchor=anchor,
        anchor_signer=anchor_signer,
        not_before=NOW - DAY,
        not_after=end,
    )
    return X5c(chain=(x509.to_base64(certificate),))


CHAIN = leaf()
KEY_ID = Kid(did_url=f"{ISSUER_DID}#key-1")
TOKEN_LIST = StatusEntry(list_uri="https://status.example/ca-on/services/status/1", index=4711)
BIT_LISTS = (
    StatusEntry(list_uri="https://status.example/ca-on/services/status/1/revocation", index=4711, purpose="revocation"),
    StatusEntry(list_uri="https://status.example/ca-on/services/status/1/suspension", index=4711, purpose="suspension"),
)


def unsigned(**changes: Any) -> Credential:
    """An unsigned credential as for dc+sd-jwt, with ``changes``."""
    members: dict[str, Any] = {
        "issuer": ISSUER_ID,
        "type": PERSON,
        "claims": CLAIMS,
        "disclosable": DISCLOSABLE,
        "holder_jwk": HOLDER.public_jwk,
        "issued_at": NOW,
        "valid_from": NOW,
        "valid_until": NOW + 365 * DAY,
        "status": (TOKEN_LIST, *BIT_LISTS),
    }
    return Credential(**(members | changes))


def sd_jwt_credential(**changes: Any) -> SignedCredential:
    """A good dc+sd-jwt credential."""
    return FORMATS[Format.DC_SD_JWT].sign(unsigned(**changes), ISSUER, CHAIN)


def w3c_credential(**changes: Any) -> SignedCredential:
    """A good vc+jwt credential."""
    return FORMATS[Format.VC_JWT].sign(unsigned(**{"issuer": ISSUER_DID} | changes), ISSUER, KEY_ID)


def payload_of(encoded: str) -> dict[str, Any]:
    """The payload of a compact JWS, or of the issuer-signed JWT of an SD-JWT."""
    return jose.payload_object(jose.parse(encoded.partition("~")[0]))


def disclosures_of(encoded: str) -> dict[str, str]:
    """The Disclosures of an SD-JWT by claim name."""
    return {strict_json.parse(base64url.decode(each))[1]: each for each in sd_jwt.parse(encoded).disclosures}


def disclosure(*parts: Any) -> str:
    """A Disclosure of exactly these parts."""
    return base64url.encode(strict_json.serialise(list(parts)))


def digest(text: str) -> str:
    """The SHA-256 digest of a Disclosure."""
    return sd_jwt.digest(text, "sha-256")


def sd_payload(**changes: Any) -> dict[str, Any]:
    """The registered members of a good SD-JWT VC, without claims; a change to None takes the member away."""
    members: dict[str, Any] = {
        "iss": ISSUER_ID,
        "vct": PERSON.vct,
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + DAY).timestamp()),
        "cnf": {"jwk": dict(HOLDER.public_jwk)},
        "status": {"status_list": {"idx": 4711, "uri": TOKEN_LIST.list_uri}},
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


def sd_token(payload: Mapping[str, Any], disclosures: Iterable[str] = (), **header: Any) -> str:
    """An SD-JWT VC signed by ISSUER over exactly ``payload``."""
    protected: dict[str, Any] = {"typ": "dc+sd-jwt", "x5c": list(CHAIN.chain)} | header
    protected = {name: value for name, value in protected.items() if value is not None}
    return sd_jwt.combine(jose.sign(protected, payload, ISSUER), list(disclosures))


def hidden(claims: Mapping[str, Any], *paths: tuple[str | int, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Registered members and ``claims`` with ``paths`` concealed, and the Disclosures."""
    concealed = conceal(claims, paths)
    return sd_payload() | concealed.payload, concealed.disclosures


def w3c_document(**changes: Any) -> dict[str, Any]:
    """A good W3C credential; a change to None takes the member away. ``context`` stands for ``@context``."""
    members: dict[str, Any] = {
        "@context": ["https://www.w3.org/ns/credentials/v2", PERSON.context],
        "type": ["VerifiableCredential", "Person"],
        "issuer": ISSUER_DID,
        "validFrom": "2026-11-01T00:00:00Z",
        "validUntil": "2027-11-01T00:00:00Z",
        "credentialSubject": {"given_names": "Rosalie DEMO", "age_over_19": True},
        "cnf": {"jwk": dict(HOLDER.public_jwk)},
    }
    if "context" in changes:
        changes["@context"] = changes.pop("context")
    return {name: value for name, value in (members | changes).items() if value is not None}


def w3c_token(document: Mapping[str, Any], **header: Any) -> str:
    """A vc+jwt signed by ISSUER over exactly ``document``."""
    protected: dict[str, Any] = {"typ": "vc+jwt", "kid": KEY_ID.did_url} | header
    return jose.sign({name: value for name, value in protected.items() if value is not None}, document, ISSUER)


def opened(encoded: str) -> OpenedPresentation:
    """``encoded`` read in the format its outside says."""
    return FORMATS[Format.DC_SD_JWT if "~" in encoded else Format.VC_JWT].open(encoded)


def verified(encoded: str) -> ProcessedCredential:
    """The first credential in ``encoded``, through every step but those of trust, time and holder."""
    credential = opened(encoded).credentials[0]
    FORMATS[credential.format].check_header(credential)
    jose.verify(credential.jws, keys.public_key(ISSUER.public_jwk))
    return FORMATS[credential.format].process(credential)


def presented(held: SignedCredential, *disclose: str, holder: keys.KeySigner | None = HOLDER, **changes: Any) -> str:
    """A presentation of ``held`` for AUDIENCE, NONCE and NOW unless changed."""
    question: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "at": NOW} | changes
    return FORMATS[held.format].present(held, disclose, holder, **question)


def proved(encoded: str, **changes: Any) -> None:
    """Check the holder's proof of ``encoded`` with the key of its first credential and the usual question."""
    presentation = opened(encoded)
    question: dict[str, Any] = {
        "holder_jwk": verified(encoded).holder_jwk,
        "audience": AUDIENCE,
        "nonce": NONCE,
        "at": NOW,
    } | changes
    FORMATS[presentation.format].check_holder_proof(presentation, **question)


class _Refusal:
    """Context manager: the block raises Malformed with this code."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._raises = pytest.raises(Malformed)

    def __enter__(self) -> None:
        self._info = self._raises.__enter__()

    def __exit__(self, *exc: Any) -> bool | None:
        done = self._raises.__exit__(*exc)
        if done:
            assert self._info.value.code is self._code, self._info.value
            assert self._info.value.detail
        return done


def refused(code: Code) -> _Refusal:
    """The block raises Malformed with exactly ``code`` and a sentence for people."""
    return _Refusal(code)
