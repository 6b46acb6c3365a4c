"""The S rows of the security catalogue that the library answers, each with its good twin."""

from typing import Any

import pytest
from msgspec.structs import replace

from comity import jose, keys
from comity.errors import Code, Malformed
from comity.formats import FORMATS, sd_jwt_vc
from comity.formats.concealing import conceal
from tests.unit.formats.made import (
    DAY,
    HOLDER,
    ISSUER,
    NOW,
    PERSON,
    STRANGER,
    digest,
    disclosure,
    disclosures_of,
    hidden,
    opened,
    payload_of,
    presented,
    refused,
    sd_jwt_credential,
    sd_payload,
    sd_token,
    verified,
)

VALIDITY: dict[str, Any] = {
    "iss": "https://issuer.example/ca-on/services",
    "nbf": 1,
    "exp": int((NOW + DAY).timestamp()),
    "cnf": {"jwk": dict(HOLDER.public_jwk)},
    "vct": PERSON.vct,
    "vct#integrity": "sha256-abc",
    "aka_vcts": ["https://elsewhere.example/badge"],
    "status": {"status_list": {"idx": 1, "uri": "https://status.example/1"}},
}


class TestWhatDecidesValidityIsInTheClear:
    """S09: made selectively disclosable, then withheld or disclosed."""

    @pytest.mark.parametrize("name", VALIDITY)
    @pytest.mark.clause("2b-members")
    @pytest.mark.attack("S09")
    @pytest.mark.good_twin("S09")
    def test_disclosed(self, name: str) -> None:
        concealed = conceal({name: VALIDITY[name]}, [(name,)])
        payload = sd_payload(**{name: None}) | concealed.payload
        # Without iss or vct in the clear it is not even read: the certificate names an issuer, nothing names a type.
        code = Code.MALFORMED if name == "vct" else Code.DISCLOSURE_FORBIDDEN
        with refused(code):
            verified(sd_token(payload, concealed.disclosures))
        assert verified(sd_token(sd_payload(**{name: VALIDITY[name]}))).claims == {}

    @pytest.mark.attack("S09")
    def test_withheld_type(self) -> None:
        concealed = conceal({"vct": PERSON.vct}, [("vct",)])
        with refused(Code.MALFORMED):
            verified(sd_token(sd_payload(vct=None) | concealed.payload))

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("cnf", ("cnf", "jwk")),
            ("cnf", ("cnf", "jwk", "x")),
            ("status", ("status", "status_list")),
            ("status", ("status", "status_list", "idx")),
            ("aka_vcts", ("aka_vcts", 0)),
        ],
    )
    @pytest.mark.parametrize("is_disclosed", [True, False])
    @pytest.mark.attack("S09")
    def test_parts_of_it(self, name: str, path: tuple[str | int, ...], is_disclosed: bool) -> None:
        concealed = conceal({name: VALIDITY[name]}, [path])
        token = sd_token(sd_payload() | concealed.payload, concealed.disclosures if is_disclosed else ())
        with refused(Code.DISCLOSURE_FORBIDDEN):
            verified(token)

    @pytest.mark.attack("S08")
    def test_a_member_in_the_clear_cannot_be_overwritten(self) -> None:
        """S08 for the members that matter."""
        for name in ("iss", "exp", "cnf", "status"):
            forged = disclosure("salt", name, VALIDITY[name])
            with refused(Code.DISCLOSURE_FORBIDDEN):
                verified(sd_token(sd_payload(_sd=[digest(forged)]), [forged]))


