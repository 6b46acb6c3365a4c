"""Every step of the draft's "Verification and Processing" with its good twin (WA-1 to WA-4), and any bytes."""

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from comity import jose, strict_json, x509
from comity.errors import Code, Malformed
from comity.keys import KeySigner
from comity.openid import client_attestation, dpop
from comity.openid.client_attestation import CheckedClientAttestation
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.support import vectors
from tests.support.attesting import CLIENT_ID, DAY, Provider
from tests.support.forging import GONE, flipped, forged, header_of, mac, payload_of
from tests.unit.openid.parties import AT

SERVER, CHALLENGE = "https://issuer.example/ca-on/services", "ch-1"
PROVIDER, OTHER = Provider(AT), Provider(AT, client_id="https://other.example", name="Other (DEMO)")
INSTANCE, STRANGER = KeySigner.generate(), KeySigner.generate()


def attestation(**changes: Any) -> str:
    return PROVIDER.attestation(INSTANCE, **changes)


def pop(challenge: str | None = CHALLENGE, **changes: Any) -> str:
    return PROVIDER.pop(INSTANCE, SERVER, challenge, **changes)


def check(attested: str | None = None, proven: str | None = None, **options: Any) -> CheckedClientAttestation:
    values = {
        "audience": SERVER,
        "client_id": CLIENT_ID,
        "trusted": (OTHER.attester, PROVIDER.attester),
        "max_age": DAY,
        "check_challenge": lambda challenge: challenge == CHALLENGE,
        "at": AT,
    }
    attestations = options.pop("attestations", [attestation() if attested is None else attested])
    return client_attestation.check(
        attestations, options.pop("proofs", [pop() if proven is None else proven]), **{**values, **options}
    )


def passes(*texts: str | None, **options: Any) -> bool:
    return bool(check(*texts, **options).jti)


def refused(*texts: str | None, code: Code = Code.CLIENT_ATTESTATION_INVALID, **options: Any) -> None:
    error = options.pop("error", OAuthErrorCode.INVALID_CLIENT_ATTESTATION)
    with pytest.raises(OAuthError) as caught:
        check(*texts, **options)
    assert (caught.value.code, caught.value.error) == (code, error)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
def test_what_we_build_passes(algorithm: str) -> None:
    provider, instance = Provider(AT, signer=KeySigner.generate(algorithm)), KeySigner.generate(algorithm)
    for chain in ((), provider.chain):
        made = provider.attestation(instance, chain=chain)
        found = check(made, provider.pop(instance, SERVER, CHALLENGE), trusted=(provider.attester,))
        assert (found.client_id, found.thumbprint) == (CLIENT_ID, instance.thumbprint)
        assert (found.challenge, found.issued_at) == (CHALLENGE, AT)
        assert header_of(made)["typ"] == "oauth-client-attestation+jwt"
    assert len({payload_of(pop())["jti"] for _ in range(5)}) == 5


def test_both_shapes_of_the_draft() -> None:  # -07 has iss in both tokens, -08 in none
    assert check(attestation(payload={"iss": GONE}), pop(payload={"iss": GONE, "exp": GONE})).client_id == CLIENT_ID
    assert payload_of(attestation())["iss"] == "https://wallet.example"
    assert payload_of(pop())["iss"] == CLIENT_ID
    assert check(client_id=None).client_id == CLIENT_ID


def test_one_header_field_each() -> None:  # step 1
    refused(attestations=[])
    refused(attestations=[attestation()] * 2)
    refused(proofs=[])
    refused(proofs=[pop(), pop()])
    refused(proofs=[f"{pop()}, {pop()}"], code=Code.MALFORMED_JWS)


@pytest.mark.parametrize("member", ["sub", "exp", "cnf"])
@pytest.mark.parametrize("value", [GONE, "", None, True, []])
def test_claims_that_an_attestation_must_have(member: str, value: Any) -> None:  # step 2
    refused(attestation(payload={member: value}))
    assert passes(attestation(payload={"wallet_name": value, "unheard_of": 1} if value is not GONE else {}))


