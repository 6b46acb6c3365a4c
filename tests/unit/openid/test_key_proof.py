from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, did, jose, keys, strict_json
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid import key_proof
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Jwk

ISSUER = "https://issuer.example/ca-on/services"
NONCE = "c-n0nce"
WALLET = KeySigner.generate()


def is_ours(nonce: str) -> bool:
    return nonce == NONCE


def check(proof: str, at: datetime, **options: Any) -> Jwk:
    return key_proof.check(proof, **{"audience": ISSUER, "at": at, "check_nonce": is_ours, **options})


def proof_of(
    at: datetime, *, header: Mapping[str, Any] | None = None, signer: KeySigner = WALLET, **change: Any
) -> str:
    claims = {"aud": ISSUER, "iat": int(at.timestamp()), "nonce": NONCE, **change}
    claims = {name: value for name, value in claims.items() if value is not ...}
    named = {"typ": key_proof.TYP, "jwk": dict(WALLET.public_jwk)} if header is None else header
    return jose.sign(named, claims, signer)


def refused(proof: str, at: datetime, code: Code, error: str = "invalid_proof", **options: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        check(proof, at, **options)
    assert (caught.value.code, caught.value.error.value) == (code, error)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
@pytest.mark.good_twin("I07")
def test_what_we_build_passes(at: datetime, algorithm: str) -> None:
    signer = KeySigner.generate(algorithm)
    proof = key_proof.build(signer, audience=ISSUER, nonce=NONCE, issued_at=at)
    assert check(proof, at) == signer.public_jwk
    found = key_proof.examine(proof, audience=ISSUER, at=at, check_nonce=is_ours)
    assert found == key_proof.CheckedProof(
        jwk=signer.public_jwk, thumbprint=signer.thumbprint, nonce=NONCE, issued_at=at
    )
    assert "iss" not in jose.payload_object(jose.parse(proof))


def test_a_did_jwk_names_its_own_key(at: datetime) -> None:
    kid = f"{did.jwk.did_of(WALLET.public_jwk)}#0"
    assert check(proof_of(at, header={"typ": key_proof.TYP, "kid": kid}), at) == WALLET.public_jwk


def test_only_the_key_itself_is_taken_over(at: datetime) -> None:
    jwk = {**WALLET.public_jwk, "kid": "mine", "x5u": "https://evil.example", "use": "sig", "alg": "ES256"}
    assert check(proof_of(at, header={"typ": key_proof.TYP, "jwk": jwk}), at) == WALLET.public_jwk


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"jwk": dict(WALLET.public_jwk)}, Code.TYPE_NOT_ALLOWED),
        ({"typ": "JWT", "jwk": dict(WALLET.public_jwk)}, Code.TYPE_NOT_ALLOWED),
        ({"typ": "kb+jwt", "jwk": dict(WALLET.public_jwk)}, Code.TYPE_NOT_ALLOWED),
        ({"typ": key_proof.TYP}, Code.PROOF_INVALID),
        ({"typ": key_proof.TYP, "jwk": dict(WALLET.public_jwk), "kid": "a"}, Code.PROOF_INVALID),
        ({"typ": key_proof.TYP, "jwk": dict(WALLET.public_jwk), "x5c": ["a"]}, Code.PROOF_INVALID),
        ({"typ": key_proof.TYP, "x5c": ["MIIB"]}, Code.KEY_MECHANISM_NOT_ALLOWED),
        ({"typ": key_proof.TYP, "jwk": "text"}, Code.MALFORMED_KEY),
        ({"typ": key_proof.TYP, "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, Code.MALFORMED_KEY),
        ({"typ": key_proof.TYP, "jwk": {"kty": "oct"}}, Code.MALFORMED_KEY),
        ({"typ": key_proof.TYP, "kid": "did:web:holder.example#1"}, Code.KEY_MECHANISM_NOT_ALLOWED),
        ({"typ": key_proof.TYP, "kid": "did:key:zDn#zDn"}, Code.KEY_MECHANISM_NOT_ALLOWED),
        ({"typ": key_proof.TYP, "kid": "my-key"}, Code.KEY_MECHANISM_NOT_ALLOWED),
        ({"typ": key_proof.TYP, "kid": "did:jwk:!!#0"}, Code.MALFORMED_DID),
        ({"typ": key_proof.TYP, "kid": did.jwk.did_of(WALLET.public_jwk)}, Code.MALFORMED_DID),
        ({"typ": key_proof.TYP, "kid": f"{did.jwk.did_of(WALLET.public_jwk)}#1"}, Code.KEY_NOT_FOUND),
    ],
)
@pytest.mark.clause("VCI-41")
@pytest.mark.attack("I07", "J10")
def test_header_refused(at: datetime, header: dict[str, Any], code: Code) -> None:  # I07
    refused(proof_of(at, header=header), at, code)


