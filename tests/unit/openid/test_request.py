"""Signed request objects under a certificate: what is read, and every way to be refused."""

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from comity import base64url, jose, strict_json, x509
from comity.credential import X5c
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid.presentation import request
from comity.openid.presentation.client_id import Prefix
from comity.openid.presentation.request import (
    SignedByCertificate,
)
from tests.unit.openid.asked import encoded, refused, verify
from tests.unit.openid.parties import AT, QUERY, Verifier, make_verifier


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
    bare = structs.replace(
        verifier.request(), state=None, client_metadata=None, issued_at=None, expires_at=None
    ).to_dict()
    assert {"state", "client_metadata", "iat", "exp"}.isdisjoint(bare)


def test_what_is_optional(verifier: Verifier) -> None:
    text = encoded(
        verifier, response_mode="direct_post", state=..., iat=..., exp=..., client_metadata=..., iss="ignored", future=1
    )
    found = verify(verifier, text).request
    assert (found.state, found.issued_at, found.expires_at, found.client_metadata) == (None, None, None, None)


@pytest.mark.clause("VP-2")
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
@pytest.mark.clause("VP-1")
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


@pytest.mark.attack("P13")
@pytest.mark.good_twin("P13")
def test_bad_signature(verifier: Verifier, stranger: KeySigner) -> None:  # module invalid-request-object-signature
    header = {"typ": request.TYP, "x5c": list(verifier.chain.chain)}
    refused(verifier, jose.sign(header, verifier.request().to_dict(), stranger), Code.SIGNATURE_INVALID)
    head, _, signature = request.sign(verifier.request(), verifier.signer, verifier.chain).split(".")
    other = base64url.encode(strict_json.serialise({**verifier.request().to_dict(), "nonce": "other"}))
    refused(verifier, f"{head}.{other}.{signature}", Code.SIGNATURE_INVALID)


@pytest.mark.clause("6-2-x509_hash")
def test_somebody_elses_certificate(verifier: Verifier) -> None:
    # Signed correctly by a certificate of its own, under the client identifier of somebody else.
    thief = make_verifier()
    claims = {**thief.request().to_dict(), "client_id": verifier.client.text}
    text = jose.sign({"typ": request.TYP, "x5c": list(thief.chain.chain)}, claims, thief.signer)
    refused(verifier, text, Code.CLIENT_MISMATCH)


@pytest.mark.clause("VP-4")
def test_client_metadata_never_verifies_the_request(verifier: Verifier, stranger: KeySigner) -> None:  # VP-4
    claims = verifier.request().to_dict()
    claims["client_metadata"]["jwks"]["keys"].append({**stranger.public_jwk, "kid": "mine", "use": "sig"})
    header = {"typ": request.TYP, "x5c": list(verifier.chain.chain), "kid": "mine"}
    refused(verifier, jose.sign(header, claims, stranger), Code.SIGNATURE_INVALID)
    assert verify(verifier, jose.sign(header, claims, verifier.signer)).request.state == "st4te"


@pytest.mark.parametrize("inside", ["x509_san_dns:verifier.example", "", 7, ..., "x509_hash"])
@pytest.mark.clause("VP-1")
@pytest.mark.attack("P14")
def test_client_id_inside_and_outside(verifier: Verifier, inside: Any) -> None:  # P14, module mismatched-client-id
    code = Code.CLIENT_MISMATCH if isinstance(inside, str) and inside else Code.REQUEST_INVALID
    refused(verifier, encoded(verifier, client_id=inside), code)


@pytest.mark.clause("6-2-pre-registered")
def test_prefix_dropped_or_not_supported(verifier: Verifier) -> None:  # module invalid-client-id-prefix
    for client in (
        "origin:https://verifier.example",
        "unknown:verifier.example",
        "openid_federation:https://v.example",
    ):
        refused(verifier, encoded(verifier, client_id=client), Code.REQUEST_INVALID, client=client)


def test_a_pre_registered_verifier_sends_no_metadata(verifier: Verifier) -> None:
    """VP-4, 6.8: its name proves nothing by itself; the registry must list it with the key that signed."""
    left = verifier.client.identifier  # what is left when somebody drops the prefix (P14)
    for client in (left, f"-{left[1:]}", f"_{left[1:]}"):  # a thumbprint may begin with any letter of base64url
        refused(verifier, encoded(verifier, client_id=client), Code.REQUEST_INVALID, "invalid_client", client=client)
        plain: dict[str, Any] = {"client_metadata": ..., "response_mode": "direct_post"}
        found = verify(verifier, encoded(verifier, client_id=client, **plain), client=client)
        assert (found.request.client_id.prefix, found.request.audience) == (Prefix.PRE_REGISTERED, client)


@pytest.mark.clause("6-2-redirect_uri")
def test_redirect_uri_cannot_be_signed(verifier: Verifier) -> None:
    client = "redirect_uri:https://verifier.example/r"
    refused(verifier, encoded(verifier, client_id=client), Code.REQUEST_INVALID, client=client)


@pytest.mark.clause("6-2-x509_san_dns")
@pytest.mark.attack("P15")
@pytest.mark.good_twin("P15")
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
        ({"transaction_data": ["eyJ9"]}, Code.TRANSACTION_DATA_INVALID, "invalid_transaction_data"),
        ({"transaction_data": []}, Code.TRANSACTION_DATA_INVALID, "invalid_transaction_data"),
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
@pytest.mark.clause("VP-2")
def test_parameters_refused(verifier: Verifier, change: dict[str, Any], code: Code, error: str) -> None:
    refused(verifier, encoded(verifier, **change), code, error)


@pytest.mark.clause("C7")
def test_clock_skew_is_a_minute(verifier: Verifier) -> None:
    now = int(AT.timestamp())
    assert verify(verifier, encoded(verifier, iat=now + 60, exp=now - 59)).request.nonce


def test_unknown_encryption_only(verifier: Verifier) -> None:
    metadata = {**verifier.metadata.to_dict(), "encrypted_response_enc_values_supported": ["A128CBC-HS256"]}
    refused(verifier, encoded(verifier, client_metadata=metadata), Code.REQUEST_INVALID)


@pytest.mark.clause("VP-2")
def test_state_where_no_holder_is_shown(verifier: Verifier) -> None:  # VP-2
    unbound = query(require_cryptographic_holder_binding=False)
    refused(verifier, encoded(verifier, dcql_query=unbound, state=...), Code.REQUEST_INVALID)
    assert verify(verifier, encoded(verifier, dcql_query=unbound)).request.state


@pytest.mark.clause("VP-3")
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


def test_expiry_is_that_of_the_moment(verifier: Verifier) -> None:
    text = request.sign(verifier.request(), verifier.signer, verifier.chain)
    assert verify(verifier, text, at=AT + timedelta(minutes=5, seconds=59)).request.expires_at
    refused(verifier, text, Code.REQUEST_EXPIRED, at=AT + timedelta(minutes=6))
    refused(verifier, text, Code.NOT_YET_VALID, at=datetime.fromisoformat("2026-11-23T11:58:59Z"))


def test_a_longer_chain(verifier: Verifier) -> None:
    chain = X5c(chain=(*verifier.chain.chain, x509.to_base64(verifier.anchor)))
    found = verify(verifier, request.sign(verifier.request(), verifier.signer, chain))
    assert found.proof == SignedByCertificate(chain=(verifier.leaf, verifier.anchor))