@pytest.mark.parametrize("member", ["aud", "jti", "iat"])
@pytest.mark.parametrize("value", [GONE, "", None, True, []])
def test_claims_that_a_proof_must_have(member: str, value: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        check(None, pop(payload={member: value}))
    assert caught.value.code in {Code.CLIENT_ATTESTATION_INVALID, Code.AUDIENCE_MISMATCH}


@pytest.mark.parametrize("typ", [GONE, "JWT", "dpop+jwt", "openid4vci-proof+jwt", "key-attestation+jwt"])
def test_typ(typ: Any) -> None:
    refused(attestation(header={"typ": typ}), code=Code.TYPE_NOT_ALLOWED)
    refused(None, pop(header={"typ": typ}), code=Code.TYPE_NOT_ALLOWED)
    refused(pop(), code=Code.TYPE_NOT_ALLOWED)
    refused(None, attestation(), code=Code.TYPE_NOT_ALLOWED)


def test_algorithms() -> None:  # step 3
    for made, place in ((attestation(), 0), (pop(), 1)):
        secret = strict_json.serialise(PROVIDER.signer.public_jwk)
        for algorithm, sign in (("none", lambda _: b""), ("HS256", mac(secret)), ("RS256", PROVIDER.signer.sign)):
            both: list[str | None] = [None, None]
            both[place] = forged(made, sign, header={"alg": algorithm})
            refused(*both, code=Code.ALGORITHM_NOT_ALLOWED)


def test_whose_signature_counts() -> None:  # step 4
    refused(flipped(attestation()), code=Code.SIGNATURE_INVALID)
    refused(attestation(signer=STRANGER), code=Code.KEY_NOT_FOUND)
    # The name of a trusted key over the signature of another, and a key that comes with the token.
    refused(attestation(signer=STRANGER, header={"kid": PROVIDER.signer.thumbprint}), code=Code.SIGNATURE_INVALID)
    refused(attestation(signer=STRANGER, header={"jwk": dict(STRANGER.public_jwk)}), code=Code.KEY_NOT_FOUND)
    refused(attestation(header={"kid": GONE}), code=Code.KEY_NOT_FOUND)
    refused(attestation(header={"kid": GONE, "jku": "https://wallet.example/jwks"}), code=Code.KEY_NOT_FOUND)
    assert passes(attestation(header={"kid": GONE, "jwk": dict(PROVIDER.signer.public_jwk)}))
    refused(trusted=(), code=Code.KEY_NOT_FOUND)


def test_certificates() -> None:  # HAIP §4.4.1
    stranger = Provider(AT)
    refused(attestation(chain=stranger.chain), code=Code.CERTIFICATE_UNTRUSTED)
    with_root = (*PROVIDER.chain, x509.to_base64(PROVIDER.anchor))
    refused(attestation(chain=with_root), code=Code.CERTIFICATE_ROOT_INCLUDED)
    own = x509.issue_anchor(name="self", signer=PROVIDER.signer, not_before=AT - DAY, not_after=AT + DAY)
    refused(attestation(chain=(x509.to_base64(own),)), code=Code.CERTIFICATE_UNTRUSTED)
    refused(attestation(chain=PROVIDER.chain, signer=STRANGER), code=Code.SIGNATURE_INVALID)
    late = AT + 401 * DAY
    made = PROVIDER.attestation(INSTANCE, late, chain=PROVIDER.chain)
    refused(made, pop(at=late), at=late, code=Code.CERTIFICATE_EXPIRED)
    assert passes(attestation(chain=PROVIDER.chain))


def test_an_attester_speaks_for_its_own_clients_only() -> None:
    borrowed = OTHER.attestation(INSTANCE, payload={"sub": CLIENT_ID})
    refused(borrowed)
    refused(borrowed, client_id=None)
    own = Provider(AT, client_id="https://other.example").pop(INSTANCE, SERVER, CHALLENGE)
    assert check(OTHER.attestation(INSTANCE), own, client_id=None).client_id == "https://other.example"


def test_the_instance_key() -> None:  # step 5
    private = {"cnf": {"jwk": INSTANCE.private_jwk()}}
    refused(attestation(payload=private), code=Code.PRIVATE_KEY_EXPOSED)
    refused(attestation(payload={"cnf": {"kid": INSTANCE.thumbprint}}), code=Code.MALFORMED_KEY)
    refused(attestation(payload={"cnf": {"jwk": {"kty": "oct", "k": "AA"}}}), code=Code.PRIVATE_KEY_EXPOSED)
    # Who attests and who is attested are two.
    own = Provider(AT, signer=INSTANCE)
    refused(own.attestation(INSTANCE), trusted=(own.attester,))
    assert passes(attestation(payload={"cnf": {"jwk": {**INSTANCE.public_jwk, "use": "sig", "kid": "1"}}}))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"exp": int(AT.timestamp()) - 60}, Code.HOLDER_PROOF_EXPIRED),
        ({"iat": int(AT.timestamp()) + 61}, Code.NOT_YET_VALID),
        ({"nbf": int(AT.timestamp()) + 61}, Code.NOT_YET_VALID),
    ],
)
def test_an_attestation_out_of_its_time(payload: dict[str, int], code: Code) -> None:
    refused(attestation(payload=payload), code=code)
    inside = {name: value + (1 if name == "exp" else -1) for name, value in payload.items()}
    assert passes(attestation(payload=inside))


