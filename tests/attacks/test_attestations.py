"""I18 for every token by which a client or a key is vouched for: one mutation each, and the unchanged twin passes.

The matrix of section 13, for client attestations, their proofs of possession, client assertions and key attestations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from comity import strict_json, x509
from comity.errors import Code
from comity.keys import KeySigner
from comity.openid import client_assertion, client_attestation, dpop, key_attestation, key_proof
from comity.openid.key_attestation import Rules
from comity.openid.refusal import OAuthError, OAuthErrorCode
from tests.support.attesting import CLIENT_ID, DAY, Provider
from tests.support.forging import GONE, Sign, flipped, forged, header_of, mac, payload_of
from tests.unit.openid.parties import AT

SERVER, NONCE = "https://issuer.example/ca-on/services", "n-1"
PROVIDER = Provider(AT)
INSTANCE, HOLDER, OTHER_CURVE = KeySigner.generate(), KeySigner.generate(), KeySigner.generate("ES384")
REGISTERED = {CLIENT_ID: {PROVIDER.signer.thumbprint: PROVIDER.signer.public_jwk}}


def judge_client(attestation: str, pop: str) -> object:
    return client_attestation.check(
        [attestation],
        [pop],
        audience=SERVER,
        client_id=None,
        trusted=(PROVIDER.attester,),
        max_age=DAY,
        check_challenge=lambda challenge: challenge == NONCE,
        at=AT,
    )


def judge_assertion(encoded: str) -> object:
    form = {"client_assertion_type": client_assertion.ASSERTION_TYPE, "client_assertion": encoded}
    return client_assertion.check(form, audience=SERVER, registered=REGISTERED, at=AT)


def judge_keys(encoded: str) -> object:
    rules = Rules(trusted=(PROVIDER.attester,), most_keys=2)
    return key_attestation.check(encoded, rules=rules, check_nonce=lambda nonce: nonce == NONCE, at=AT, in_proof=True)


@dataclass(frozen=True)
class Kind:
    """A kind of token: a good one, who signs it, and who judges it."""

    good: str
    signer: KeySigner
    judge: Callable[[str], object]
    error: OAuthErrorCode


ATTESTATION, POP = PROVIDER.attestation(INSTANCE), PROVIDER.pop(INSTANCE, SERVER, NONCE)
ASSERTION = client_assertion.build(PROVIDER.signer, client_id=CLIENT_ID, audience=SERVER, at=AT)["client_assertion"]
KEYS = PROVIDER.key_attestation(HOLDER, nonce=NONCE)
KINDS: Mapping[str, Kind] = {
    "client attestation": Kind(
        ATTESTATION,
        PROVIDER.signer,
        lambda text: judge_client(text, POP),
        OAuthErrorCode.INVALID_CLIENT_ATTESTATION,
    ),
    "proof of possession": Kind(
        POP, INSTANCE, lambda text: judge_client(ATTESTATION, text), OAuthErrorCode.INVALID_CLIENT_ATTESTATION
    ),
    "client assertion": Kind(ASSERTION, PROVIDER.signer, judge_assertion, OAuthErrorCode.INVALID_CLIENT),
    "key attestation": Kind(KEYS, PROVIDER.signer, judge_keys, OAuthErrorCode.INVALID_PROOF),
}
EVERY = pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))


def refused(kind: Kind, text: str, *codes: Code) -> None:
    """The mutated token is refused with the protocol's error; the unchanged one passes."""
    with pytest.raises(OAuthError) as caught:
        kind.judge(text)
    assert (caught.value.error, caught.value.code in codes) == (kind.error, True), caught.value
    kind.judge(kind.good)


def changed(kind: Kind, sign: Sign | None = None, **changes: Any) -> str:
    return forged(kind.good, sign or kind.signer.sign, **changes)


@EVERY
def test_signatures_and_algorithms(kind: Kind) -> None:
    refused(kind, flipped(kind.good), Code.SIGNATURE_INVALID)
    refused(kind, changed(kind, lambda _: b"", header={"alg": "none"}), Code.ALGORITHM_NOT_ALLOWED)
    secret = strict_json.serialise(kind.signer.public_jwk)
    refused(kind, changed(kind, mac(secret), header={"alg": "HS256"}), Code.ALGORITHM_NOT_ALLOWED)
    for sign in (OTHER_CURVE.sign, kind.signer.sign):
        refused(kind, changed(kind, sign, header={"alg": "ES384"}), Code.SIGNATURE_INVALID)
    refused(kind, changed(kind, KeySigner.generate().sign), Code.SIGNATURE_INVALID)


