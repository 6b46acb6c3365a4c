"""What metadata say of client authentication and of key attestations, read and written."""

from typing import Any

import pytest

from comity.credential import CredentialType, Format
from comity.errors import Code
from comity.openid.client_authentication import ClientAuthentication
from comity.openid.issuance import configuration
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.key_attestation import Demand
from comity.openid.members import Members
from comity.openid.oauth import AuthorizationServerMetadata
from comity.openid.refusal import OAuthError, Refusal

SERVER = "https://issuer.example/ca-on/services"
ALL = ClientAuthentication(
    methods=("attest_jwt_client_auth", "private_key_jwt", "none"),
    assertion_algorithms=("ES256",),
    attestation_algorithms=("ES256", "EdDSA"),
    pop_algorithms=("ES384",),
    challenge_endpoint=f"{SERVER}/challenge",
)


def read(body: dict[str, Any]) -> ClientAuthentication:
    return ClientAuthentication.parse(Members(body, "m", Refusal(code=Code.METADATA_INVALID)), issuer=SERVER)


def test_there_and_back() -> None:
    metadata = AuthorizationServerMetadata(issuer=SERVER, token_endpoint=f"{SERVER}/token", client_authentication=ALL)
    assert AuthorizationServerMetadata.parse(metadata.to_dict(), issuer=SERVER) == metadata
    assert metadata.to_dict()["client_attestation_pop_signing_alg_values_supported"] == ["ES384"]
    assert metadata.to_dict()["token_endpoint_auth_signing_alg_values_supported"] == ["ES256"]
    assert ClientAuthentication().to_dict() == {"token_endpoint_auth_methods_supported": ["none"]}


def test_who_needs_what() -> None:
    assert (ALL.takes_attestations, ALL.is_required) == (True, False)
    strict = read({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"]})
    assert (strict.takes_attestations, strict.is_required) == (True, True)
    assert not read({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth_dpop"]}).takes_attestations
    assert not read({}).takes_attestations


@pytest.mark.parametrize(
    "url", ["https://evil.example/challenge", "https://issuer.example/ca-bc/services/challenge", "challenge", 1, None]
)
def test_a_challenge_endpoint_of_somebody_else(url: Any) -> None:  # I20, I21
    with pytest.raises(OAuthError) as caught:
        read({"challenge_endpoint": url})
    assert caught.value.code is Code.METADATA_INVALID
    assert read({"challenge_endpoint": f"{SERVER}/challenge"}).challenge_endpoint


@pytest.mark.parametrize("demand", [None, Demand(), Demand(key_storage=("a",), user_authentication=("b",))])
def test_a_configuration_with_key_attestations(demand: Demand | None) -> None:
    kind = CredentialType(slug="person", version=1)
    made = configuration.of_type(kind, Format.DC_SD_JWT, takes_attestations=True, key_attestation=demand)
    body = made.to_dict()
    found = configuration.parse(made.id, Members(body, "m", Refusal(code=Code.METADATA_INVALID)))
    assert found is not None
    assert (found.key_attestation, found.attestation_algorithms) == (demand, made.proof_algorithms)
    kinds = body["proof_types_supported"]
    assert kinds["jwt"].get("key_attestations_required") == (None if demand is None else demand.to_dict())
    # Other makers' wallets refuse an `attestation` that seems to need no key attestation.
    assert kinds["attestation"]["key_attestations_required"] == (demand or Demand()).to_dict()
    plain = configuration.of_type(kind, Format.DC_SD_JWT).to_dict()
    assert list(plain["proof_types_supported"]) == ["jwt"]


def test_a_configuration_that_takes_nothing_but_attestations() -> None:
    made = configuration.of_type(CredentialType(slug="person", version=1), Format.DC_SD_JWT).to_dict()
    made["proof_types_supported"] = {
        "attestation": {"proof_signing_alg_values_supported": ["ES256"], "key_attestations_required": {}}
    }
    found = configuration.parse("p", Members(made, "m", Refusal(code=Code.METADATA_INVALID)))
    assert found is not None
    assert (found.proof_algorithms, found.attestation_algorithms) == ((), ("ES256",))
    assert found.key_attestation == Demand()


def test_a_request_with_a_proof_of_type_attestation() -> None:
    request = CredentialRequest(configuration_id="c", attestation="a.b.c")
    assert request.to_dict()["proofs"] == {"attestation": ["a.b.c"]}
    assert CredentialRequest.parse(request.to_dict()) == request
    request.require_proofs()
    with pytest.raises(OAuthError) as caught:
        CredentialRequest.parse(
            {"credential_configuration_id": "c", "proofs": {"attestation": ["a", "b"]}}, batch_size=9
        )
    assert (caught.value.code, caught.value.error.value) == (Code.BATCH_TOO_LARGE, "invalid_proof")
