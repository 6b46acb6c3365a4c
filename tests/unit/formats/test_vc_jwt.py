"""W3C credentials with JOSE: as issued and read, and the catalogue's V rows about the token."""

from datetime import UTC, datetime
from typing import Any

import pytest

from comity import base64url, did, jose, keys, strict_json
from comity.credential import Format, StatusEntry
from comity.errors import Code
from comity.formats import FORMATS
from tests.unit.formats.made import (
    BIT_LISTS,
    CLAIMS,
    DAY,
    HOLDER,
    ISSUER,
    ISSUER_DID,
    KEY_ID,
    NOW,
    PERSON,
    STRANGER,
    opened,
    payload_of,
    refused,
    verified,
    w3c_credential,
    w3c_document,
    w3c_token,
)

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
HOLDER_DID = did.jwk.did_of(HOLDER.public_jwk)


def subject(**members: Any) -> dict[str, Any]:
    return {"given_names": "Rosalie DEMO", **members}


class TestIssued:
    @pytest.mark.clause("2a-members")
    def test_it_is_what_the_house_says(self) -> None:
        encoded = w3c_credential().encoded
        assert opened(encoded).credentials[0].jws.header == {"alg": "ES256", "typ": "vc+jwt", "kid": KEY_ID.did_url}
        assert payload_of(encoded) == {
            "@context": ["https://www.w3.org/ns/credentials/v2", "https://types.comity.example/person/1/context"],
            "type": ["VerifiableCredential", "Person"],
            "issuer": ISSUER_DID,
            "validFrom": "2026-11-23T00:00:00Z",
            "validUntil": "2027-11-23T12:34:56Z",
            "iat": int(MIDNIGHT.timestamp()),
            "credentialSubject": dict(CLAIMS),
            "cnf": {"jwk": dict(HOLDER.public_jwk)},
            "credentialStatus": [
                {
                    "type": "BitstringStatusListEntry",
                    "statusPurpose": entry.purpose,
                    "statusListIndex": "4711",
                    "statusListCredential": entry.list_uri,
                }
                for entry in BIT_LISTS
            ],
        }

    def test_what_is_not_there_is_not_written(self) -> None:
        encoded = w3c_credential(valid_until=None, holder_jwk=None, status=()).encoded
        assert not payload_of(encoded).keys() & {"validUntil", "cnf", "credentialStatus"}
        read = verified(encoded)
        assert (read.valid_until, read.holder_jwk, read.status, read.unknown_status) == (None, None, (), False)

    @pytest.mark.parametrize("claims", [{}, {"id": "x"}, {"type": "x"}, {"@context": "x"}], ids=repr)
    def test_claims_with_names_of_the_data_model_are_not_signed(self, claims: dict[str, str]) -> None:
        with refused(Code.CLAIMS_INVALID):
            w3c_credential(claims=claims)

    def test_a_reversed_period_is_not_signed(self) -> None:
        w3c_credential(valid_until=NOW)
        with refused(Code.TIME_MALFORMED):
            w3c_credential(valid_until=NOW - DAY)