def test_an_attestation_that_is_not_fresh() -> None:  # step 6
    far, old = int((AT + 9 * DAY).timestamp()), int((AT - DAY).timestamp())
    stale = OAuthErrorCode.USE_FRESH_ATTESTATION
    refused(attestation(payload={"iat": old - 1, "exp": far}), error=stale)
    refused(attestation(payload={"iat": GONE, "nbf": old - 1, "exp": far}), error=stale)
    refused(attestation(payload={"iat": GONE, "exp": far}), error=stale)
    assert passes(attestation(payload={"iat": old, "exp": far}))
    assert passes(attestation(payload={"iat": GONE, "exp": int((AT + DAY).timestamp())}))


def test_another_client_than_the_request_says() -> None:  # step 7
    refused(client_id="https://other.example", code=Code.CLIENT_MISMATCH)
    refused(client_id=CLIENT_ID + "/", code=Code.CLIENT_MISMATCH)


def test_an_attestation_that_may_be_revoked() -> None:
    made = attestation(payload={"status": {"status_list": {"idx": 1, "uri": "https://wallet.example/1"}}})
    refused(made)
    assert passes(made, trusted=(replace(PROVIDER.attester, ignores_status=True),))


def test_a_proof_by_another_key() -> None:
    refused(None, pop(signer=STRANGER), code=Code.SIGNATURE_INVALID)
    refused(None, pop(signer=STRANGER, header={"jwk": dict(STRANGER.public_jwk)}), code=Code.SIGNATURE_INVALID)
    refused(None, flipped(pop()), code=Code.SIGNATURE_INVALID)
    refused(PROVIDER.attestation(STRANGER), code=Code.SIGNATURE_INVALID)


@pytest.mark.parametrize(
    "audience",
    ["https://issuer.example/ca-bc/services", SERVER + "/", SERVER + "/token", [SERVER, "https://x.example"], []],
)
def test_a_proof_for_another_server(audience: Any) -> None:
    refused(None, pop(payload={"aud": audience}), code=Code.AUDIENCE_MISMATCH)
    assert passes(None, pop(payload={"aud": [SERVER]}))


def test_a_proof_of_another_client() -> None:  # -07
    refused(None, pop(payload={"iss": "https://other.example"}), code=Code.CLIENT_MISMATCH)


