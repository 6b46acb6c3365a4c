"""An issuer that sends something else than it should: made with its real keys, one thing changed."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import issuer.keyring
from comity import base64url, formats, jose, strict_json
from comity.credential import Credential, CredentialType, Format
from comity.keys import KeySigner
from comity.ports import Fetched, FetchRequest
from issuer import catalog
from tests.services.wallet.town import CLAIMS, NOW, ON, Town
from tests.support.in_process import Change, fetched

Make = Callable[[Mapping[str, Any], str], str]
"""Given the holder's key, and what the issuer really sent, returns what it sends instead."""


def credential(
    town: Town,
    holder: Mapping[str, Any] | None,
    genuine: str,
    *,
    type_id: str = "person/1",
    credential_format: Format = Format.DC_SD_JWT,
    signed_as: str = ON,
    **changes: Any,
) -> str:
    """Return a credential with the status of the genuine one, and anything in it said otherwise."""
    authority = issuer.keyring.open_authorities(town.ground.issuer_settings(), NOW)[signed_as]
    is_sd_jwt = credential_format is Format.DC_SD_JWT
    slug, _, version = type_id.partition("/")
    kind = CredentialType(slug=slug, version=int(version))
    known = formats.FORMATS[formats.of(genuine)]
    status = known.process(known.open(genuine).credentials[0]).status
    values: dict[str, Any] = {
        "issuer": authority.issuer_id if is_sd_jwt else authority.did,
        "type": kind,
        "claims": CLAIMS[type_id],
        "disclosable": catalog.disclosable(kind),
        "holder_jwk": holder,
        "issued_at": NOW,
        "valid_from": NOW - timedelta(days=30),
        "valid_until": NOW + timedelta(days=30),
        "status": status if formats.of(genuine) is credential_format else (),
    }
    signer = authority.credential_signer if is_sd_jwt else authority.did_signer
    key = authority.credential_chain if is_sd_jwt else authority.credential_kid
    return formats.FORMATS[credential_format].sign(Credential(**{**values, **changes}), signer, key).encoded


def metadata_saying(town: Town, **members: Any) -> Callable[[FetchRequest, Fetched | None], Fetched]:
    """Return a change of the issuer's metadata: plain, without encryption, and without the members that are None."""

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        signed = answer.content_type != "application/json"
        told = (
            jose.payload_object(jose.parse(answer.body.decode())) if signed else strict_json.parse_object(answer.body)
        )
        plain = {name: value for name, value in told.items() if not name.endswith("_encryption")}
        said = {name: value for name, value in {**plain, **members}.items() if value is not None}
        return fetched(request.url, strict_json.serialise(said), town.clock)

    return change


def sending(town: Town, make: Make) -> Change:
    """Return a change of the credential endpoint's answer: the real issuer does its work, and sends ``make``'s."""
    town.net._after.setdefault("openid-credential-issuer", metadata_saying(town))

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert request.body is not None
        assert answer is not None
        assert answer.status == 200, answer.body
        (proof,) = strict_json.parse_object(request.body)["proofs"]["jwt"]
        told = strict_json.parse_object(answer.body)
        genuine = told["credentials"][0]["credential"]
        told["credentials"] = [{"credential": make(jose.parse(proof).header["jwk"], genuine)}]
        return fetched(request.url, strict_json.serialise(told), town.clock)

    return change


def with_holder_proof(encoded: str) -> str:
    """Return a credential with a key-binding proof after it, as only a presentation has."""
    key = KeySigner.generate()
    claims = {"iat": int(NOW.timestamp()), "aud": "somebody", "nonce": "n", "sd_hash": base64url.encode(bytes(32))}
    return encoded + jose.sign({"typ": "kb+jwt"}, claims, key)


def with_another_disclosure(encoded: str) -> str:
    """Return an SD-JWT with a disclosure that no digest names."""
    return encoded + base64url.encode(b'["c2FsdHNhbHRzYWx0c2FsdA", "age_over_99", true]') + "~"


def with_broken_signature(encoded: str) -> str:
    head, _, rest = encoded.partition("~")
    body, _, signature = head.rpartition(".")
    broken = ("A" if signature[0] != "A" else "B") + signature[1:]
    return f"{body}.{broken}~{rest}"
