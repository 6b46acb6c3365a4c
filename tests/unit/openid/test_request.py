import contextlib
import copy
import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, did, jose, strict_json, x509
from comity.credential import Kid, X5c
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid.presentation import client_id, request
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.link import RequestLink
from comity.openid.presentation.request import (
    NeedsDocument,
    SignedByCertificate,
    SignedByDid,
    Unsigned,
    VerifiedRequest,
)
from comity.openid.refusal import OAuthError
from tests.unit.openid.parties import AT, QUERY, Verifier, make_verifier

DID = "did:web:verifier.example:bar"
KID = f"{DID}#key-1"


def encoded(verifier: Verifier, *, header: Mapping[str, Any] | None = None, **change: Any) -> str:
    """A request object with some claims changed; ``...`` removes one."""
    claims = {**verifier.request().to_dict(), **change}
    claims = {name: value for name, value in claims.items() if value is not ...}
    named = {"typ": request.TYP, "x5c": list(verifier.chain.chain)} if header is None else dict(header)
    return jose.sign(named, claims, verifier.signer)


def verify(verifier: Verifier, text: str, *, client: str | None = None, **options: Any) -> VerifiedRequest:
    found = request.verify(text, client=client or verifier.client.text, at=options.pop("at", AT), **options)
    assert isinstance(found, VerifiedRequest)
    return found


def refused(verifier: Verifier, text: str, code: Code, error: str = "invalid_request", **options: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        verify(verifier, text, **options)
    assert (caught.value.code, caught.value.error.value) == (code, error)


def test_what_we_sign_is_what_the_wallet_reads(verifier: Verifier) -> None:
    asked = verifier.request()
    found = verify(verifier, request.sign(asked, verifier.signer, verifier.chain))
    assert found.request == asked
    assert found.proof == SignedByCertificate(chain=(verifier.leaf,))
    assert isinstance(found.proof, SignedByCertificate)
    x509.validate_chain(found.proof.chain, [verifier.anchor], AT)


def test_wire_form(verifier: Verifier) -> None:
    jws = jose.parse(request.sign(verifier.request(), verifier.signer, verifier.chain))
    claims = jose.payload_object(jws)
    assert jws.header == {"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": list(verifier.chain.chain)}
    assert claims["aud"] == "https://self-issued.me/v2"
    assert claims["response_type"] == "vp_token"
    assert claims["client_metadata"]["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
    assert "redirect_uri" not in claims
    assert "wallet_nonce" not in claims
    bare = dataclasses.replace(
        verifier.request(), state=None, client_metadata=None, issued_at=None, expires_at=None
    ).to_dict()
    assert {"state", "client_metadata", "iat", "exp"}.isdisjoint(bare)


def test_what_is_optional(verifier: Verifier) -> None:
    text = encoded(
        verifier, response_mode="direct_post", state=..., iat=..., exp=..., client_metadata=..., iss="ignored", future=1
    )
    found = verify(verifier, text).request
    assert (found.state, found.issued_at, found.expires_at, found.client_metadata) == (None, None, None, None)


def test_long_nonce_and_state(verifier: Verifier) -> None:  # module alternate-happy-flow
    text = encoded(verifier, nonce="a-._~" * 100, state="B9" * 200, aud=[request.AUDIENCE])
    assert verify(verifier, text).request.nonce == "a-._~" * 100


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "JWT"}, Code.TYPE_NOT_ALLOWED),
        ({"typ": "openid4vci-proof+jwt"}, Code.TYPE_NOT_ALLOWED),
        ({}, Code.TYPE_NOT_ALLOWED),
        ({"typ": request.TYP}, Code.MALFORMED_CERTIFICATE),
        ({"typ": request.TYP, "x5c": []}, Code.MALFORMED_CERTIFICATE),
        ({"typ": request.TYP, "x5c": "MIIB"}, Code.MALFORMED_CERTIFICATE),
        ({"typ": request.TYP, "x5c": ["%%"]}, Code.MALFORMED_CERTIFICATE),
        ({"typ": request.TYP, "kid": "verifier"}, Code.MALFORMED_CERTIFICATE),
        ({"typ": request.TYP, "jwk": {"kty": "EC"}}, Code.MALFORMED_CERTIFICATE),
    ],
)
def test_header_refused(verifier: Verifier, header: dict[str, Any], code: Code) -> None:  # P13
    refused(verifier, encoded(verifier, header=header), code)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
