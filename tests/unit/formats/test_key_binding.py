"""RFC 9901 §7.3 and the catalogue's S01 to S05: the holder's proof of an SD-JWT VC."""

from datetime import timedelta
from typing import Any

import pytest

from comity import jose, keys
from comity.errors import Code
from comity.formats import sd_jwt
from comity.formats.concealing import conceal
from tests.unit.formats.made import (
    AUDIENCE,
    HOLDER,
    NONCE,
    NOW,
    STRANGER,
    disclosures_of,
    opened,
    presented,
    proved,
    refused,
    sd_jwt_credential,
    sd_payload,
    sd_token,
    verified,
)

SECOND = timedelta(seconds=1)
HELD = sd_jwt_credential()
UNBOUND = presented(HELD, "age_over_19", holder=None)


def bound(header: dict[str, Any] | None = None, holder: keys.KeySigner = HOLDER, **changes: Any) -> str:
    """A presentation whose KB-JWT says exactly this; a change to None takes the member away."""
    payload = {
        "iat": int(NOW.timestamp()),
        "aud": AUDIENCE,
        "nonce": NONCE,
        "sd_hash": sd_jwt.digest(UNBOUND, "sha-256"),
    } | changes
    payload = {name: value for name, value in payload.items() if value is not None}
    return UNBOUND + jose.sign({"typ": "kb+jwt"} if header is None else header, payload, holder)


def test_the_good_twin() -> None:
    proved(bound())
    proved(presented(HELD, "age_over_19"))


def test_a_proof_that_was_cut_off() -> None:
    """S01: the caller's policy asks for it; its absence is told."""
    with refused(Code.HOLDER_BINDING_MISSING):
        proved(UNBOUND)


class TestSigner:
    """S02."""

    def test_another_key(self) -> None:
        with refused(Code.HOLDER_SIGNATURE_INVALID):
            proved(bound(holder=STRANGER))

    def test_another_key_offered_in_the_header(self) -> None:
        """J03: the key in the credential counts, never one in the proof."""
        with refused(Code.HOLDER_SIGNATURE_INVALID):
            proved(bound({"typ": "kb+jwt", "jwk": dict(STRANGER.public_jwk)}, STRANGER))

    def test_another_algorithm_than_that_of_the_key(self) -> None:
        with refused(Code.HOLDER_SIGNATURE_INVALID):
            proved(bound(holder=keys.KeySigner.generate("ES384")))

    def test_a_flipped_bit(self) -> None:
        text = bound()
        last = text.rsplit(".", 1)[1]
        forged = text.removesuffix(last) + ("A" if last[0] != "A" else "B") + last[1:]
        with refused(Code.HOLDER_SIGNATURE_INVALID):
            proved(forged)

    def test_a_key_that_is_none(self) -> None:
        with refused(Code.MALFORMED_KEY):
            proved(bound(), holder_jwk={"kty": "RSA"})


class TestHeader:
    @pytest.mark.parametrize("typ", ["KB+JWT", "jwt", "openid4vci-proof+jwt", "dc+sd-jwt", "vp+jwt"])
    def test_another_type(self, typ: str) -> None:
        """S05, J10."""
        with refused(Code.TYPE_NOT_ALLOWED):
            proved(bound({"typ": typ}))

    def test_no_type(self) -> None:
        with refused(Code.TYPE_NOT_ALLOWED):
            proved(bound({}))

    def test_an_algorithm_that_is_none(self) -> None:
        """J01."""
        unsecured = jose.parse(bound().rpartition("~")[2])
        header = "eyJhbGciOiJub25lIiwidHlwIjoia2Irand0In0"  # {"alg":"none","typ":"kb+jwt"}
        payload = unsecured.encoded.split(".")[1]
        with refused(Code.ALGORITHM_NOT_ALLOWED):
            proved(f"{UNBOUND}{header}.{payload}.")