class TestRead:
    def test_everything_is_read_back(self) -> None:
        read = verified(w3c_credential().encoded)
        assert (read.format, read.issuer, read.type, read.type_name) == (
            Format.VC_JWT,
            ISSUER_DID,
            PERSON,
            PERSON.vct,
        )
        assert read.claims == CLAIMS
        assert read.document["credentialSubject"] == CLAIMS
        assert (read.disclosable, read.always_disclosed) == (frozenset(), frozenset(CLAIMS))
        assert read.holder_jwk == HOLDER.public_jwk
        assert (read.issued_at, read.valid_from) == (MIDNIGHT, MIDNIGHT)
        assert read.valid_until == NOW + 365 * DAY
        assert read.status == BIT_LISTS
        assert not read.unknown_status

    def test_it_is_as_issued(self) -> None:
        presentation = opened(w3c_credential().encoded)
        assert presentation.is_as_issued
        assert presentation.credentials[0].key == KEY_ID

    def test_without_iat_the_issue_day_is_the_first_of_validity(self) -> None:
        first = datetime(2026, 11, 1, tzinfo=UTC)
        assert verified(w3c_token(w3c_document())).issued_at == first
        assert verified(w3c_token(w3c_document(iat=0))).issued_at == datetime(1970, 1, 1, tzinfo=UTC)
        assert verified(w3c_token(w3c_document(validFrom=None))).issued_at is None

    def test_the_subject_id_is_not_a_claim(self) -> None:
        read = verified(w3c_token(w3c_document(credentialSubject=subject(id="urn:demo:1", type="Person"))))
        assert read.claims == {"given_names": "Rosalie DEMO"}

    def test_unknown_members_and_header_members_are_ignored(self) -> None:
        verified(w3c_token(w3c_document(extra=1), cty="vc", extra=1))

    @pytest.mark.attack("V07")
    def test_a_status_type_of_others_is_unknown(self) -> None:
        """V07."""
        read = verified(w3c_token(w3c_document(credentialStatus=[{"type": "StatusList2021Entry"}])))
        assert read.unknown_status
        assert read.status == ()

    @pytest.mark.clause("BSL-1")
    @pytest.mark.good_twin("V07")
    def test_every_status_entry_counts(self) -> None:
        """V07: the second as well as the first."""
        assert {entry.purpose for entry in verified(w3c_credential().encoded).status} == {"revocation", "suspension"}
        one = StatusEntry(list_uri="https://status.example/1", index=3, purpose="suspension")
        assert verified(w3c_credential(status=(one,)).encoded).status == (one,)


class TestHolderKey:
    def test_a_did_jwk_subject_is_its_key(self) -> None:
        read = verified(w3c_token(w3c_document(cnf=None, credentialSubject=subject(id=HOLDER_DID))))
        assert read.holder_jwk is not None
        assert keys.thumbprint(read.holder_jwk) == HOLDER.thumbprint

    def test_the_key_in_the_credential_comes_first(self) -> None:
        other = did.jwk.did_of(STRANGER.public_jwk)
        read = verified(w3c_token(w3c_document(credentialSubject=subject(id=other))))
        assert read.holder_jwk == HOLDER.public_jwk

    def test_any_other_subject_is_no_key(self) -> None:
        for identifier in ("did:web:citizen.example", "urn:demo:1"):
            read = verified(w3c_token(w3c_document(cnf=None, credentialSubject=subject(id=identifier))))
            assert read.holder_jwk is None

    def test_a_did_jwk_that_is_none(self) -> None:
        with refused(Code.MALFORMED_DID):
            verified(w3c_token(w3c_document(cnf=None, credentialSubject=subject(id="did:jwk:e30"))))

    def test_a_did_jwk_for_encryption_is_no_holder_key(self) -> None:
        jwk = strict_json.serialise({**HOLDER.public_jwk, "use": "enc"})
        identifier = f"did:jwk:{base64url.encode(jwk)}"
        with refused(Code.MALFORMED_KEY):
            verified(w3c_token(w3c_document(cnf=None, credentialSubject=subject(id=identifier))))


