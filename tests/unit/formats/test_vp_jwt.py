"""Presentations of W3C credentials: envelopes, holder's proof, and the catalogue's V04 and V06."""

from datetime import timedelta
from typing import Any

import pytest

from comity import base64url, did, jose, keys, strict_json
from comity.errors import Code
from comity.formats import vc_jwt as module
from tests.unit.formats.made import (
    AUDIENCE,
    CLAIMS,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    STRANGER,
    opened,
    presented,
    proved,
    refused,
    verified,
    w3c_credential,
    w3c_document,
    w3c_token,
)

V2 = "https://www.w3.org/ns/credentials/v2"
HELD = w3c_credential()
HOLDER_DID = did.jwk.did_of(HOLDER.public_jwk)
STRANGER_DID = did.jwk.did_of(STRANGER.public_jwk)


def envelope(token: str = HELD.encoded, **changes: Any) -> dict[str, Any]:
    members = {"@context": V2, "type": "EnvelopedVerifiableCredential", "id": f"data:application/vc+jwt,{token}"}
    if "context" in changes:
        changes["@context"] = changes.pop("context")
    return {name: value for name, value in (members | changes).items() if value is not None}


def vp(header: dict[str, Any] | None = None, signer: keys.KeySigner = HOLDER, **changes: Any) -> str:
    """A vp+jwt that says exactly this; a change to None takes the member away."""
    members: dict[str, Any] = {
        "@context": [V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [envelope()],
        "holder": HOLDER_DID,
        "iat": int(NOW.timestamp()),
        "aud": AUDIENCE,
        "nonce": NONCE,
    }
    if "context" in changes:
        changes["@context"] = changes.pop("context")
    members = {name: value for name, value in (members | changes).items() if value is not None}
    protected = {"typ": "vp+jwt", "kid": f"{HOLDER_DID}#0"} | (header or {})
    return jose.sign({name: value for name, value in protected.items() if value is not None}, members, signer)


class TestMade:
    @pytest.mark.good_twin("V04", "V06")
    def test_it_is_read_and_proved(self) -> None:
        text = presented(HELD, "given_names")
        presentation = opened(text)
        assert not presentation.is_as_issued
        assert [each.encoded for each in presentation.credentials] == [HELD.encoded]
        assert verified(text).claims == CLAIMS
        proved(text)

    def test_without_a_holder_the_credential_goes_as_it_is(self) -> None:
        assert presented(HELD, holder=None) == HELD.encoded

    def test_a_presentation_is_not_presented_again(self) -> None:
        shown = type(HELD)(format=HELD.format, encoded=presented(HELD))
        with refused(Code.MALFORMED):
            presented(shown)

    @pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
    def test_every_algorithm_of_the_house_binds(self, algorithm: str) -> None:
        holder = keys.KeySigner.generate(algorithm)
        proved(presented(w3c_credential(holder_jwk=holder.public_jwk), holder=holder))


class TestEnvelopes:
    def test_the_good_twins(self) -> None:
        proved(vp())
        proved(vp(verifiableCredential=envelope()))
        proved(vp(verifiableCredential=[envelope(context=[V2], type=["EnvelopedVerifiableCredential"])]))
        assert len(opened(vp(verifiableCredential=[envelope(), envelope()])).credentials) == 2
        proved(vp(id="urn:uuid:0f0e", type="VerifiablePresentation"))

    @pytest.mark.parametrize(
        "item",
        [
            HELD.encoded,
            f"data:application/vc+jwt,{HELD.encoded}",
            w3c_document(),
            envelope(type=["VerifiableCredential"]),
            envelope(type=["EnvelopedVerifiableCredential", "VerifiableCredential"]),
            envelope(type="EnvelopedVerifiablePresentation"),
            envelope(type=None),
            envelope(context=None),
            envelope(context=[V2, "https://attacker.example"]),
            envelope(context="https://www.w3.org/2018/credentials/v1"),
            envelope(id=None),
            envelope(id=[f"data:application/vc+jwt,{HELD.encoded}"]),
            envelope(id=f"data:application/vp+jwt,{HELD.encoded}"),
            envelope(id=f"data:application/jwt,{HELD.encoded}"),
            envelope(id=f"data:application/vc+jwt;base64,{HELD.encoded}"),
            envelope(id=f"DATA:application/vc+jwt,{HELD.encoded}"),
            envelope(id=HELD.encoded),
        ],
        ids=lambda item: str(item)[:60],
    )
    @pytest.mark.clause("2a-members")
    @pytest.mark.attack("V06")
    def test_only_credentials_secured_and_enveloped(self, item: Any) -> None:
        """V06; unsecured JSON where a secured one is expected; strings among the credentials."""
        with refused(Code.MALFORMED):
            opened(vp(verifiableCredential=[envelope(), item]))

    @pytest.mark.parametrize("value", [None, [], "x"])
    def test_a_presentation_of_nothing(self, value: Any) -> None:
        with refused(Code.MALFORMED):
            opened(vp(verifiableCredential=value))

    @pytest.mark.attack("V06")
    def test_a_presentation_in_a_presentation(self) -> None:
        """V06: one level, whatever the media type says."""
        with refused(Code.TYPE_NOT_ALLOWED):
            opened(vp(verifiableCredential=[envelope(vp())]))

    @pytest.mark.attack("V06")
    def test_another_token_in_an_envelope(self) -> None:
        other = jose.sign({"typ": "at+jwt"}, {"sub": "x"}, ISSUER)
        with refused(Code.TYPE_NOT_ALLOWED):
            opened(vp(verifiableCredential=[envelope(other)]))
        with refused(Code.MALFORMED_JWS):
            opened(vp(verifiableCredential=[envelope("x.y")]))

    def test_there_is_a_limit(self) -> None:
        assert len(opened(vp(verifiableCredential=[envelope()] * 32)).credentials) == 32
        with refused(Code.TOO_LARGE):
            opened(vp(verifiableCredential=[envelope()] * 33))


class TestDocument:
    @pytest.mark.parametrize(
        "context", [None, [], V2, ["https://www.w3.org/2018/credentials/v1"], [V2, "https://a.example"]]
    )
    def test_contexts(self, context: Any) -> None:
        with refused(Code.CONTEXT_UNKNOWN):
            opened(vp(context=context))

    def test_a_context_inside(self) -> None:
        with refused(Code.CONTEXT_UNKNOWN):
            opened(vp(holder={"id": HOLDER_DID, "@context": {}}))

    @pytest.mark.parametrize(
        "types", [None, [], ["VerifiableCredential"], ["VerifiablePresentation", "Unmapped"], [1], {}], ids=repr
    )
    def test_types(self, types: Any) -> None:
        with refused(Code.MALFORMED):
            opened(vp(type=types))

    @pytest.mark.parametrize("changes", [{"holder": "x"}, {"holder": {}}, {"id": ""}, {"vp": {}}, {"vc": {}}], ids=repr)
    def test_ids_and_old_claims(self, changes: dict[str, Any]) -> None:
        with refused(Code.MALFORMED):
            opened(vp(**changes))


class TestProof:
    def test_the_good_twins(self) -> None:
        proved(vp())
        proved(vp({"kid": None}))
        proved(vp({"kid": "key-1", "cty": "vp"}, iss=HOLDER_DID))

    @pytest.mark.attack("V04")
    def test_a_bare_credential_proves_nothing(self) -> None:
        """V04: without binding it is nobody's in particular."""
        with refused(Code.HOLDER_BINDING_MISSING):
            proved(HELD.encoded)

    @pytest.mark.attack("V04")
    def test_a_credential_of_somebody_else(self) -> None:
        """V04: holder A presents B's credential, signed by A and saying so."""
        with refused(Code.HOLDER_KEY_MISMATCH):
            proved(presented(HELD, holder=STRANGER))

    @pytest.mark.attack("V04")
    def test_a_credential_of_somebody_else_without_saying_so(self) -> None:
        for header in ({"kid": None}, {"kid": "key-1"}, {}):
            with refused(Code.HOLDER_SIGNATURE_INVALID):
                proved(vp(header, STRANGER))

    @pytest.mark.attack("V05")
    def test_one_of_two_credentials_is_of_somebody_else(self) -> None:
        """V05 within one presentation: each credential's own key is asked for."""
        other = w3c_credential(holder_jwk=STRANGER.public_jwk)
        text = vp(verifiableCredential=[envelope(), envelope(other.encoded)])
        proved(text, holder_jwk=HOLDER.public_jwk)
        with refused(Code.HOLDER_KEY_MISMATCH):
            proved(text, holder_jwk=STRANGER.public_jwk)

    @pytest.mark.parametrize(
        "changes",
        [{"holder": STRANGER_DID}, {"holder": "did:web:citizen.example"}, {"iss": STRANGER_DID}, {"iss": 1}],
    )
    def test_two_different_holders_named(self, changes: dict[str, Any]) -> None:
        with refused(Code.HOLDER_PROOF_MALFORMED):
            proved(vp(**changes))

    def test_one_key_written_as_two_dids_is_one_holder(self) -> None:
        other = strict_json.serialise({"use": "sig", **dict(reversed(list(HOLDER.public_jwk.items())))})
        written = f"did:jwk:{base64url.encode(other)}"
        assert written != HOLDER_DID
        proved(vp(holder=written))
        proved(vp({"kid": f"{written}#0"}))
        proved(vp({"kid": None}, holder=written))

    @pytest.mark.parametrize("kid", [None, "key-1"])
    def test_another_holder_named_beside_no_key(self, kid: str | None) -> None:
        with refused(Code.HOLDER_PROOF_MALFORMED):
            proved(vp({"kid": kid}, holder=STRANGER_DID))

    def test_no_holder_named_or_one_by_object(self) -> None:
        proved(vp(holder={"id": HOLDER_DID}))
        text = jose.parse(vp())
        document = {name: value for name, value in jose.payload_object(text).items() if name != "holder"}
        proved(jose.sign(text.header, document, HOLDER))

    def test_a_subject_did_binds_as_well(self) -> None:
        subject = {"id": HOLDER_DID, "given_names": "DEMO"}
        token = w3c_token(w3c_document(cnf=None, credentialSubject=subject))
        proved(vp(verifiableCredential=[envelope(token)]))

    @pytest.mark.parametrize("typ", ["vc+jwt", "VP+JWT", "jwt", "kb+jwt"])
    def test_another_type(self, typ: str) -> None:
        """C3: the proof is taken from where it stands, but its type is still asked for."""
        presentation = opened(vp())
        proof = opened(vp()).proof
        assert proof is not None
        header = dict(proof.jws.header) | {"typ": typ}
        forged = type(proof)(
            jws=jose.parse(jose.sign(header, jose.payload_object(proof.jws), HOLDER)), payload=proof.payload
        )
        swapped = type(presentation)(
            format=presentation.format,
            encoded=presentation.encoded,
            credentials=presentation.credentials,
            proof=forged,
        )
        with refused(Code.TYPE_NOT_ALLOWED):
            module.check_holder_proof(swapped, HOLDER.public_jwk, audience=AUDIENCE, nonce=NONCE, at=NOW)

    def test_another_content_type(self) -> None:
        with refused(Code.TYPE_NOT_ALLOWED):
            proved(vp({"cty": "vc"}))

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"nonce": "other"}, Code.NONCE_MISMATCH),
            ({"nonce": None}, Code.HOLDER_PROOF_MALFORMED),
            ({"aud": AUDIENCE.partition(":")[2]}, Code.AUDIENCE_MISMATCH),
            ({"aud": [AUDIENCE]}, Code.HOLDER_PROOF_MALFORMED),
            ({"aud": None}, Code.HOLDER_PROOF_MALFORMED),
            ({"iat": None}, Code.HOLDER_PROOF_MALFORMED),
            ({"iat": "now"}, Code.TIME_MALFORMED),
            ({"iat": int(NOW.timestamp()) - 301}, Code.HOLDER_PROOF_EXPIRED),
            ({"iat": int(NOW.timestamp()) + 61}, Code.HOLDER_PROOF_EXPIRED),
            ({"exp": int(NOW.timestamp()) - 60}, Code.HOLDER_PROOF_EXPIRED),
            ({"nbf": int(NOW.timestamp()) + 61}, Code.HOLDER_PROOF_EXPIRED),
        ],
        ids=repr,
    )
    def test_question_and_time(self, changes: dict[str, Any], code: Code) -> None:
        with refused(code):
            proved(vp(**changes))

    def test_a_proof_older_than_five_minutes(self) -> None:
        proved(vp(), at=NOW + timedelta(seconds=300))
        with refused(Code.HOLDER_PROOF_EXPIRED):
            proved(vp(), at=NOW + timedelta(seconds=301))
