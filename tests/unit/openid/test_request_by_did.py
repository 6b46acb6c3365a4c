"""Request objects under ``decentralized_identifier``: the document is asked for, then judged."""

import pytest
from msgspec import structs

from comity import did, strict_json
from comity.credential import Kid
from comity.errors import Code
from comity.openid.presentation import client_id, request
from comity.openid.presentation.request import (
    NeedsDocument,
    SignedByDid,
)
from comity.openid.refusal import OAuthError
from tests.unit.openid.asked import DID, KID, by_did, encoded, needed, refused, verify
from tests.unit.openid.parties import AT, Verifier, make_verifier


def document(verifier: Verifier, *relationships: str, identifier: str = DID) -> bytes:
    return strict_json.serialise(did.web_document(identifier, {"key-1": verifier.signer.public_jwk}, relationships))


@pytest.mark.parametrize("relationship", ["authentication", "assertionMethod"])
@pytest.mark.clause("6-2-decentralized_identifier")
def test_did_web(verifier: Verifier, relationship: str) -> None:
    asked = structs.replace(verifier.request(), client_id=client_id.of_did(DID))
    needs = needed(request.sign(asked, verifier.signer, Kid(did_url=KID)))
    assert (needs.did, needs.url) == (DID, "https://verifier.example/bar/did.json")
    found = needs.resume(document(verifier, relationship))
    assert found.request == asked
    assert found.proof == SignedByDid(did=DID, did_url=KID, jwk=verifier.signer.public_jwk)


def resume_refused(needs: NeedsDocument, body: bytes, code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        needs.resume(body)
    assert caught.value.code is code


def test_did_document_refused(verifier: Verifier) -> None:
    needs = needed(by_did(verifier))
    resume_refused(needs, document(verifier, "keyAgreement"), Code.KEY_RELATIONSHIP_MISSING)
    other = document(verifier, "authentication", identifier="did:web:verifier.example:other")
    resume_refused(needs, other, Code.DID_DOCUMENT_MISMATCH)
    resume_refused(needs, b"not json", Code.MALFORMED_JSON)
    resume_refused(needs, document(make_verifier(), "authentication"), Code.SIGNATURE_INVALID)
    resume_refused(
        needed(by_did(verifier, kid=f"{DID}#key-2")), document(verifier, "authentication"), Code.KEY_NOT_FOUND
    )


def test_claims_are_judged_after_the_did_too(verifier: Verifier) -> None:
    needs = needed(by_did(verifier, aud="https://other.example"))
    resume_refused(needs, document(verifier, "authentication"), Code.AUDIENCE_MISMATCH)


@pytest.mark.parametrize(
    "kid", ["key-1", "#key-1", DID, "did:web:evil.example#key-1", f"{DID}x#key-1", f"{DID}:x#key-1"]
)
@pytest.mark.clause("6-2-decentralized_identifier")
def test_a_key_of_another_did(verifier: Verifier, kid: str) -> None:
    refused(verifier, by_did(verifier, kid=kid), Code.CLIENT_MISMATCH, client=client_id.of_did(DID).text)


def test_without_kid_or_with_a_certificate_instead(verifier: Verifier) -> None:
    text = encoded(verifier, client_id=client_id.of_did(DID).text)
    refused(verifier, text, Code.CLIENT_MISMATCH, client=client_id.of_did(DID).text)


def test_did_jwk_needs_no_document(verifier: Verifier) -> None:
    identifier = did.jwk.did_of(verifier.signer.public_jwk)
    client = client_id.of_did(identifier).text
    found = verify(verifier, by_did(verifier, kid=f"{identifier}#0", identifier=identifier), client=client)
    assert isinstance(found.proof, SignedByDid)
    assert found.proof.did == identifier
    other = did.jwk.did_of(make_verifier().signer.public_jwk)
    text = by_did(verifier, kid=f"{other}#0", identifier=other)
    refused(verifier, text, Code.SIGNATURE_INVALID, client=client_id.of_did(other).text)


@pytest.mark.parametrize("identifier", ["did:jwk:AAAA", "did:web:127.0.0.1", "did:key:zzz"])
def test_a_did_that_is_none(verifier: Verifier, identifier: str) -> None:
    text = by_did(verifier, kid=f"{identifier}#0", identifier=identifier)
    with pytest.raises(OAuthError):
        request.verify(text, client=client_id.of_did(identifier).text, at=AT)


def test_a_did_that_nobody_can_resolve(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    # A method that did knows but that has neither a local document nor a URL.
    monkeypatch.setattr(did, "document_url", lambda _did: None)
    refused(verifier, by_did(verifier), Code.DID_METHOD_UNSUPPORTED, client=client_id.of_did(DID).text)
