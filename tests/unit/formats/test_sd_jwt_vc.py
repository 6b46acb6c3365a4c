"""SD-JWT VC as issued, held and read: what a good one is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from comity import keys
from comity.credential import Format, Kid, X5c
from comity.errors import Code
from comity.formats import sd_jwt, sd_jwt_vc
from comity.formats.concealing import conceal
from tests.unit.formats.made import (
    BIT_LISTS,
    CHAIN,
    CLAIMS,
    DAY,
    DISCLOSABLE,
    HOLDER,
    ISSUER,
    ISSUER_ID,
    NOW,
    PERSON,
    TOKEN_LIST,
    disclosures_of,
    leaf,
    opened,
    payload_of,
    presented,
    proved,
    refused,
    sd_jwt_credential,
    sd_payload,
    sd_token,
    unsigned,
    verified,
)

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


class TestIssued:
    @pytest.mark.clause("2b-members", "HAIP-all")
    def test_it_is_what_the_house_says(self) -> None:
        encoded = sd_jwt_credential().encoded
        header = opened(encoded).credentials[0].jws.header
        assert header == {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": list(CHAIN.chain)}
        payload = payload_of(encoded)
        assert payload.pop("_sd_alg") == "sha-256"
        assert len(payload.pop("_sd")) == len(DISCLOSABLE)
        assert payload == {
            "iss": ISSUER_ID,
            "vct": "https://types.comity.example/person/1",
            "iat": int(MIDNIGHT.timestamp()),
            "nbf": int(MIDNIGHT.timestamp()),
            "exp": int((NOW + 365 * DAY).timestamp()),
            "cnf": {"jwk": HOLDER.public_jwk},
            "status": {"status_list": {"idx": 4711, "uri": TOKEN_LIST.list_uri}},
            "region": "ON",
        }
        assert encoded.endswith("~")

    def test_a_claim_that_is_lacking_does_not_show(self) -> None:
        """S17: somebody without given names has as many digests as somebody with."""
        fewer = {name: value for name, value in CLAIMS.items() if name != "given_names"}
        without, complete = sd_jwt_credential(claims=fewer).encoded, sd_jwt_credential().encoded
        assert len(payload_of(without)["_sd"]) == len(payload_of(complete)["_sd"])
        assert (len(disclosures_of(without)), len(disclosures_of(complete))) == (3, 4)

    def test_without_claims_to_disclose_there_is_no_mechanism(self) -> None:
        encoded = sd_jwt_credential(claims={"region": "ON"}).encoded
        assert not payload_of(encoded).keys() & {"_sd", "_sd_alg"}
        assert verified(encoded).claims == {"region": "ON"}
        assert encoded.count("~") == 1

    def test_what_is_not_there_is_not_written(self) -> None:
        encoded = sd_jwt_credential(valid_until=None, holder_jwk=None, status=BIT_LISTS).encoded
        assert not payload_of(encoded).keys() & {"exp", "cnf", "status"}
        read = verified(encoded)
        assert (read.valid_until, read.holder_jwk, read.status, read.unknown_status) == (None, None, (), False)

    def test_a_key_may_be_named_by_a_did_url(self) -> None:
        key = Kid(did_url="did:web:issuer.example#1")
        encoded = sd_jwt_vc.sign(unsigned(), ISSUER, key).encoded
        assert opened(encoded).credentials[0].key == key

    @pytest.mark.parametrize("name", ["iss", "nbf", "exp", "iat", "cnf", "vct", "status", "sub", "_sd", "..."])
    def test_claims_with_names_of_the_protocol_are_not_signed(self, name: str) -> None:
        with refused(Code.CLAIMS_INVALID):
            sd_jwt_credential(claims={name: 1})

    def test_a_reversed_period_is_not_signed(self) -> None:
        sd_jwt_credential(valid_until=NOW)
        with refused(Code.TIME_MALFORMED):
            sd_jwt_credential(valid_until=NOW - DAY)


class TestRead:
    def test_everything_is_read_back(self) -> None:
        read = verified(sd_jwt_credential().encoded)
        assert (read.format, read.issuer, read.type, read.type_name) == (
            Format.DC_SD_JWT,
            ISSUER_ID,
            PERSON,
            PERSON.vct,
        )
        assert read.claims == CLAIMS
        assert read.document["vct"] == PERSON.vct
        assert read.disclosable == DISCLOSABLE & CLAIMS.keys()
        assert read.always_disclosed == {"region"}
        assert read.holder_jwk == HOLDER.public_jwk
        assert (read.issued_at, read.valid_from, read.valid_until) == (
            MIDNIGHT,
            MIDNIGHT,
            (NOW + 365 * DAY).replace(microsecond=0),
        )
        assert read.status == (TOKEN_LIST,)
        assert not read.unknown_status

    def test_a_credential_is_read_as_issued(self) -> None:
        presentation = opened(sd_jwt_credential().encoded)
        assert presentation.is_as_issued
        assert presentation.proof is None
        credential = presentation.credentials[0]
        assert (credential.issuer, credential.type_name, credential.key) == (ISSUER_ID, PERSON.vct, CHAIN)

    def test_a_presentation_is_not_as_issued(self) -> None:
        """RFC 9901 §7.2, profile 2b step 1: a wallet takes no SD-JWT+KB from an issuer."""
        assert not opened(presented(sd_jwt_credential(), "region")).is_as_issued

    def test_a_type_of_others_is_read_without_type(self) -> None:
        read = verified(sd_token(sd_payload(vct="https://elsewhere.example/badge", badge=1)))
        assert (read.type, read.type_name, read.claims) == (None, "https://elsewhere.example/badge", {"badge": 1})

    def test_sub_and_iat_may_be_disclosed_and_are_no_claims_of_the_type(self) -> None:
        concealed = conceal({"sub": "u-1", "iat": 86400, "badge": 1}, [("sub",), ("iat",), ("badge",)])
        read = verified(sd_token(sd_payload(iat=None) | concealed.payload, concealed.disclosures))
        assert read.claims == {"badge": 1}
        assert read.disclosable == {"badge"}
        assert read.document["sub"] == "u-1"
        assert read.issued_at == datetime(1970, 1, 2, tzinfo=UTC)

    @pytest.mark.clause("TR-7")
    def test_further_type_names_are_accepted_and_give_nothing(self) -> None:
        read = verified(sd_token(sd_payload(aka_vcts=["https://elsewhere.example/badge"])))
        assert read.type == PERSON
        assert read.claims == {}

    def test_the_certificate_may_name_the_issuer(self) -> None:
        token = sd_token(sd_payload(iss=None))
        assert opened(token).credentials[0].issuer == ISSUER_ID

    @pytest.mark.parametrize("key", [{"x5c": list(leaf(None).chain)}, {"x5c": None, "kid": "did:web:issuer.example#1"}])
    def test_somebody_must_name_the_issuer(self, key: dict[str, Any]) -> None:
        with refused(Code.MALFORMED):
            opened(sd_token(sd_payload(iss=None), **key))

    def test_a_status_mechanism_of_others_is_unknown(self) -> None:
        assert verified(sd_token(sd_payload(status={"other": {}}))).unknown_status


class TestPresented:
    def test_only_what_is_asked_for_leaves(self) -> None:
        held = sd_jwt_credential()
        text = presented(held, "age_over_19")
        assert verified(text).claims == {"age_over_19": True, "region": "ON"}
        parts = sd_jwt.parse(text)
        assert parts.disclosures == (disclosures_of(held.encoded)["age_over_19"],)
        assert text.startswith(held.encoded.split("~")[0])
        proved(text)

    def test_paths_and_names_are_the_same_for_top_level_claims(self) -> None:
        held = sd_jwt_credential()
        by_path = sd_jwt_vc.present(held, [("birthdate",), ("region",)], None, audience="", nonce="", at=NOW)
        assert by_path == presented(held, "birthdate", holder=None)

    def test_nothing_asked_nothing_shown(self) -> None:
        assert verified(presented(sd_jwt_credential())).claims == {"region": "ON"}

    def test_without_a_holder_it_goes_unbound(self) -> None:
        text = presented(sd_jwt_credential(), "region", holder=None)
        assert text.endswith("~")
        assert opened(text).proof is None

    @pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA"])
    def test_every_algorithm_of_the_house_binds(self, algorithm: str) -> None:
        holder = keys.KeySigner.generate(algorithm)
        text = presented(sd_jwt_credential(holder_jwk=holder.public_jwk), "birthdate", holder=holder)
        proved(text)
        proof = opened(text).proof
        assert proof is not None
        assert proof.jws.header == {"alg": algorithm, "typ": "kb+jwt"}

    def test_a_presentation_is_not_presented_again(self) -> None:
        held = sd_jwt_credential()
        shown = type(held)(format=held.format, encoded=presented(held, "region"))
        with refused(Code.MALFORMED):
            presented(shown, "region")


def test_a_chain_wins_over_a_key_id_and_nothing_else_counts() -> None:
    both = opened(sd_token(sd_payload(), kid="did:web:attacker.example#1", jwk=dict(HOLDER.public_jwk)))
    assert both.credentials[0].key == CHAIN
    headers: list[dict[str, Any]] = [{"x5c": []}, {"x5c": "M"}, {"x5c": [1]}, {"x5c": None}, {"x5c": None, "kid": ""}]
    headers += [{"x5c": broken, "kid": "did:web:issuer.example#1"} for broken in ([], "M", [1])]
    for header in headers:
        with refused(Code.KEY_NOT_FOUND):
            opened(sd_token(sd_payload(), **header))
    assert isinstance(both.credentials[0].key, X5c)
