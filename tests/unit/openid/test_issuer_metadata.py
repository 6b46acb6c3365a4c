import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from comity import strict_json
from comity.credential import W3C_CONTEXT, CredentialType, Format
from comity.errors import Code
from comity.openid.issuance import configuration, display
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.display import ClaimDescription, Display
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.offer import CredentialOffer
from comity.openid.key_attestation import Demand
from comity.openid.members import Members
from comity.openid.refusal import OAuthError, Refusal

ISSUER = "https://issuer.example/ca-on/services"
LICENCE = CredentialType(slug="drivers-licence", version=1)
SD_JWT = configuration.of_type(LICENCE, Format.DC_SD_JWT, signing_algorithms=("ES256",))
VC_JWT = configuration.of_type(LICENCE, Format.VC_JWT, signing_algorithms=("ES256",))
METADATA = IssuerMetadata(
    credential_issuer=ISSUER,
    credential_endpoint=f"{ISSUER}/credential",
    nonce_endpoint=f"{ISSUER}/nonce",
    notification_endpoint=f"{ISSUER}/notification",
    configurations={SD_JWT.id: SD_JWT, VC_JWT.id: VC_JWT},
    batch_size=10,
    display=(Display(name="ServiceOntario DEMO", locale="en-CA"), Display(name="Services DEMO", locale="fr-CA")),
)


def parse(document: Any) -> IssuerMetadata:
    return IssuerMetadata.parse(document, credential_issuer=ISSUER)


def with_configuration(**change: Any) -> dict[str, Any]:
    entry = {name: value for name, value in {**SD_JWT.to_dict(), **change}.items() if value is not ...}
    return {**METADATA.to_dict(), "credential_configurations_supported": {SD_JWT.id: entry}}


def with_claims(*paths: Any) -> dict[str, Any]:
    return with_configuration(credential_metadata={"claims": [{"path": path} for path in paths]})


@pytest.mark.clause("VCI-2")
def test_round_trip() -> None:
    assert parse(strict_json.serialise(METADATA.to_dict())) == METADATA


def test_place() -> None:
    assert IssuerMetadata.url(ISSUER) == "https://issuer.example/.well-known/openid-credential-issuer/ca-on/services"


@pytest.mark.clause("VCI-3")
def test_configurations_have_their_pinned_names() -> None:
    assert SD_JWT.id == SD_JWT.scope == "drivers-licence.1.sdjwt"
    assert VC_JWT.id == VC_JWT.scope == "drivers-licence.1.vcjwt"
    body = SD_JWT.to_dict()
    assert body["vct"] == "https://types.comity.example/drivers-licence/1"
    assert body["cryptographic_binding_methods_supported"] == ["jwk", "did:jwk"]
    assert body["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"] == ["ES256", "ES384", "EdDSA"]
    assert VC_JWT.to_dict()["credential_definition"] == {
        "@context": [W3C_CONTEXT, "https://types.comity.example/drivers-licence/1/context"],
        "type": ["VerifiableCredential", "DriversLicence"],
    }
    assert SD_JWT.credential_type == VC_JWT.credential_type == LICENCE


@pytest.mark.parametrize(("slug", "version"), schemas.all_types())
@pytest.mark.parametrize("credential_format", list(Format))
@pytest.mark.clause("VCI-4")
def test_every_type_is_described_in_english_and_french(slug: str, version: int, credential_format: Format) -> None:
    entry = configuration.of_type(CredentialType(slug=slug, version=version), credential_format)
    assert {shown.locale for shown in entry.display} == {"en-CA", "fr-CA"}
    assert all({label.locale for label in claim.display} == {"en-CA", "fr-CA"} for claim in entry.claims)
    root = ("credentialSubject",) if credential_format is Format.VC_JWT else ()
    assert all(claim.path[: len(root)] == root for claim in entry.claims)
    assert len(entry.claims) == len(schemas.type_metadata(slug, version)["claims"])
    parsed = configuration.parse(entry.id, Members(entry.to_dict(), "x", Refusal(code=Code.METADATA_INVALID)))
    assert parsed == entry