def test_algorithms_outside_the_list(verifier: Verifier, algorithm: str) -> None:
    header = {"alg": algorithm, "typ": request.TYP, "x5c": list(verifier.chain.chain)}
    parts = (strict_json.serialise(header), strict_json.serialise(verifier.request().to_dict()), b"")
    refused(verifier, ".".join(base64url.encode(part) for part in parts), Code.ALGORITHM_NOT_ALLOWED)


def test_a_private_key_in_the_header(verifier: Verifier) -> None:
    header = {"alg": "ES256", "typ": request.TYP, "jwk": {"kty": "EC", "d": "AA"}}
    parts = (strict_json.serialise(header), b"{}", b"")
    refused(verifier, ".".join(base64url.encode(part) for part in parts), Code.PRIVATE_KEY_EXPOSED)


def test_bad_signature(verifier: Verifier, stranger: KeySigner) -> None:  # module invalid-request-object-signature
    header = {"typ": request.TYP, "x5c": list(verifier.chain.chain)}
    refused(verifier, jose.sign(header, verifier.request().to_dict(), stranger), Code.SIGNATURE_INVALID)
    head, _, signature = request.sign(verifier.request(), verifier.signer, verifier.chain).split(".")
    other = base64url.encode(strict_json.serialise({**verifier.request().to_dict(), "nonce": "other"}))
    refused(verifier, f"{head}.{other}.{signature}", Code.SIGNATURE_INVALID)


def test_somebody_elses_certificate(verifier: Verifier) -> None:
    # Signed correctly by a certificate of its own, under the client identifier of somebody else.
    thief = make_verifier()
    claims = {**thief.request().to_dict(), "client_id": verifier.client.text}
    text = jose.sign({"typ": request.TYP, "x5c": list(thief.chain.chain)}, claims, thief.signer)
    refused(verifier, text, Code.CLIENT_MISMATCH)


def test_client_metadata_never_verifies_the_request(verifier: Verifier, stranger: KeySigner) -> None:  # VP-4
    claims = verifier.request().to_dict()
    claims["client_metadata"]["jwks"]["keys"].append({**stranger.public_jwk, "kid": "mine", "use": "sig"})
    header = {"typ": request.TYP, "x5c": list(verifier.chain.chain), "kid": "mine"}
    refused(verifier, jose.sign(header, claims, stranger), Code.SIGNATURE_INVALID)
    assert verify(verifier, jose.sign(header, claims, verifier.signer)).request.state == "st4te"


@pytest.mark.parametrize("inside", ["x509_san_dns:verifier.example", "", 7, ..., "x509_hash"])
def test_client_id_inside_and_outside(verifier: Verifier, inside: Any) -> None:  # P14, module mismatched-client-id
    code = Code.CLIENT_MISMATCH if isinstance(inside, str) and inside else Code.REQUEST_INVALID
    refused(verifier, encoded(verifier, client_id=inside), code)


def test_prefix_dropped_or_not_supported(verifier: Verifier) -> None:  # module invalid-client-id-prefix
    for client in (verifier.client.identifier, "origin:https://verifier.example", "unknown:verifier.example"):
        refused(verifier, encoded(verifier, client_id=client), Code.REQUEST_INVALID, client=client)


def test_redirect_uri_cannot_be_signed(verifier: Verifier) -> None:
    client = "redirect_uri:https://verifier.example/r"
    refused(verifier, encoded(verifier, client_id=client), Code.REQUEST_INVALID, client=client)


def test_x509_san_dns(verifier: Verifier) -> None:
    client = "x509_san_dns:verifier.example"
    assert verify(verifier, encoded(verifier, client_id=client), client=client).request.client_id.text == client
    elsewhere = encoded(verifier, client_id=client, response_uri="https://evil.example/r")
    refused(verifier, elsewhere, Code.CLIENT_MISMATCH, client=client)  # P15, module response-uri-not-client-id
    other = "x509_san_dns:other.example"
    refused(verifier, encoded(verifier, client_id=other), Code.CLIENT_MISMATCH, client=other)


def query(**change: Any) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(QUERY)
    changed["credentials"][0].update(change)
    return changed


