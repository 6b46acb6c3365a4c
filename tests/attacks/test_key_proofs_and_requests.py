"""Cells of the matrix for key proofs and request objects that ``tests/unit/openid`` leaves open."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from comity import keys, strict_json, x509
from comity.credential import X5c
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from comity.openid import key_proof
from comity.openid.presentation import request
from comity.openid.presentation.request import SignedByCertificate, VerifiedRequest
from comity.openid.refusal import OAuthError
from tests.support.forging import GONE, Sign, flipped, forged, mac
from tests.unit.openid.parties import AT, Verifier, make_verifier

ISSUER, NONCE = "https://issuer.example/ca-on/services", "c-n0nce"
WALLET, OTHER_CURVE = KeySigner.generate(), KeySigner.generate("ES384")
VERIFIER = make_verifier()


def proof(sign: Sign | None = None, **changes: Any) -> str:
    good = key_proof.build(WALLET, audience=ISSUER, nonce=NONCE, issued_at=AT)
    return forged(good, sign or WALLET.sign, **changes)


def proof_refused(text: str, code: Code, at: datetime = AT) -> None:
    with pytest.raises(OAuthError) as caught:
        key_proof.check(text, audience=ISSUER, at=at, check_nonce=lambda nonce: nonce == NONCE)
    assert caught.value.code is code


@pytest.mark.good_twin("I07", "J01", "J02", "J07")
def test_a_proof_signed_again_is_the_good_twin() -> None:
    for algorithm in ("ES256", "ES384", "EdDSA"):
        signer = KeySigner.generate(algorithm)
        text = key_proof.build(signer, audience=ISSUER, nonce=NONCE, issued_at=AT)
        found = key_proof.check(text, audience=ISSUER, at=AT, check_nonce=lambda nonce: nonce == NONCE)
        assert keys.thumbprint(found) == signer.thumbprint


@pytest.mark.attack("J01", "J02", "J05", "J07")
def test_signatures_of_a_proof() -> None:
    proof_refused(flipped(proof()), Code.SIGNATURE_INVALID)
    proof_refused(proof(lambda _: b"", header={"alg": "none"}), Code.ALGORITHM_NOT_ALLOWED)
    secret = strict_json.serialise(WALLET.public_jwk)
    proof_refused(proof(mac(secret), header={"alg": "HS256"}), Code.ALGORITHM_NOT_ALLOWED)
    for sign in (OTHER_CURVE.sign, WALLET.sign):
        proof_refused(proof(sign, header={"alg": "ES384"}), Code.SIGNATURE_INVALID)
    proof_refused(proof(header={"crit": ["exp"]}), Code.CRITICAL_HEADER)


@pytest.mark.parametrize("member", ["iat", "exp"])
@pytest.mark.parametrize("value", ["2026-11-23T12:00:00", "soon", True, None])
@pytest.mark.attack("I07", "J19")
def test_times_of_a_proof_that_are_none(member: str, value: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        key_proof.check(proof(payload={member: value}), audience=ISSUER, at=AT, check_nonce=lambda _: True)
    assert caught.value.code in (Code.TIME_MALFORMED, Code.PROOF_INVALID)


def test_a_nonce_that_was_used_is_refused_by_who_keeps_them() -> None:
    """The key proof itself asks; who hands nonces out says whether one still counts."""
    left = {NONCE}

    def take(nonce: str) -> bool:
        found = nonce in left
        left.discard(nonce)
        return found

    key_proof.check(proof(), audience=ISSUER, at=AT, check_nonce=take)
    with pytest.raises(OAuthError) as caught:
        key_proof.check(proof(), audience=ISSUER, at=AT, check_nonce=take)
    assert caught.value.code is Code.NONCE_INVALID


# --- request objects


def asked(verifier: Verifier = VERIFIER, sign: Sign | None = None, chain: X5c | None = None, **changes: Any) -> str:
    good = request.sign(verifier.request(), verifier.signer, chain or verifier.chain)
    return forged(good, sign or verifier.signer.sign, **changes)


def request_refused(text: str, code: Code) -> None:
    with pytest.raises(OAuthError) as caught:
        request.verify(text, client=VERIFIER.client.text, at=AT)
    assert caught.value.code is code


@pytest.mark.good_twin("P13")
def test_a_request_signed_again_is_the_good_twin() -> None:
    found = request.verify(asked(), client=VERIFIER.client.text, at=AT)
    assert isinstance(found, VerifiedRequest)


@pytest.mark.clause("VP-1")
@pytest.mark.attack("J01", "J02", "J10", "P13")
def test_signatures_of_a_request() -> None:
    request_refused(flipped(asked()), Code.SIGNATURE_INVALID)
    request_refused(asked(sign=lambda _: b"", header={"alg": "none"}), Code.ALGORITHM_NOT_ALLOWED)
    secret = x509.to_pem(VERIFIER.leaf)
    request_refused(asked(sign=mac(secret), header={"alg": "HS256"}), Code.ALGORITHM_NOT_ALLOWED)
    for sign in (OTHER_CURVE.sign, VERIFIER.signer.sign):
        request_refused(asked(sign=sign, header={"alg": "ES384"}), Code.SIGNATURE_INVALID)
    for typ in ("JWT", "openid4vci-proof+jwt", GONE):
        request_refused(asked(header={"typ": typ}), Code.TYPE_NOT_ALLOWED)


@pytest.mark.attack("P21")
def test_the_chain_of_a_request_is_left_to_the_registry_and_refused_by_it() -> None:
    """The request says which certificate signed; whether it leads to the verifier's own anchor is checked with that."""
    found = request.verify(asked(), client=VERIFIER.client.text, at=AT)
    assert isinstance(found, VerifiedRequest)
    assert isinstance(found.proof, SignedByCertificate)
    x509.validate_chain(found.proof.chain, [VERIFIER.anchor], AT)
    stranger = make_verifier()
    window = {"not_before": AT - timedelta(days=1), "not_after": AT + timedelta(days=1)}
    own = x509.issue_anchor(name="self", signer=KeySigner.generate(), **window)
    rows = [
        ((VERIFIER.leaf, VERIFIER.anchor), AT, Code.CERTIFICATE_ROOT_INCLUDED),
        ((stranger.leaf,), AT, Code.CERTIFICATE_UNTRUSTED),
        ((own,), AT, Code.CERTIFICATE_UNTRUSTED),
        ((VERIFIER.leaf,), datetime(2030, 1, 1, tzinfo=UTC), Code.CERTIFICATE_EXPIRED),
    ]
    for chain, at, code in rows:
        with pytest.raises(Malformed) as caught:
            x509.validate_chain(chain, [VERIFIER.anchor], at)
        assert caught.value.code is code


@pytest.mark.clause("6-2-x509_hash")
@pytest.mark.attack("P14")
def test_another_leaf_than_the_one_in_the_client_identifier() -> None:
    stranger = make_verifier()
    by_other = forged(asked(), stranger.signer.sign, header={"x5c": list(stranger.chain.chain)})
    request_refused(by_other, Code.CLIENT_MISMATCH)