class TestDisclosures:
    @pytest.mark.attack("S06")
    @pytest.mark.good_twin("S06")
    def test_one_of_another_credential_is_refused(self) -> None:
        """S06."""
        one, other = sd_jwt_credential().encoded, sd_jwt_credential().encoded
        verified(one + "")
        with refused(Code.DISCLOSURE_UNREFERENCED):
            verified(one + disclosures_of(other)["birthdate"] + "~")

    def test_one_sent_twice_is_refused(self) -> None:
        held = sd_jwt_credential().encoded
        with refused(Code.DISCLOSURE_DUPLICATE):
            verified(held + disclosures_of(held)["birthdate"] + "~")

    def test_a_changed_one_is_refused(self) -> None:
        held = sd_jwt_credential().encoded
        was = disclosures_of(held)["birthdate"]
        with refused(Code.DISCLOSURE_UNREFERENCED):
            verified(held.replace(was, disclosure("salt", "birthdate", "1990-01-01")))

    def test_withholding_is_fine(self) -> None:
        held = sd_jwt_credential().encoded
        assert verified(held.split("~")[0] + "~").claims == {"region": "ON"}

    def test_nested_claims_are_processed(self) -> None:
        payload, disclosures = hidden({"address": {"city": "Alma"}}, ("address",), ("address", "city"))
        read = verified(sd_token(payload, disclosures))
        assert read.claims == {"address": {"city": "Alma"}}
        assert read.disclosable == {"address"}

    def test_a_claim_disclosed_through_its_parent_only_is_not_disclosable_itself(self) -> None:
        payload, disclosures = hidden({"address": {"city": "Alma"}}, ("address", "city"))
        read = verified(sd_token(payload, disclosures))
        assert read.disclosable == frozenset()
        assert read.always_disclosed == {"address"}


class TestHeader:
    """C1 to C3, J01 to J06: what the header may not say."""

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            ({"typ": "vc+sd-jwt"}, Code.TYPE_NOT_ALLOWED),
            ({"typ": "DC+SD-JWT"}, Code.TYPE_NOT_ALLOWED),
            ({"typ": "application/dc+sd-jwt"}, Code.TYPE_NOT_ALLOWED),
            ({"typ": None}, Code.TYPE_NOT_ALLOWED),
            ({"typ": "kb+jwt"}, Code.TYPE_NOT_ALLOWED),
            ({"jwk": {**HOLDER.public_jwk, "d": "x"}}, Code.PRIVATE_KEY_EXPOSED),
        ],
    )
    def test_refused(self, header: dict[str, Any], code: Code) -> None:
        with pytest.raises(Malformed) as info:
            FORMATS["dc+sd-jwt"].check_header(_opened_with(header))
        assert info.value.code is code

    @pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}, {"crit": ["exp"]}])
    def test_refused_even_unsigned(self, header: dict[str, Any]) -> None:
        with pytest.raises(Malformed) as info:
            FORMATS["dc+sd-jwt"].check_header(_opened_with(header))
        assert info.value.code in (Code.ALGORITHM_NOT_ALLOWED, Code.CRITICAL_HEADER)

    def test_the_good_twin(self) -> None:
        FORMATS["dc+sd-jwt"].check_header(_opened_with({}))


def _opened_with(header: dict[str, Any]) -> Any:
    """A good credential whose JWS says ``header``; its signature is not looked at."""
    credential = opened(sd_jwt_credential().encoded).credentials[0]
    said = {name: value for name, value in {**credential.jws.header, **header}.items() if value is not None}
    jws = jose.Jws(
        header=said,
        payload=credential.jws.payload,
        signing_input=credential.jws.signing_input,
        signature=credential.jws.signature,
        encoded=credential.jws.encoded,
    )
    return replace(credential, jws=jws)


@pytest.mark.parametrize("typ", ["at+jwt", "kb+jwt", "statuslist+jwt", "openid4vci-proof+jwt", "vc+jwt", None])
def test_another_kind_of_token_is_told_by_its_type(typ: str | None) -> None:
    """J10: what is missing in it matters less than what it is."""
    header = {} if typ is None else {"typ": typ}
    with refused(Code.TYPE_NOT_ALLOWED):
        opened(jose.sign(header, {"sub": "x"}, ISSUER) + "~")