@pytest.mark.parametrize(
    ("change", "code", "error"),
    [
        ({"response_type": "code"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_type": ...}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_type": "vp_token id_token"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"nonce": ...}, Code.REQUEST_INVALID, "invalid_request"),  # module missing-nonce
        ({"nonce": ""}, Code.REQUEST_INVALID, "invalid_request"),
        ({"nonce": "with space"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"nonce": "newline\n"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"nonce": 5}, Code.REQUEST_INVALID, "invalid_request"),
        ({"state": "a/b"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"state": None}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_mode": ...}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_mode": "fragment"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_mode": "dc_api"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_uri": ...}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_uri": "http://verifier.example/r"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"response_uri": "https://verifier.example/r#f"}, Code.REQUEST_INVALID, "invalid_request"),
        # module redirect-uri-with-direct-post
        ({"redirect_uri": "https://verifier.example/cb"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"dcql_query": ...}, Code.REQUEST_INVALID, "invalid_request"),
        ({"scope": "openid"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"dcql_query": ..., "scope": "person"}, Code.REQUEST_INVALID, "invalid_scope"),
        ({"dcql_query": "text"}, Code.MALFORMED_QUERY, "invalid_request"),
        ({"dcql_query": {"credentials": []}}, Code.MALFORMED_QUERY, "invalid_request"),
        # P17, module unknown-transaction-data-type
        ({"transaction_data": ["eyJ9"]}, Code.REQUEST_INVALID, "invalid_transaction_data"),
        ({"transaction_data": []}, Code.REQUEST_INVALID, "invalid_transaction_data"),
        ({"client_metadata": ...}, Code.REQUEST_INVALID, "invalid_request"),  # no key for direct_post.jwt
        ({"client_metadata": {}}, Code.REQUEST_INVALID, "invalid_request"),
        ({"client_metadata": "text"}, Code.REQUEST_INVALID, "invalid_request"),
        (
            {"client_metadata": {"vp_formats_supported": {"mso_mdoc": {}}}, "response_mode": "direct_post"},
            Code.REQUEST_INVALID,
            "vp_formats_not_supported",
        ),
        ({"request": "a.b.c"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"request_uri": "https://verifier.example/r"}, Code.REQUEST_INVALID, "invalid_request"),
        ({"aud": "https://wallet.example"}, Code.AUDIENCE_MISMATCH, "invalid_request"),
        ({"aud": [request.AUDIENCE, "https://x.example"]}, Code.AUDIENCE_MISMATCH, "invalid_request"),
        ({"aud": ...}, Code.AUDIENCE_MISMATCH, "invalid_request"),
        ({"iat": int(AT.timestamp()) + 61}, Code.NOT_YET_VALID, "invalid_request"),
        ({"exp": int(AT.timestamp()) - 60}, Code.REQUEST_EXPIRED, "invalid_request"),
        ({"exp": "2026-11-23"}, Code.REQUEST_INVALID, "invalid_request"),
    ],
)
def test_parameters_refused(verifier: Verifier, change: dict[str, Any], code: Code, error: str) -> None:
    refused(verifier, encoded(verifier, **change), code, error)


def test_clock_skew_is_a_minute(verifier: Verifier) -> None:
    now = int(AT.timestamp())
    assert verify(verifier, encoded(verifier, iat=now + 60, exp=now - 59)).request.nonce


def test_unknown_encryption_only(verifier: Verifier) -> None:
    metadata = {**verifier.metadata.to_dict(), "encrypted_response_enc_values_supported": ["A128CBC-HS256"]}
    refused(verifier, encoded(verifier, client_metadata=metadata), Code.REQUEST_INVALID)


def test_state_where_no_holder_is_shown(verifier: Verifier) -> None:  # VP-2
    unbound = query(require_cryptographic_holder_binding=False)
    refused(verifier, encoded(verifier, dcql_query=unbound, state=...), Code.REQUEST_INVALID)
    assert verify(verifier, encoded(verifier, dcql_query=unbound)).request.state


def test_wallet_nonce(verifier: Verifier) -> None:  # P16
    echoed = encoded(verifier, wallet_nonce="w-1")
    assert verify(verifier, echoed, wallet_nonce="w-1").request.wallet_nonce == "w-1"
    assert verify(verifier, echoed).request.wallet_nonce  # the wallet used GET: nothing to compare
    refused(verifier, echoed, Code.NONCE_MISMATCH, wallet_nonce="w-2")
    refused(verifier, encoded(verifier), Code.NONCE_MISMATCH, wallet_nonce="w-1")


def test_duplicate_members(verifier: Verifier) -> None:
    text = strict_json.serialise(verifier.request().to_dict()).decode()
    doubled = text[:-1] + ',"response_uri":"https://evil.example/r"}'
    refused(
        verifier,
        jose.sign({"typ": request.TYP, "x5c": list(verifier.chain.chain)}, doubled.encode(), verifier.signer),
        Code.DUPLICATE_MEMBER,
    )


# --- decentralized_identifier


def by_did(verifier: Verifier, kid: str = KID, identifier: str = DID, **change: Any) -> str:
    return encoded(
        verifier,
        header={"typ": request.TYP, "kid": kid},
        client_id=client_id.of_did(identifier).text,
        **change,
    )