def test_a_configuration_without_labels_or_holder_key() -> None:
    bare = CredentialConfiguration(id="x", format=Format.DC_SD_JWT, vct="https://else.example/x")
    assert bare.to_dict() == {"format": "dc+sd-jwt", "vct": "https://else.example/x", "credential_metadata": {}}
    assert bare.binding_methods == ()
    assert bare.credential_type is None
    parsed = parse(
        {**METADATA.to_dict(), "credential_configurations_supported": {"x": {"format": "dc+sd-jwt", "vct": "v"}}}
    )
    assert parsed.configurations["x"] == CredentialConfiguration(id="x", format=Format.DC_SD_JWT, vct="v")


@pytest.mark.clause("VCI-3")
def test_a_w3c_type_needs_context_and_type_to_agree() -> None:
    other = CredentialConfiguration(
        id="x", format=Format.VC_JWT, contexts=(W3C_CONTEXT, LICENCE.context), types=("VerifiableCredential", "Person")
    )
    assert other.credential_type is None
    unknown = CredentialConfiguration(id="x", format=Format.VC_JWT, contexts=(W3C_CONTEXT, "https://e.example/c"))
    assert unknown.credential_type is None


@pytest.mark.clause("VCI-7")
def test_minimal_metadata_and_unknown_members() -> None:
    minimal = parse(
        {
            "credential_issuer": ISSUER,
            "credential_endpoint": f"{ISSUER}/c",
            "credential_configurations_supported": {
                "mdl": {"format": "mso_mdoc", "doctype": "d", "credential_signing_alg_values_supported": [-7]}
            },
            "future": {"x": 1},
        }
    )
    assert minimal.batch_size == 1
    assert minimal.nonce_endpoint is None
    assert minimal.configurations == {}
    assert minimal.other_configurations == {"mdl"}
    assert not minimal.encryption_required
    assert "batch_credential_issuance" not in minimal.to_dict()


@pytest.mark.parametrize("name", ["credential_request_encryption", "credential_response_encryption"])
def test_required_encryption_is_noted(name: str) -> None:
    key = {"kty": "EC", "kid": "1", "alg": "ECDH-ES"}
    said = {"jwks": {"keys": [key]}, "alg_values_supported": ["ECDH-ES"], "enc_values_supported": ["A256GCM"]}
    assert parse({**METADATA.to_dict(), name: {**said, "encryption_required": True}}).encryption_required
    assert not parse({**METADATA.to_dict(), name: {**said, "encryption_required": False}}).encryption_required


def test_key_attestation_is_noted() -> None:
    attested = {"jwt": {"proof_signing_alg_values_supported": ["ES256"], "key_attestations_required": {}}}
    found = parse(with_configuration(proof_types_supported=attested)).configurations[SD_JWT.id]
    assert found.key_attestation == Demand()
    other = parse(with_configuration(proof_types_supported={"di_vp": {}})).configurations[SD_JWT.id]
    assert other.proof_algorithms == ()
    assert (other.binding_methods, other.key_attestation) == (SD_JWT.binding_methods, None)


@pytest.mark.parametrize(
    "name", ["credential_endpoint", "nonce_endpoint", "deferred_credential_endpoint", "notification_endpoint"]
)
@pytest.mark.parametrize(
    "url",
    [
        "https://honest.example/credential",
        "https://issuer.example/ca-bc/services/credential",
        "https://issuer.example:8443/ca-on/services/credential",
        "http://issuer.example/ca-on/services/credential",
        "/ca-on/services/credential",
        f"{ISSUER}/../../ca-bc/services/credential",
        None,
    ],
)
def test_somebody_elses_endpoint(name: str, url: str | None) -> None:  # I20
    with pytest.raises(OAuthError) as caught:
        parse({**METADATA.to_dict(), name: url})
    assert caught.value.code is Code.METADATA_INVALID