class TestConsistency:
    """V01: token and document say the same."""

    @pytest.mark.good_twin("V01")
    def test_the_good_twin(self) -> None:
        document = w3c_document(
            iss=ISSUER_DID,
            sub="urn:demo:1",
            jti="urn:demo:2",
            id="urn:demo:2",
            credentialSubject=subject(id="urn:demo:1"),
        )
        verified(w3c_token(document, iss=ISSUER_DID))
        verified(w3c_token(w3c_document(issuer={"id": ISSUER_DID, "name": "Services DEMO"}, iss=ISSUER_DID)))
        verified(w3c_token(w3c_document(sub="urn:demo:1")))

    @pytest.mark.clause("2a-5")
    @pytest.mark.attack("V01")
    def test_iss_is_not_the_issuer(self) -> None:
        for document, header in (
            (w3c_document(iss="did:web:attacker.example"), {}),
            (w3c_document(), {"iss": "did:web:attacker.example"}),
            (w3c_document(iss=1), {}),
            (w3c_document(issuer={"id": ISSUER_DID}, iss="did:web:attacker.example"), {}),
        ):
            with refused(Code.ISSUER_MISMATCH):
                verified(w3c_token(document, **header))

    @pytest.mark.attack("V01")
    def test_sub_is_not_the_subject(self) -> None:
        with refused(Code.MALFORMED):
            verified(w3c_token(w3c_document(sub="urn:demo:1", credentialSubject=subject(id="urn:demo:2"))))

    @pytest.mark.attack("V01")
    def test_jti_is_not_the_id(self) -> None:
        with refused(Code.MALFORMED):
            verified(w3c_token(w3c_document(jti="urn:demo:1", id="urn:demo:2")))
        with refused(Code.MALFORMED):
            verified(w3c_token(w3c_document(jti="urn:demo:1")))

    @pytest.mark.attack("V01")
    def test_the_narrower_of_two_periods_counts(self) -> None:
        """``exp`` and ``validUntil`` that disagree never extend one another."""
        at = int(NOW.timestamp())
        narrower = verified(w3c_token(w3c_document(nbf=at, exp=at + 60)))
        assert (narrower.valid_from, narrower.valid_until) == (
            datetime.fromtimestamp(at, UTC),
            datetime.fromtimestamp(at + 60, UTC),
        )
        wider = verified(w3c_token(w3c_document(nbf=0, exp=2**32)))
        assert (wider.valid_from, wider.valid_until) == (
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2027, 11, 1, tzinfo=UTC),
        )

    def test_periods_that_do_not_overlap(self) -> None:
        with refused(Code.TIME_MALFORMED):
            verified(w3c_token(w3c_document(exp=1)))

    @pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
    @pytest.mark.parametrize("value", ["1", True, -1, 2**63], ids=repr)
    def test_times_are_numbers(self, name: str, value: Any) -> None:
        """J19."""
        with refused(Code.TIME_MALFORMED):
            verified(w3c_token(w3c_document(**{name: value})))

    @pytest.mark.parametrize("name", ["vc", "vp"])
    @pytest.mark.clause("2a-members")
    def test_claims_of_the_old_data_model(self, name: str) -> None:
        with refused(Code.MALFORMED):
            verified(w3c_token(w3c_document(**{name: {}})))

    def test_a_credential_for_one_audience_is_none_for_others(self) -> None:
        with refused(Code.AUDIENCE_MISMATCH):
            verified(w3c_token(w3c_document(aud="https://verifier.example")))

    def test_a_private_holder_key(self) -> None:
        with refused(Code.PRIVATE_KEY_EXPOSED):
            verified(w3c_token(w3c_document(cnf={"jwk": HOLDER.private_jwk()})))


class TestHeader:
    @pytest.mark.parametrize("typ", ["jwt", "VC+JWT", "application/vc+jwt", "dc+sd-jwt", "statuslist+jwt", None])
    @pytest.mark.clause("2a-1")
    def test_another_type(self, typ: str | None) -> None:
        credential = opened(w3c_token(w3c_document(), typ=typ)).credentials[0]
        with refused(Code.TYPE_NOT_ALLOWED):
            FORMATS["vc+jwt"].check_header(credential)

    def test_another_content_type(self) -> None:
        credential = opened(w3c_token(w3c_document(), cty="vp")).credentials[0]
        with refused(Code.TYPE_NOT_ALLOWED):
            FORMATS["vc+jwt"].check_header(credential)

    @pytest.mark.parametrize("typ", ["at+jwt", "kb+jwt", "dc+sd-jwt", "openid4vci-proof+jwt"])
    def test_another_kind_of_token_is_told_by_its_type(self, typ: str) -> None:
        """J10."""
        with refused(Code.TYPE_NOT_ALLOWED):
            opened(jose.sign({"typ": typ}, {"sub": "x"}, ISSUER))

    def test_without_a_key_it_cannot_be_read(self) -> None:
        with refused(Code.KEY_NOT_FOUND):
            opened(w3c_token(w3c_document(), kid=None))

    def test_a_signature_by_another_key_does_not_verify(self) -> None:
        with refused(Code.SIGNATURE_INVALID):
            jose.verify(opened(w3c_credential().encoded).credentials[0].jws, keys.public_key(STRANGER.public_jwk))