def raw(header: Mapping[str, Any], at: datetime, signature: bytes = b"") -> str:
    payload = strict_json.serialise({"aud": ISSUER, "iat": int(at.timestamp()), "nonce": NONCE})
    parts = (strict_json.serialise(dict(header)), payload, signature)
    return ".".join(base64url.encode(part) for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES512", "es256", None])
def test_algorithms_outside_the_list(at: datetime, algorithm: str | None) -> None:
    header = {"alg": algorithm, "typ": key_proof.TYP, "jwk": dict(WALLET.public_jwk)}
    if algorithm is None:
        del header["alg"]
    refused(raw(header, at), at, Code.ALGORITHM_NOT_ALLOWED)


@pytest.mark.parametrize("member", ["d", "k"])
@pytest.mark.attack("J20")
def test_a_private_key_in_the_header(at: datetime, member: str) -> None:
    jwk = {**WALLET.public_jwk, member: "AAAA"}
    refused(raw({"alg": "ES256", "typ": key_proof.TYP, "jwk": jwk}, at), at, Code.PRIVATE_KEY_EXPOSED)


def test_signed_by_another_key(at: datetime, stranger: KeySigner) -> None:
    refused(proof_of(at, signer=stranger), at, Code.SIGNATURE_INVALID)


def test_a_changed_signature_or_payload(at: datetime) -> None:
    proof = proof_of(at)
    head, payload, signature = proof.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    refused(f"{head}.{payload}.{flipped}", at, Code.SIGNATURE_INVALID)
    other = base64url.encode(strict_json.serialise({"aud": ISSUER, "iat": 1, "nonce": NONCE}))
    refused(f"{head}.{other}.{signature}", at, Code.SIGNATURE_INVALID)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "https://other.example"}, Code.AUDIENCE_MISMATCH),
        ({"aud": f"{ISSUER}/"}, Code.AUDIENCE_MISMATCH),
        ({"aud": f"{ISSUER}/credential"}, Code.AUDIENCE_MISMATCH),
        ({"aud": [ISSUER]}, Code.PROOF_INVALID),
        ({"aud": ...}, Code.PROOF_INVALID),
        ({"iat": ...}, Code.PROOF_INVALID),
        ({"iat": "now"}, Code.PROOF_INVALID),
        ({"nonce": ...}, Code.PROOF_INVALID),
        ({"nonce": ""}, Code.PROOF_INVALID),
        ({"nonce": 7}, Code.PROOF_INVALID),
        ({"iss": "some-client"}, Code.PROOF_INVALID),
        ({"iss": ""}, Code.PROOF_INVALID),
    ],
)
@pytest.mark.clause("VCI-41")
@pytest.mark.attack("I07")
def test_claims_refused(at: datetime, change: dict[str, Any], code: Code) -> None:  # I07
    refused(proof_of(at, **change), at, code)


@pytest.mark.clause("VCI-41")
def test_a_wrong_nonce_has_its_own_error(at: datetime) -> None:  # I06, trap 12
    refused(proof_of(at, nonce="forged"), at, Code.NONCE_INVALID, "invalid_nonce")


def test_without_a_nonce_endpoint_no_nonce_is_needed(at: datetime) -> None:
    proof = key_proof.build(WALLET, audience=ISSUER, nonce=None, issued_at=at)
    assert key_proof.examine(proof, audience=ISSUER, at=at, check_nonce=None).nonce is None
    assert key_proof.examine(proof_of(at), audience=ISSUER, at=at, check_nonce=None).nonce == NONCE
    refused(proof, at, Code.PROOF_INVALID)


def test_the_client_may_name_itself_only_where_it_is_known(at: datetime) -> None:
    assert check(proof_of(at, iss="wallet-1"), at, client_id="wallet-1")
    assert check(proof_of(at), at, client_id="wallet-1")
    refused(proof_of(at, iss="wallet-2"), at, Code.PROOF_INVALID, client_id="wallet-1")


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (61, Code.NOT_YET_VALID),
        (60, None),
        (-600, None),
        (-601, Code.HOLDER_PROOF_EXPIRED),
    ],
)
@pytest.mark.attack("I07")
@pytest.mark.good_twin("I07")
def test_window_of_iat(at: datetime, seconds: int, code: Code | None) -> None:
    proof = proof_of(at + timedelta(seconds=seconds))
    if code is None:
        assert check(proof, at)
    else:
        refused(proof, at, code)