@pytest.mark.parametrize(
    "identifier", [f"{ISSUER}/", "https://ISSUER.example/ca-on/services", "https://evil.example", ISSUER[:-1]]
)
@pytest.mark.clause("VCI-1")
def test_another_issuer(identifier: str) -> None:  # I22
    with pytest.raises(OAuthError) as caught:
        parse({**METADATA.to_dict(), "credential_issuer": identifier})
    assert caught.value.code is Code.METADATA_INVALID


def test_an_issuer_that_is_no_identifier() -> None:
    asked = f"{ISSUER}?x=1"
    with pytest.raises(OAuthError):
        IssuerMetadata.parse({**METADATA.to_dict(), "credential_issuer": asked}, credential_issuer=asked)


@pytest.mark.parametrize(
    "document",
    [
        {**METADATA.to_dict(), "credential_configurations_supported": []},
        {**METADATA.to_dict(), "credential_configurations_supported": {"a": 1}},
        {**METADATA.to_dict(), "authorization_servers": []},
        {**METADATA.to_dict(), "authorization_servers": ["https://as.example?x"]},
        {**METADATA.to_dict(), "batch_credential_issuance": {"batch_size": 1}},
        {**METADATA.to_dict(), "batch_credential_issuance": {}},
        {**METADATA.to_dict(), "display": []},
        {**METADATA.to_dict(), "display": [{"name": "a", "locale": "en"}, {"name": "b", "locale": "EN"}]},
        {**METADATA.to_dict(), "display": [{"name": "a", "locale": "e n"}]},
        {**METADATA.to_dict(), "display": [{"name": "a"}, {"name": "b"}]},
        {**METADATA.to_dict(), "display": [{"name": "a", "logo": {}}]},
        with_configuration(vct=...),
        with_configuration(vct=""),
        with_configuration(format=...),
        with_configuration(proof_types_supported=...),
        with_configuration(cryptographic_binding_methods_supported=...),
        with_configuration(cryptographic_binding_methods_supported=[]),
        with_configuration(proof_types_supported={"jwt": {}}),
        with_configuration(proof_types_supported={"jwt": {"proof_signing_alg_values_supported": []}}),
        with_configuration(format="vc+jwt"),
        with_configuration(format="vc+jwt", credential_definition={"type": ["VerifiableCredential"]}),
        with_configuration(credential_metadata={"display": [{"locale": "en-CA"}]}),
        with_configuration(credential_metadata={"claims": []}),
        with_claims([]),
        with_claims("a"),
        with_claims(["a", -1]),
        with_claims(["a", True]),
        with_claims(["a", 1.5]),
        with_claims(["a"], ["b"], ["a"]),
        with_claims(["a", "b"], ["a", 0]),
        with_claims(["a", None], ["a", "b"]),
        with_claims(["a"], [0]),
    ],
)
@pytest.mark.clause("VCI-2")
def test_refused(document: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        parse(document)
    assert caught.value.code is Code.METADATA_INVALID


@pytest.mark.clause("VCI-4")
def test_claims_paths_that_agree() -> None:  # the good twin of the contradictions
    paths = (["a"], ["a", "b"], ["a", "c"], ["list", None], ["list", 0], ["list", None, "d"])
    claims = parse(with_claims(*paths)).configurations[SD_JWT.id].claims
    assert [list(claim.path) for claim in claims] == list(paths)
    assert not claims[0].mandatory


def test_display_details() -> None:
    shown = {
        "display": [
            {
                "name": "Licence",
                "locale": "en-CA",
                "background_color": "#12107c",
                "text_color": "red;} body{display:none",
                "logo": {"uri": "https://a.example/l.png", "alt_text": "a logo"},
            },
            {"name": "Permis", "locale": "fr-CA", "logo": {"uri": "javascript:alert(1)"}},
        ]
    }
    entries = parse(with_configuration(credential_metadata=shown)).configurations[SD_JWT.id].display
    assert entries[0].background_color == "#12107c"
    assert entries[0].text_color is None  # never into a style sheet
    assert entries[0].logo_uri == "https://a.example/l.png"
    assert entries[1].logo_uri is None
    assert entries[0].to_dict()["logo"] == {"uri": "https://a.example/l.png", "alt_text": "a logo"}
    assert Display(name="x", logo_uri="data:image/png;base64,AA").to_dict()["logo"] == {
        "uri": "data:image/png;base64,AA"
    }


def test_an_issuer_entry_without_a_name_is_dropped() -> None:
    assert parse({**METADATA.to_dict(), "display": [{"locale": "en"}, {"name": "n", "locale": "fr"}]}).display == (
        Display(name="n", locale="fr"),
    )


def test_choice_of_language() -> None:
    entries = (Display(name="a", locale="en-CA"), Display(name="b", locale="fr-CA"))
    assert display.in_language(entries, "fr") is entries[1]
    assert display.in_language(entries, "en") is entries[0]
    assert display.in_language(entries, "de") is entries[0]
    assert display.in_language((Display(name="c"), entries[1]), "fr") is entries[1]
    assert display.in_language((), "fr") is None


def test_claim_description_without_labels() -> None:
    assert ClaimDescription(path=("a", None, 0), mandatory=True).to_dict() == {
        "path": ["a", None, 0],
        "mandatory": True,
    }


def offer(*ids: str, issuer: str = ISSUER) -> CredentialOffer:
    return CredentialOffer(credential_issuer=issuer, configuration_ids=ids)


def test_offered_configurations() -> None:
    assert METADATA.offered(offer(VC_JWT.id, SD_JWT.id)) == (VC_JWT, SD_JWT)
    with pytest.raises(OAuthError) as caught:
        METADATA.offered(offer(SD_JWT.id, issuer="https://evil.example"))
    assert caught.value.code is Code.OFFER_INVALID
    with pytest.raises(OAuthError) as caught:
        METADATA.offered(offer(SD_JWT.id, "unheard-of"))
    assert caught.value.code is Code.CREDENTIAL_CONFIGURATION_UNKNOWN


def test_offered_in_formats_we_do_not_speak() -> None:
    with_mdl = IssuerMetadata(
        credential_issuer=ISSUER,
        credential_endpoint=f"{ISSUER}/c",
        configurations={SD_JWT.id: SD_JWT},
        other_configurations=frozenset({"mdl"}),
    )
    assert with_mdl.offered(offer("mdl", SD_JWT.id)) == (SD_JWT,)
    with pytest.raises(OAuthError) as caught:
        with_mdl.offered(offer("mdl"))
    assert caught.value.code is Code.CREDENTIAL_CONFIGURATION_UNKNOWN


@pytest.mark.clause("VCI-6")
def test_choice_of_authorization_server() -> None:  # VCI-11
    def metadata(*servers: str) -> IssuerMetadata:
        return parse({**METADATA.to_dict(), **({"authorization_servers": list(servers)} if servers else {})})

    one, two = "https://as1.example", "https://as2.example"
    assert metadata().authorization_server() == ISSUER
    assert metadata(one).authorization_server() == one
    assert metadata(one, two).authorization_server(two) == two
    # an issuer with one server must not name it; where it does all the same, nothing is chosen by it
    assert metadata().authorization_server(ISSUER) == ISSUER
    assert metadata(one).authorization_server(one) == one
    for servers, hint, code in (
        ((), one, Code.OFFER_INVALID),
        ((one,), two, Code.OFFER_INVALID),
        ((one,), ISSUER, Code.OFFER_INVALID),
        ((one, two), "https://evil.example", Code.OFFER_INVALID),
        ((one, two), None, Code.METADATA_INVALID),
    ):
        with pytest.raises(OAuthError) as caught:
            metadata(*servers).authorization_server(hint)
        assert caught.value.code is code
    assert metadata(one, two).to_dict()["authorization_servers"] == [one, two]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(METADATA.to_dict())), JSON)
def test_any_value_in_any_member(name: str, value: Any) -> None:
    with contextlib.suppress(OAuthError):
        parse({**METADATA.to_dict(), name: value})


@given(st.sampled_from(sorted(SD_JWT.to_dict())), JSON)
def test_any_value_in_any_configuration_member(name: str, value: Any) -> None:
    with contextlib.suppress(OAuthError):
        parse(with_configuration(**{name: value}))


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(OAuthError):
        parse(data)