class TestTime:
    """S05: at most 300 s old, at most 60 s ahead."""

    @pytest.mark.parametrize("seconds", [-300, 0, 60])
    def test_inside_the_window(self, seconds: int) -> None:
        proved(bound(iat=int(NOW.timestamp()) + seconds))

    @pytest.mark.parametrize("seconds", [-301, -3600, 61, 3600])
    def test_outside_the_window(self, seconds: int) -> None:
        with refused(Code.HOLDER_PROOF_EXPIRED):
            proved(bound(iat=int(NOW.timestamp()) + seconds))

    def test_missing(self) -> None:
        with refused(Code.HOLDER_PROOF_MALFORMED):
            proved(bound(iat=None))

    @pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
    @pytest.mark.parametrize("value", ["now", True, 1e300, -5, []], ids=repr)
    def test_of_the_wrong_form(self, name: str, value: Any) -> None:
        with refused(Code.TIME_MALFORMED):
            proved(bound(**{name: value}))

    def test_its_own_period_is_obeyed(self) -> None:
        """§7.3 step 5.h."""
        at = int(NOW.timestamp())
        proved(bound(exp=at - 59, nbf=at + 60))
        with refused(Code.HOLDER_PROOF_EXPIRED):
            proved(bound(exp=at - 60))
        with refused(Code.HOLDER_PROOF_EXPIRED):
            proved(bound(nbf=at + 61))

    def test_the_same_proof_later(self) -> None:
        text = bound()
        proved(text, at=NOW + 300 * SECOND)
        with refused(Code.HOLDER_PROOF_EXPIRED):
            proved(text, at=NOW + 301 * SECOND)


class TestQuestion:
    """S03."""

    @pytest.mark.parametrize("nonce", [NONCE.upper(), NONCE + " ", "", "other"])
    def test_another_nonce(self, nonce: str) -> None:
        with refused(Code.NONCE_MISMATCH):
            proved(bound(nonce=nonce))

    @pytest.mark.parametrize("aud", [AUDIENCE.partition(":")[2], AUDIENCE + "/", "", "x509_hash:other"])
    def test_another_audience(self, aud: str) -> None:
        with refused(Code.AUDIENCE_MISMATCH):
            proved(bound(aud=aud))

    @pytest.mark.parametrize("name", ["nonce", "aud"])
    @pytest.mark.parametrize("value", [None, 1, [AUDIENCE], [NONCE], {}, True], ids=repr)
    def test_not_exactly_one_text(self, name: str, value: Any) -> None:
        with refused(Code.HOLDER_PROOF_MALFORMED):
            proved(bound(**{name: value}))


class TestWhatIsBound:
    """S04; §7.3 step 5.g."""

    def test_a_disclosure_added_afterwards(self) -> None:
        jwt, rest = bound().split("~", 1)
        forged = f"{jwt}~{disclosures_of(HELD.encoded)['birthdate']}~{rest}"
        assert verified(forged).claims["birthdate"] == "2001-04-05"
        with refused(Code.DISCLOSURES_NOT_BOUND):
            proved(forged)

    def test_a_disclosure_taken_away_afterwards(self) -> None:
        jwt, _, proof = bound().split("~")
        with refused(Code.DISCLOSURES_NOT_BOUND):
            proved(f"{jwt}~{proof}")

    def test_the_order_of_disclosures_changed_afterwards(self) -> None:
        jwt, one, two, proof = presented(HELD, "age_over_19", "birthdate").split("~")
        proved(f"{jwt}~{one}~{two}~{proof}")
        with refused(Code.DISCLOSURES_NOT_BOUND):
            proved(f"{jwt}~{two}~{one}~{proof}")

    def test_the_proof_of_another_credential_of_the_same_holder(self) -> None:
        other = presented(sd_jwt_credential(), "age_over_19", holder=None)
        with refused(Code.DISCLOSURES_NOT_BOUND):
            proved(other + bound().rpartition("~")[2])

    @pytest.mark.parametrize("value", [None, "", 1, sd_jwt.digest(UNBOUND, "sha-512")])
    def test_a_hash_that_is_none_or_another(self, value: Any) -> None:
        with refused(Code.DISCLOSURES_NOT_BOUND):
            proved(bound(sd_hash=value))


@pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512"])
def test_the_hash_is_the_one_the_issuer_chose(name: str) -> None:
    """S04; §4.3.1: under another hash the same Disclosures are not bound."""
    concealed = conceal({"badge": 1}, [("badge",)], hash_name=name)
    token = sd_token(sd_payload() | concealed.payload, concealed.disclosures)
    held = type(HELD)(format=HELD.format, encoded=token)
    text = presented(held, "badge")
    proved(text)
    proof = opened(text).proof
    assert proof is not None
    other = "sha-512" if name == "sha-256" else "sha-256"
    payload = dict(proof.payload) | {"sd_hash": sd_jwt.digest(token, other)}
    with refused(Code.DISCLOSURES_NOT_BOUND):
        proved(token + jose.sign({"typ": "kb+jwt"}, payload, HOLDER))


def test_a_proof_is_read_but_not_believed_when_opened() -> None:
    presentation = opened(bound(holder=STRANGER, nonce="other"))
    assert presentation.proof is not None
    assert presentation.proof.payload["nonce"] == "other"


def test_a_proof_that_is_no_token() -> None:
    with refused(Code.MALFORMED_JWS):
        opened(UNBOUND + "x.y")