class TestPayload:
    @pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
    @pytest.mark.parametrize("value", ["1763900000", True, -1, 2**63, [], {}], ids=repr)
    @pytest.mark.attack("J19")
    @pytest.mark.good_twin("J19")
    def test_times_are_numbers(self, name: str, value: Any) -> None:
        """J19."""
        verified(sd_token(sd_payload(**{name: 1 if name != "exp" else 2**31})))
        with refused(Code.TIME_MALFORMED):
            verified(sd_token(sd_payload(**{name: value})))

    def test_a_null_time_is_not_an_absent_one(self) -> None:
        with refused(Code.TIME_MALFORMED):
            verified(sd_token(sd_payload() | {"exp": None}))

    def test_a_reversed_period_is_refused(self) -> None:
        verified(sd_token(sd_payload(nbf=5, exp=5)))
        with refused(Code.TIME_MALFORMED):
            verified(sd_token(sd_payload(nbf=6, exp=5)))

    @pytest.mark.parametrize("name", ["iss", "vct"])
    @pytest.mark.parametrize("value", [1, "", ["x"], {}], ids=repr)
    def test_issuer_and_type_are_text(self, name: str, value: Any) -> None:
        with refused(Code.MALFORMED):
            opened(sd_token(sd_payload(**{name: value})))

    @pytest.mark.parametrize(
        "value", [[], "x", [1], {}, [PERSON.vct], ["https://elsewhere.example/a", PERSON.vct]], ids=repr
    )
    def test_further_type_names_of_the_wrong_form(self, value: Any) -> None:
        with refused(Code.MALFORMED):
            verified(sd_token(sd_payload(aka_vcts=value)))

    @pytest.mark.clause("2b-8")
    def test_a_credential_for_one_audience_is_none_for_others(self) -> None:
        with refused(Code.AUDIENCE_MISMATCH):
            verified(sd_token(sd_payload(aud="https://verifier.example")))

    @pytest.mark.parametrize("value", ["x", [], {"jwk": None}, {"jwk": "x"}, {"jwk": {"kty": "oct"}}], ids=repr)
    def test_a_holder_key_that_is_none(self, value: Any) -> None:
        with refused(Code.MALFORMED_KEY):
            verified(sd_token(sd_payload(cnf=value)))

    @pytest.mark.attack("J20")
    def test_a_private_holder_key(self) -> None:
        """C2, J20."""
        with refused(Code.PRIVATE_KEY_EXPOSED):
            verified(sd_token(sd_payload(cnf={"jwk": HOLDER.private_jwk()})))

    @pytest.mark.attack("S02")
    def test_a_holder_key_by_reference_is_no_holder_key(self) -> None:
        """S02: cnf.kid that points to somebody's DID document."""
        assert verified(sd_token(sd_payload(cnf={"kid": "did:web:attacker.example#1"}))).holder_jwk is None


def test_a_signature_by_another_key_does_not_verify() -> None:
    credential = opened(sd_jwt_credential().encoded).credentials[0]
    jose.verify(credential.jws, keys.public_key(ISSUER.public_jwk))
    with refused(Code.SIGNATURE_INVALID):
        jose.verify(credential.jws, keys.public_key(STRANGER.public_jwk))


def test_a_duplicate_member_is_refused() -> None:
    """J11."""
    text = b'{"iss":"https://a.example","iss":"https://b.example","vct":"x"}'
    with refused(Code.DUPLICATE_MEMBER):
        opened(jose.sign({"typ": "dc+sd-jwt", "kid": "x"}, text, ISSUER) + "~")


def test_the_key_binding_is_not_part_of_the_credential() -> None:
    held = sd_jwt_credential()
    assert opened(presented(held, "region")).credentials[0].encoded == held.encoded.split("~")[0] + "~"
    assert payload_of(held.encoded) == payload_of(presented(held, "region"))
    assert sd_jwt_vc.TYP == "dc+sd-jwt"