def test_nbf_is_respected(at: datetime) -> None:
    now = int(at.timestamp())
    assert check(proof_of(at, nbf=now + 60), at)
    refused(proof_of(at, nbf=now + 61), at, Code.NOT_YET_VALID)
    refused(proof_of(at, nbf="soon"), at, Code.PROOF_INVALID)


def test_exp_is_respected(at: datetime) -> None:
    now = int(at.timestamp())
    assert check(proof_of(at, exp=now - 59), at)
    refused(proof_of(at, exp=now - 60), at, Code.HOLDER_PROOF_EXPIRED)


def test_duplicate_members_in_the_payload(at: datetime) -> None:
    text = f'{{"aud":"https://x.example","aud":"{ISSUER}","iat":{int(at.timestamp())},"nonce":"{NONCE}"}}'
    proof = jose.sign({"typ": key_proof.TYP, "jwk": dict(WALLET.public_jwk)}, text.encode(), WALLET)
    refused(proof, at, Code.DUPLICATE_MEMBER)


def test_a_large_proof_is_not_read(at: datetime) -> None:
    refused(proof_of(at, padding="x" * 20_000), at, Code.TOO_LARGE)


@pytest.mark.good_twin("I11")
def test_batch(at: datetime) -> None:
    signers = [KeySigner.generate() for _ in range(3)]
    proofs = [key_proof.build(each, audience=ISSUER, nonce=NONCE, issued_at=at) for each in signers]
    checked = key_proof.examine_all(proofs, audience=ISSUER, at=at, check_nonce=is_ours)
    assert [each.thumbprint for each in checked] == [each.thumbprint for each in signers]


@pytest.mark.attack("I11")
def test_batch_is_all_or_nothing_and_names_the_bad_one(at: datetime) -> None:  # I11
    good = key_proof.build(WALLET, audience=ISSUER, nonce=NONCE, issued_at=at)
    bad = key_proof.build(KeySigner.generate(), audience=ISSUER, nonce="forged", issued_at=at)
    with pytest.raises(OAuthError, match="key proof 2 of 2") as caught:
        key_proof.examine_all([good, bad], audience=ISSUER, at=at, check_nonce=is_ours)
    assert caught.value.error is OAuthErrorCode.INVALID_NONCE
    again = key_proof.build(WALLET, audience=ISSUER, nonce=NONCE, issued_at=at - timedelta(seconds=1))
    with pytest.raises(OAuthError, match="key proof 2 of 2: the key was used") as caught:
        key_proof.examine_all([good, again], audience=ISSUER, at=at, check_nonce=is_ours)
    assert caught.value.error is OAuthErrorCode.INVALID_PROOF


@pytest.mark.clause("VCI-41")
@pytest.mark.attack("I11")
def test_one_key_under_two_names_is_one_key(at: datetime) -> None:
    kid = f"{did.jwk.did_of(WALLET.public_jwk)}#0"
    with pytest.raises(OAuthError, match="the key was used"):
        key_proof.examine_all(
            [proof_of(at), proof_of(at, header={"typ": key_proof.TYP, "kid": kid})],
            audience=ISSUER, at=at, check_nonce=is_ours,
        )  # fmt: skip


def test_thumbprint_is_that_of_the_key(at: datetime) -> None:
    found = key_proof.examine(proof_of(at), audience=ISSUER, at=at, check_nonce=is_ours)
    assert found.thumbprint == keys.thumbprint(WALLET.public_jwk)


@given(st.text() | st.binary().map(lambda data: f"{base64url.encode(data)}.{base64url.encode(data)}.AAAA"))
def test_any_text(text: str) -> None:
    with pytest.raises(OAuthError):
        check(text, datetime.fromisoformat("2026-11-23T12:00:00Z"))


@given(st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "kid", "x5c", "crit"]), st.text() | st.none()))
def test_any_header(header: dict[str, Any]) -> None:
    at = datetime.fromisoformat("2026-11-23T12:00:00Z")
    with pytest.raises(OAuthError):
        check(raw({"alg": "ES256", "typ": key_proof.TYP, **header}, at), at)