def test_challenges() -> None:
    needed = OAuthErrorCode.USE_ATTESTATION_CHALLENGE
    refused(None, pop(None), code=Code.NONCE_NEEDED, error=needed)
    refused(None, pop("ch-2"), code=Code.NONCE_INVALID, error=needed)
    # A challenge is asked for only when it is all that is missing.
    refused(None, pop(None, payload={"aud": "https://x.example"}), code=Code.AUDIENCE_MISMATCH)
    refused(attestation(payload={"exp": 1}), pop(None), code=Code.HOLDER_PROOF_EXPIRED)
    assert check(None, pop()).challenge == CHALLENGE


def test_with_a_challenge_the_clients_clock_is_not_judged() -> None:
    for off in (-9 * DAY, 9 * DAY):
        assert passes(None, pop(at=AT + off, payload={"exp": GONE}))
    refused(None, pop(payload={"exp": int(AT.timestamp()) - 60}), code=Code.HOLDER_PROOF_EXPIRED)
    refused(None, pop(payload={"nbf": int(AT.timestamp()) + 61}), code=Code.NOT_YET_VALID)


def test_without_challenges_the_clock_decides() -> None:
    for off, code in (
        (timedelta(seconds=61), Code.NOT_YET_VALID),
        (-timedelta(seconds=301), Code.HOLDER_PROOF_EXPIRED),
    ):
        refused(None, pop(None, at=AT + off, payload={"exp": GONE}), check_challenge=None, code=code)
    for off in (timedelta(seconds=60), -timedelta(minutes=5)):
        found = check(None, pop("any", at=AT + off, payload={"exp": GONE}), check_challenge=None)
        assert found.challenge is None


def test_the_example_of_openid4vci_is_read_and_refused_for_its_time_only() -> None:
    text = vectors.vectors_folder("openid4vci") / "1.0" / "examples" / "wallet_attestation.jwt.txt"
    encoded = text.read_text("ascii").replace("\n", "")
    jws = jose.parse(encoded)
    assert jws.header["typ"] == client_attestation.TYP
    chain = x509.parse_chain(jws.header["x5c"])
    jose.verify(jws, x509.public_key(chain[0]))
    vectors.count("openid4vci", 1)
    refused(encoded, code=Code.CERTIFICATE_UNTRUSTED)  # its leaf is self-signed, which HAIP forbids


def test_in_combined_mode_the_dpop_proof_is_by_the_attested_key() -> None:  # -09, step 4
    def combined(by: KeySigner) -> str:
        proof = dpop.build(by, method="POST", url=f"{SERVER}/token", at=AT)
        return client_attestation.check_combined(
            [attestation()], [proof], client_id=CLIENT_ID, trusted=(PROVIDER.attester,), max_age=DAY, at=AT
        ).thumbprint

    with pytest.raises(OAuthError) as caught:
        combined(STRANGER)
    assert caught.value.code is Code.HOLDER_KEY_MISMATCH
    assert combined(INSTANCE) == INSTANCE.thumbprint


def test_the_challenge_endpoints_answer() -> None:
    body = strict_json.serialise(client_attestation.challenge_response("c"))
    assert client_attestation.parse_challenge_response(body) == "c"
    for wrong in (b"{}", b'{"attestation_challenge": ""}', b"[]", b"c"):
        with pytest.raises(Malformed):
            client_attestation.parse_challenge_response(wrong)


@given(st.text(), st.text())
def test_any_text(first: str, second: str) -> None:
    for texts in ((first, pop()), (attestation(), second)):
        with pytest.raises(OAuthError):
            check(*texts)


@given(st.dictionaries(st.sampled_from(["sub", "exp", "cnf", "iat", "nbf", "status"]), st.none() | st.integers()))
def test_any_claims(claims: Mapping[str, Any]) -> None:
    with contextlib.suppress(OAuthError):
        check(attestation(payload=dict(claims)))
