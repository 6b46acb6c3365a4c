"""The examples of the two specifications (1.0), read in place, as far as they are in scope."""

from pathlib import Path
from typing import Any

import pytest

from comity import dcql, strict_json
from comity.errors import Code
from comity.openid.issuance import configuration, credential_response, display
from comity.openid.issuance.credential_request import CredentialRequest
from comity.openid.issuance.credential_response import Issued
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.issuance.offer import CredentialOffer
from comity.openid.members import Members
from comity.openid.presentation.client_metadata import ClientMetadata
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from tests.support import vectors

REFUSE = Refusal(code=Code.METADATA_INVALID)


def read(folder: str, name: str) -> bytes:
    return (vectors.vectors_folder(folder) / "1.0" / "examples" / name).read_bytes()


def body(data: bytes) -> bytes:
    """The body of an example printed as an HTTP message, whose long strings are folded for the page."""
    return b"".join(line.strip() for line in data[data.index(b"{") :].splitlines())


@pytest.mark.parametrize(
    ("name", "asks_for_code", "count"),
    [
        ("credential_offer_by_reference.json", True, 1),
        ("credential_offer_multiple_credentials.json", True, 2),
        ("credential_offer_pre-authz_code.json", True, 1),
        ("credential_offer_authz_code.txt", None, 1),
    ],
)
def test_offers(name: str, asks_for_code: bool | None, count: int) -> None:
    data = read("openid4vci", name)
    offer = CredentialOffer.parse(body(data) if name.endswith(".txt") else data)
    assert offer.credential_issuer == "https://credential-issuer.example.com"
    assert len(offer.configuration_ids) == count
    if asks_for_code is None:
        assert offer.pre_authorized is None
        assert offer.authorization_code is not None
        assert offer.authorization_code.issuer_state
    else:
        assert offer.pre_authorized is not None
        assert (offer.pre_authorized.transaction_code is not None) is asks_for_code
    vectors.count("openid4vci", 1)


def test_issuer_metadata() -> None:
    issuer = "https://credential-issuer.example.com"
    metadata = IssuerMetadata.parse(
        read("openid4vci", "credential_issuer_metadata_sd_jwt_long.json"), credential_issuer=issuer
    )
    entry = metadata.configurations["SD_JWT_VC_example_in_OpenID4VCI"]
    assert metadata.authorization_server() == "https://server.example.com"
    assert metadata.batch_size == 10
    assert metadata.encryption_required
    assert entry.key_attestation is not None
    assert entry.proof_algorithms == ("ES256",)
    german = [label.name for label in entry.claims[0].display if label.locale == "de-DE"]
    assert german == ["Vorname"]
    assert display.in_language(metadata.display, "fr") == metadata.display[1]
    vectors.count("openid4vci", 1)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("credential_metadata_sd_jwt_vc.json", True),
        ("credential_metadata_ldp_vc.json", False),
        ("credential_metadata_jwt_vc_json.json", False),
        ("credential_metadata_mso_mdoc.json", False),
    ],
)
def test_configurations(name: str, known: bool) -> None:
    data = strict_json.parse_object(read("openid4vci", name))
    for identifier, value in data["credential_configurations_supported"].items():
        members = Members(value, "configuration", REFUSE)
        assert (configuration.parse(identifier, members) is not None) is known
        # Display and claims of every format follow the same rules.
        shown = members.members("credential_metadata")
        assert display.parse(shown, name_required=True)
        assert len(display.parse_claims(shown)) == len(shown.value["claims"])
    vectors.count("openid4vci", 1)


@pytest.mark.parametrize(
    "name",
    ["credential_response_sd_jwt_vc.txt", "credential_response_jwt_vc_json.txt", "credential_response_mso_mdoc.txt"],
)
def test_credential_responses(name: str) -> None:
    found = credential_response.parse(body(read("openid4vci", name)), proofs_sent=1)
    assert isinstance(found, Issued)
    assert len(found.credentials) == 1
    vectors.count("openid4vci", 1)


def test_a_credential_that_is_an_object_is_not_ours() -> None:
    with pytest.raises(OAuthError, match="credential must be a non-empty string"):
        credential_response.parse(body(read("openid4vci", "credential_response_ldp_vc.txt")), proofs_sent=1)
    vectors.count("openid4vci", 1)


def test_a_credential_request_of_a_draft() -> None:
    # The example still shows format and doctype, which 1.0 replaced by credential_configuration_id.
    with pytest.raises(OAuthError) as caught:
        CredentialRequest.parse(read("openid4vci", "credential_request_iso_mdl.json"))
    assert caught.value.error is OAuthErrorCode.INVALID_CREDENTIAL_REQUEST
    vectors.count("openid4vci", 1)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("sd_jwt_vc_verifier_metadata.json", True),
        ("w3c_jwt_verifier_metadata.json", False),
        ("w3c_ldp_verifier_metadata.json", False),
        ("mso_mdoc_verifier_metadata.json", False),
    ],
)
def test_client_metadata(name: str, known: bool) -> None:
    data = strict_json.parse_object(read("openid4vp", f"client_metadata/{name}"))
    metadata = ClientMetadata.parse(Members(data, "client_metadata", REFUSE))
    if known:
        metadata.require_known_format()
    else:
        with pytest.raises(OAuthError) as caught:
            metadata.require_known_format()
        assert caught.value.error is OAuthErrorCode.VP_FORMATS_NOT_SUPPORTED
    vectors.count("openid4vp", 1)


def queries() -> list[Path]:
    folder = vectors.folder() / "openid4vp" / "1.0" / "examples"
    return sorted([*folder.glob("query_lang/*.json"), *folder.glob("request/dcql_*.json")])


@pytest.mark.parametrize("path", queries() or [Path("absent")], ids=lambda path: path.stem)
def test_queries_inside_requests(path: Path) -> None:
    vectors.vectors_folder("openid4vp")
    value: dict[str, Any] = strict_json.parse_object(path.read_bytes())
    parsed = dcql.parse(value)
    assert {wanted.id for wanted in parsed.credentials} == {entry["id"] for entry in value["credentials"]}
    vectors.count("openid4vp", 1)