def document(verifier: Verifier, *relationships: str, identifier: str = DID) -> bytes:
    return strict_json.serialise(did.web_document(identifier, {"key-1": verifier.signer.public_jwk}, relationships))


def needed(text: str) -> NeedsDocument:
    found = request.verify(text, client=client_id.of_did(DID).text, at=AT)
    assert isinstance(found, NeedsDocument)
    return found


@pytest.mark.parametrize("relationship", ["authentication", "assertionMethod"])
def test_did_web(verifier: Verifier, relationship: str) -> None:
    asked = dataclasses.replace(verifier.request(), client_id=client_id.of_did(DID))
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


# --- unsigned


def unsigned(verifier: Verifier, **change: str | None) -> RequestLink:
    client = ClientId(prefix=Prefix.REDIRECT_URI, identifier="https://verifier.example/r")
    claims = dataclasses.replace(verifier.request(), client_id=client, response_uri=client.identifier).to_dict()
    fields = {
        name: value if isinstance(value, str) else strict_json.serialise(value).decode()
        for name, value in claims.items()
    }
    changed = {name: value for name, value in {**fields, **change}.items() if value is not None}
    return RequestLink(client_id=client.text, parameters=changed)


def test_an_unsigned_request_names_nobody(verifier: Verifier) -> None:  # P13
    found = request.read_unsigned(unsigned(verifier))
    assert found.proof == Unsigned(response_uri="https://verifier.example/r")
    assert found.request.query == verifier.request().query
    assert found.request.issued_at is None
    omitted = request.read_unsigned(unsigned(verifier, response_uri=None))
    assert omitted.request.response_uri == "https://verifier.example/r"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"response_uri": "https://evil.example/r"}, Code.CLIENT_MISMATCH),
        ({"redirect_uri": "https://verifier.example/r"}, Code.REQUEST_INVALID),
        ({"dcql_query": "{"}, Code.MALFORMED_JSON),
        ({"dcql_query": "[]"}, Code.MALFORMED_QUERY),
        ({"client_metadata": "[]"}, Code.REQUEST_INVALID),
        ({"nonce": None}, Code.REQUEST_INVALID),
        ({"transaction_data": "[]"}, Code.REQUEST_INVALID),
    ],
)
def test_unsigned_refused(verifier: Verifier, change: dict[str, str | None], code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        request.read_unsigned(unsigned(verifier, **change))
    assert caught.value.code is code


def test_unsigned_under_a_prefix_that_signs(verifier: Verifier) -> None:
    link = dataclasses.replace(unsigned(verifier), client_id=verifier.client.text)
    with pytest.raises(OAuthError, match="does not say who asks"):
        request.read_unsigned(link)


# --- any input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARTY = make_verifier()


@given(st.dictionaries(st.sampled_from([*PARTY.request().to_dict(), "scope", "wallet_nonce"]), JSON, max_size=3))
def test_any_value_in_any_parameter(change: dict[str, Any]) -> None:
    with contextlib.suppress(OAuthError):
        verify(PARTY, encoded(PARTY, **change))


@given(st.text() | st.binary().map(lambda data: f"{base64url.encode(data)}.{base64url.encode(data)}.AAAA"))
def test_any_text(text: str) -> None:
    with pytest.raises(OAuthError):
        request.verify(text, client=PARTY.client.text, at=AT)


@given(st.binary())
def test_any_document(data: bytes) -> None:
    with pytest.raises(OAuthError):
        needed(by_did(PARTY)).resume(data)


@given(st.dictionaries(st.sampled_from(["dcql_query", "client_metadata", "nonce", "state"]), st.text(max_size=20)))
def test_any_unsigned_parameters(fields: dict[str, str]) -> None:
    with contextlib.suppress(OAuthError):
        request.read_unsigned(unsigned(PARTY, **fields))


def test_expiry_is_that_of_the_moment(verifier: Verifier) -> None:
    text = request.sign(verifier.request(), verifier.signer, verifier.chain)
    assert verify(verifier, text, at=AT + timedelta(minutes=5, seconds=59)).request.expires_at
    refused(verifier, text, Code.REQUEST_EXPIRED, at=AT + timedelta(minutes=6))
    refused(verifier, text, Code.NOT_YET_VALID, at=datetime.fromisoformat("2026-11-23T11:58:59Z"))


def test_a_longer_chain(verifier: Verifier) -> None:
    chain = X5c(chain=(*verifier.chain.chain, x509.to_base64(verifier.anchor)))
    found = verify(verifier, request.sign(verifier.request(), verifier.signer, chain))
    assert found.proof == SignedByCertificate(chain=(verifier.leaf, verifier.anchor))
