"""Key attestations (OpenID4VCI 1.0 appendices D and F; VCI-42), alone and inside a proof, each check with its twin."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from comity import keys, strict_json
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid import key_attestation, key_proof
from comity.openid.key_attestation import BASIC, CheckedKeyAttestation, Demand, Rules
from comity.openid.key_proof import CheckedProof
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from tests.support.attesting import DAY, Provider
from tests.support.forging import GONE, flipped, forged, header_of, mac
from tests.unit.openid.parties import AT

ISSUER, NONCE = "https://issuer.example/ca-on/services", "c-1"
PROVIDER = Provider(AT)
ONE, TWO, THREE, STRANGER = (KeySigner.generate() for _ in range(4))
RULES = Rules(trusted=(PROVIDER.attester,), demand=Demand(), most_keys=3)


def attestation(*holders: KeySigner, nonce: str | None = NONCE, **changes: Any) -> str:
    return PROVIDER.key_attestation(*(holders or (ONE, TWO)), nonce=nonce, **changes)


def is_ours(nonce: str) -> bool:
    return nonce == NONCE


def check(encoded: str, rules: Rules = RULES, **options: Any) -> CheckedKeyAttestation:
    values: dict[str, Any] = {"check_nonce": is_ours, "at": AT, "in_proof": True}
    return key_attestation.check(encoded, rules=rules, **{**values, **options})


def passes(*texts: Any, **options: Any) -> bool:
    return bool(check(*texts, **options).jwks)


def refused(encoded: str, code: Code = Code.KEY_ATTESTATION_INVALID, **options: Any) -> None:
    error = options.pop("error", OAuthErrorCode.INVALID_PROOF)
    with pytest.raises(OAuthError) as caught:
        check(encoded, **options)
    assert (caught.value.code, caught.value.error) == (code, error)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
def test_what_we_build_passes(algorithm: str) -> None:
    provider, holder = Provider(AT, signer=KeySigner.generate(algorithm)), KeySigner.generate(algorithm)
    for chain in ((), provider.chain):
        made = provider.key_attestation(holder, ONE, nonce=NONCE, chain=chain)
        found = check(made, Rules(trusted=(provider.attester,), most_keys=2))
        assert found.jwks == (holder.public_jwk, ONE.public_jwk)
        assert (found.nonce, found.issued_at) == (NONCE, AT)
        assert header_of(made)["typ"] == "key-attestation+jwt"


def test_whose_word_counts() -> None:  # I18
    refused(flipped(attestation()), Code.SIGNATURE_INVALID)
    refused(attestation(signer=STRANGER), Code.KEY_NOT_FOUND)
    refused(attestation(signer=STRANGER, header={"kid": PROVIDER.signer.thumbprint}), Code.SIGNATURE_INVALID)
    refused(attestation(chain=Provider(AT).chain), Code.CERTIFICATE_UNTRUSTED)
    refused(attestation(), Code.KEY_NOT_FOUND, rules=Rules(trusted=(), most_keys=3))
    assert passes(attestation(chain=PROVIDER.chain))


def test_type_and_algorithm() -> None:
    for typ in (GONE, "JWT", "keyattestation+jwt", "openid4vci-proof+jwt", "oauth-client-attestation+jwt"):
        refused(attestation(header={"typ": typ}), Code.TYPE_NOT_ALLOWED)
    secret = strict_json.serialise(PROVIDER.signer.public_jwk)
    for algorithm, sign in (("none", lambda _: b""), ("HS256", mac(secret))):
        refused(forged(attestation(), sign, header={"alg": algorithm}), Code.ALGORITHM_NOT_ALLOWED)


def test_the_attested_keys() -> None:
    listed = [dict(ONE.public_jwk), dict(TWO.public_jwk)]
    wrongs: tuple[Any, ...] = (GONE, [], None, "x", [1], [{}], [*listed, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}])
    for wrong in wrongs:
        with pytest.raises(OAuthError):
            check(attestation(payload={"attested_keys": wrong}))
    refused(attestation(payload={"attested_keys": [ONE.private_jwk()]}), Code.PRIVATE_KEY_EXPOSED)
    refused(attestation(payload={"attested_keys": [{"kty": "oct", "k": "AA"}]}), Code.PRIVATE_KEY_EXPOSED)
    refused(attestation(ONE, ONE))
    refused(attestation(payload={"attested_keys": [listed[0], {**listed[0], "kid": "b"}]}))
    refused(attestation(ONE, TWO, THREE, STRANGER), Code.BATCH_TOO_LARGE)
    assert len(check(attestation(ONE, TWO, THREE)).jwks) == 3


def test_times() -> None:
    now = int(AT.timestamp())
    for payload, code in (
        ({"iat": now + 61}, Code.NOT_YET_VALID),
        ({"nbf": now + 61}, Code.NOT_YET_VALID),
        ({"exp": now - 60}, Code.HOLDER_PROOF_EXPIRED),
        ({"iat": GONE}, Code.KEY_ATTESTATION_INVALID),
    ):
        refused(attestation(payload=payload), code)
    assert passes(attestation(payload={"iat": now + 60, "exp": now - 59}))
    # exp is needed inside a proof, and only there
    endless = attestation(payload={"exp": GONE})
    refused(endless)
    assert passes(endless, in_proof=False)


def test_nonces() -> None:
    refused(attestation(nonce=None))
    refused(attestation(nonce="c-2"), Code.NONCE_INVALID, error=OAuthErrorCode.INVALID_NONCE)
    assert check(attestation(nonce=None), check_nonce=None).nonce is None


def test_what_is_demanded() -> None:
    high, basic = Demand(key_storage=("iso_18045_high",)), Demand(key_storage=("iso_18045_high", BASIC))
    person = Demand(user_authentication=("iso_18045_moderate",))
    for demand in (high, person, replace(basic, user_authentication=person.user_authentication)):
        refused(attestation(), rules=replace(RULES, demand=demand))
    refused(attestation(payload={"key_storage": GONE}), rules=replace(RULES, demand=basic))
    assert passes(attestation(), replace(RULES, demand=basic))
    for lenient in (None, Demand()):
        assert passes(attestation(payload={"key_storage": GONE}), replace(RULES, demand=lenient))
    for wrong in ("iso_18045_high", [], [1], None):
        refused(attestation(payload={"key_storage": wrong}))


def test_one_that_may_be_revoked() -> None:
    made = attestation(payload={"status": {"status_list": {"idx": 1, "uri": "https://wallet.example/1"}}})
    refused(made)
    assert passes(made, replace(RULES, trusted=(replace(PROVIDER.attester, ignores_status=True),)))


@pytest.mark.parametrize(
    "body", [{}, {"key_storage": ["a"]}, {"key_storage": ["a", "b"], "user_authentication": ["c"]}]
)
def test_the_demand_in_metadata(body: dict[str, list[str]]) -> None:
    members = Members(body, "x", Refusal(code=Code.METADATA_INVALID))
    assert Demand.parse(members).to_dict() == body


# --- inside a jwt proof


def proof(holder: KeySigner = ONE, encoded: str | None = None, **changes: Any) -> str:
    made = key_proof.build(
        holder, audience=ISSUER, nonce=NONCE, issued_at=AT, attestation=attestation() if encoded is None else encoded
    )
    return forged(made, holder.sign, **changes) if changes else made


def examine(encoded: str, rules: Rules | None = RULES) -> CheckedProof:
    return key_proof.examine(encoded, audience=ISSUER, at=AT, check_nonce=is_ours, rules=rules)


def proof_refused(encoded: str, code: Code, rules: Rules = RULES, error: str = "invalid_proof") -> None:
    with pytest.raises(OAuthError) as caught:
        examine(encoded, rules)
    assert (caught.value.code, caught.value.error.value) == (code, error)


def test_a_proof_with_its_attestation() -> None:
    found = examine(proof())
    assert (found.jwk, found.attested) == (ONE.public_jwk, (ONE.public_jwk, TWO.public_jwk))


def test_the_key_of_the_proof_is_an_attested_one() -> None:
    proof_refused(proof(STRANGER), Code.KEY_ATTESTATION_INVALID)
    assert examine(proof(STRANGER, attestation(STRANGER))).jwk == STRANGER.public_jwk


def test_a_proof_without_an_attestation() -> None:
    bare = key_proof.build(ONE, audience=ISSUER, nonce=NONCE, issued_at=AT)
    proof_refused(bare, Code.KEY_ATTESTATION_INVALID)
    wrongs: tuple[Any, ...] = (1, None, [attestation()], {})
    for wrong in wrongs:
        proof_refused(proof(header={"key_attestation": wrong}), Code.KEY_ATTESTATION_INVALID)
    assert examine(bare, replace(RULES, demand=None)).attested == ()


def test_one_that_is_not_needed_must_still_be_true() -> None:
    forged_one = proof(encoded=attestation(signer=STRANGER))
    proof_refused(forged_one, Code.KEY_NOT_FOUND, replace(RULES, demand=None))
    # Where nobody's attestations are trusted, there is nothing to hold it against: the proof alone counts.
    assert examine(forged_one, None).attested == ()


def test_the_nonce_of_the_attestation_counts_too() -> None:
    old = proof(encoded=attestation(nonce="c-0"))
    proof_refused(old, Code.NONCE_INVALID, error="invalid_nonce")


@pytest.mark.parametrize("kid", ["1", TWO.thumbprint, "mine"])
def test_a_kid_names_an_attested_key(kid: str) -> None:
    listed = [dict(ONE.public_jwk), {**TWO.public_jwk, "kid": "mine"}]
    made = attestation(payload={"attested_keys": listed})
    found = examine(proof(TWO, made, header={"kid": kid, "jwk": GONE}))
    assert found.jwk == TWO.public_jwk
    proof_refused(proof(ONE, made, header={"kid": kid, "jwk": GONE}), Code.SIGNATURE_INVALID)


@pytest.mark.attack("J14")
def test_a_kid_that_names_two_keys_or_none() -> None:
    both = attestation(payload={"attested_keys": [{**ONE.public_jwk, "kid": "1"}, dict(TWO.public_jwk)]})
    for kid in ("1", "2", "nobody"):
        proof_refused(proof(ONE, both, header={"kid": kid, "jwk": GONE}), Code.KEY_MECHANISM_NOT_ALLOWED)


def test_one_more_credential_for_each_further_key() -> None:
    first = examine(proof(ONE, attestation(TWO, ONE, THREE)))
    assert [each.jwk for each in key_proof.also_attested([first], most=3)] == [
        ONE.public_jwk,
        TWO.public_jwk,
        THREE.public_jwk,
    ]
    assert len(key_proof.also_attested([first], most=2)) == 2
    assert {each.nonce for each in key_proof.also_attested([first], most=3)} == {NONCE}


# --- the proof of type attestation


def test_a_proof_of_type_attestation() -> None:
    found = key_proof.examine_attestation(attestation(), rules=RULES, at=AT, check_nonce=is_ours)
    assert [each.thumbprint for each in found] == [ONE.thumbprint, TWO.thumbprint]
    assert {(each.nonce, each.issued_at) for each in found} == {(NONCE, AT)}
    with pytest.raises(OAuthError) as caught:
        key_proof.examine_attestation(attestation(), rules=None, at=AT, check_nonce=is_ours)
    assert caught.value.error is OAuthErrorCode.INVALID_PROOF


@given(st.text())
def test_any_text(text: str) -> None:
    with pytest.raises(OAuthError):
        check(text)


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text() | st.none(), max_size=4))
def test_any_key(jwk: dict[str, Any]) -> None:
    with pytest.raises(OAuthError):
        check(attestation(payload={"attested_keys": [jwk]}))


def test_ages_are_bounded_by_the_nonce() -> None:
    early = attestation(at=AT - 9 * DAY, payload={"exp": int((AT + timedelta(minutes=1)).timestamp())})
    assert check(early).issued_at == AT - 9 * DAY
    assert keys.thumbprint(check(early).jwks[0]) == ONE.thumbprint