@EVERY
def test_headers(kind: Kind) -> None:
    refused(kind, changed(kind, header={"crit": ["exp"]}), Code.CRITICAL_HEADER)
    refused(kind, changed(kind, header={"b64": False}), Code.CRITICAL_HEADER)
    refused(kind, changed(kind, header={"jwk": kind.signer.private_jwk()}), Code.PRIVATE_KEY_EXPOSED)
    refused(kind, changed(kind, header={"kid": 1}), Code.MALFORMED_JWS)
    if kind.good is not ASSERTION:  # RFC 7523 knows no type
        refused(kind, changed(kind, header={"typ": GONE}), Code.TYPE_NOT_ALLOWED)


@EVERY
@pytest.mark.attack("J10")
def test_tokens_of_every_other_kind(kind: Kind) -> None:
    others = [each.good for each in KINDS.values() if each is not kind]
    others.append(key_proof.build(HOLDER, audience=SERVER, nonce=NONCE, issued_at=AT))
    others.append(dpop.build(INSTANCE, method="POST", url=SERVER, at=AT, nonce=NONCE))
    for other in others:
        refused(kind, other, Code.TYPE_NOT_ALLOWED)
        # Even signed by the right key over the right claims, the type alone refuses it.
        retyped = changed(kind, header={"typ": header_of(other)["typ"]})
        refused(kind, retyped, Code.TYPE_NOT_ALLOWED)


@EVERY
def test_times(kind: Kind) -> None:
    now = int(AT.timestamp())
    refused(kind, changed(kind, payload={"exp": now - 60}), Code.HOLDER_PROOF_EXPIRED)
    refused(kind, changed(kind, payload={"nbf": now + 61}), Code.NOT_YET_VALID)
    for wrong in ("2026-11-23T12:00:00", True, None, -1, 1e300):
        own = (Code.CLIENT_ATTESTATION_INVALID, Code.CLIENT_ASSERTION_INVALID, Code.KEY_ATTESTATION_INVALID)
        refused(kind, changed(kind, payload={"exp": wrong}), *own)


@EVERY
def test_payloads_that_are_no_claims(kind: Kind) -> None:
    twice = strict_json.serialise(payload_of(kind.good))[:-1] + b',"exp":9999999999}'
    refused(kind, changed(kind, payload=twice), Code.DUPLICATE_MEMBER)
    refused(kind, changed(kind, payload=b"[]"), Code.MALFORMED_JSON)
    refused(kind, changed(kind, payload=b"\xff"), Code.MALFORMED_JSON)


@pytest.mark.parametrize("name", ["client attestation", "key attestation"])
def test_certificates(name: str) -> None:
    kind, stranger = KINDS[name], Provider(AT)
    own = x509.issue_anchor(name="self", signer=PROVIDER.signer, not_before=AT - DAY, not_after=AT + DAY)
    certified = changed(kind, header={"kid": GONE, "x5c": list(PROVIDER.chain)})
    kind.judge(certified)
    rows = [
        ([*PROVIDER.chain, x509.to_base64(PROVIDER.anchor)], Code.CERTIFICATE_ROOT_INCLUDED),
        ([x509.to_base64(own)], Code.CERTIFICATE_UNTRUSTED),
        (list(stranger.chain), Code.CERTIFICATE_UNTRUSTED),
        ([], Code.MALFORMED_CERTIFICATE),
        (["AAAA"], Code.MALFORMED_CERTIFICATE),
    ]
    for chain, code in rows:
        refused(kind, changed(kind, header={"kid": GONE, "x5c": chain}), code)
    # A trusted kid beside the certificate of somebody else does not help.
    refused(kind, changed(kind, stranger.signer.sign, header={"x5c": list(stranger.chain)}), Code.CERTIFICATE_UNTRUSTED)


@pytest.mark.parametrize("name", ["proof of possession", "client assertion"])
def test_meant_for_another(name: str) -> None:
    kind = KINDS[name]
    for audience in (f"{SERVER}/token", "https://issuer.example/ca-bc/services", SERVER.upper(), f"{SERVER} "):
        refused(kind, changed(kind, payload={"aud": audience}), Code.AUDIENCE_MISMATCH)


def test_an_old_attestation_and_an_old_challenge() -> None:
    kind = KINDS["client attestation"]
    old = PROVIDER.attestation(INSTANCE, AT - timedelta(hours=2))
    refused(kind, old, Code.HOLDER_PROOF_EXPIRED)
    with pytest.raises(OAuthError) as caught:
        judge_client(ATTESTATION, PROVIDER.pop(INSTANCE, SERVER, "n-0"))
    assert caught.value.error is OAuthErrorCode.USE_ATTESTATION_CHALLENGE
