"""From a DID URL to a key: each numbered step of the retrieval has a document that breaks only it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import did
from comity.did import multibase
from comity.errors import Code, Malformed
from comity.keys import KeySigner

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DID = "did:web:issuer.example:ca-on"
URL = f"{DID}#key-1"
SIGNER, OTHER = KeySigner.generate(), KeySigner.generate("EdDSA")


def method(**changes: Any) -> dict[str, Any]:
    members = {"id": URL, "type": "JsonWebKey", "controller": DID, "publicKeyJwk": dict(SIGNER.public_jwk)}
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}


def members(**changes: Any) -> dict[str, Any]:
    standing = {"id": DID, "verificationMethod": [method()], "assertionMethod": [URL]}
    return {name: value for name, value in {**standing, **changes}.items() if value is not ...}


def document(**changes: Any) -> did.DidDocument:
    return did.document(DID, json.dumps(members(**changes)).encode())


def key(
    found: did.DidDocument, url: str = URL, relationships: tuple[str, ...] = ("assertionMethod",), at: datetime = NOW
) -> did.VerificationKey:
    return did.verification_key(found, url, relationships=relationships, at=at)


def refusal(found: did.DidDocument, **options: Any) -> Code:
    with pytest.raises(Malformed) as raised:
        key(found, **options)
    return raised.value.code


def malformed(body: bytes) -> Code:
    with pytest.raises(Malformed) as raised:
        did.document(DID, body)
    return raised.value.code


# --- the good way


@pytest.mark.clause("7-1")
@pytest.mark.good_twin("R07")
def test_what_we_publish_we_resolve() -> None:
    published = did.web_document(DID, {"key-1": SIGNER.public_jwk, "key-2": OTHER.public_jwk}, ["assertionMethod"])
    found = did.document(DID, json.dumps(published).encode())
    assert key(found).jwk == SIGNER.public_jwk
    assert key(found, f"{DID}#key-2").jwk == OTHER.public_jwk


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "JsonWebKey"},
        {"type": "JsonWebKey2020"},
        {"publicKeyJwk": {**SIGNER.public_jwk, "kid": "x", "alg": "ES256", "use": "sig"}},
        {"type": "Multikey", "publicKeyJwk": ..., "publicKeyMultibase": multibase.encode_key(SIGNER.public_jwk)},
    ],
)
def test_every_form_of_a_key_becomes_the_same_jwk(changes: dict[str, Any]) -> None:
    assert key(document(verificationMethod=[method(**changes)])).jwk == SIGNER.public_jwk


def test_a_method_may_stand_inside_its_relationship() -> None:
    found = document(verificationMethod=..., assertionMethod=[method()])
    assert key(found).jwk == SIGNER.public_jwk
    assert refusal(found, relationships=("authentication",)) is Code.KEY_RELATIONSHIP_MISSING


def test_any_of_several_relationships_is_enough() -> None:
    assert key(document(), relationships=("authentication", "assertionMethod")).jwk == SIGNER.public_jwk


def test_unknown_members_and_foreign_methods_do_no_harm() -> None:
    foreign = {"id": "did:web:other.example#k", "type": "Unknown", "controller": "did:web:other.example"}
    found = document(verificationMethod=[method(), foreign], service=[{"id": "#s"}], alsoKnownAs=7)
    assert key(found).jwk == SIGNER.public_jwk


# --- the document


@pytest.mark.parametrize(
    "identifier",
    ["did:web:issuer.example", "did:web:other.example", f"{DID}/", URL, DID.upper(), "", None, 1, [DID], ...],
)
@pytest.mark.attack("R07")
def test_a_document_about_another_did_is_refused(identifier: Any) -> None:
    with pytest.raises(Malformed) as raised:
        document(id=identifier)
    assert raised.value.code is Code.DID_DOCUMENT_MISMATCH


def test_the_did_may_be_asked_for_by_a_did_url() -> None:
    assert did.document(URL, json.dumps(members()).encode()).id == DID


@pytest.mark.parametrize("value", [{}, "x", None, 1, [None], [1], [[]], [{}], [method(id=None)], [method(type=...)]])
@pytest.mark.parametrize("name", ["verificationMethod", "assertionMethod", "keyAgreement"])
def test_a_document_that_does_not_conform_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Malformed) as raised:
        document(**{name: value})
    assert raised.value.code is Code.MALFORMED_DID


@pytest.mark.parametrize("changes", [{"controller": ...}, {"controller": [DID]}, {"id": 1}, {"type": ["JsonWebKey"]}])
def test_a_method_that_does_not_conform_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as raised:
        document(verificationMethod=[method(**changes)])
    assert raised.value.code is Code.MALFORMED_DID


@pytest.mark.attack("J14")
def test_two_methods_of_one_id_are_refused() -> None:
    for changes in ({"verificationMethod": [method(), method()]}, {"authentication": [method()]}):
        with pytest.raises(Malformed) as raised:
            document(**changes)
        assert raised.value.code is Code.MALFORMED_DID


def test_the_bytes_are_strict_json() -> None:
    assert malformed(b'{"id":"a","id":"b"}') is Code.DUPLICATE_MEMBER
    assert malformed(b"[]") is Code.MALFORMED_JSON
    assert malformed(b"\xff") is Code.MALFORMED_JSON
    assert malformed(b" " * (1 << 21)) is Code.TOO_LARGE


# --- the retrieval, step by step


@pytest.mark.clause("7-1")
def test_the_key_is_named_by_a_url_with_a_fragment() -> None:
    assert refusal(document(), url=DID) is Code.MALFORMED_DID
    assert refusal(document(), url="#key-1") is Code.MALFORMED_DID


def test_the_document_is_that_of_the_url() -> None:
    assert refusal(document(), url="did:web:issuer.example#key-1") is Code.DID_DOCUMENT_MISMATCH
    assert refusal(document(), url="did:web:issuer.example:ca-on:x#key-1") is Code.DID_DOCUMENT_MISMATCH


@pytest.mark.parametrize(
    "identifier", ["#key-1", "key-1", f"{DID}#key-2", "did:web:other.example#key-1", f"{DID}/#key-1"]
)
def test_the_method_has_exactly_the_id_asked_for(identifier: str) -> None:
    found = document(verificationMethod=[method(id=identifier)], assertionMethod=[identifier])
    assert refusal(found) is Code.KEY_NOT_FOUND


def test_a_listed_method_of_another_document_is_not_followed() -> None:
    elsewhere = "did:web:other.example#key-1"
    found = document(assertionMethod=[URL, elsewhere])
    assert refusal(found, url=elsewhere) is Code.DID_DOCUMENT_MISMATCH


@pytest.mark.parametrize("controller", ["did:web:other.example", "did:web:issuer.example", ""])
def test_the_controller_is_the_document(controller: str) -> None:
    assert refusal(document(verificationMethod=[method(controller=controller)])) is Code.DID_DOCUMENT_MISMATCH


@pytest.mark.parametrize("name", ["authentication", "keyAgreement", "capabilityInvocation", "capabilityDelegation"])
@pytest.mark.clause("7-1")
@pytest.mark.attack("R08")
@pytest.mark.good_twin("R08")
def test_a_key_for_another_use_is_refused(name: str) -> None:
    found = document(assertionMethod=..., **{name: [URL]})
    assert refusal(found) is Code.KEY_RELATIONSHIP_MISSING
    assert key(found, relationships=(name,)).jwk == SIGNER.public_jwk


def test_a_method_in_no_relationship_is_for_nothing() -> None:
    assert refusal(document(assertionMethod=...)) is Code.KEY_RELATIONSHIP_MISSING
    assert refusal(document(assertionMethod=["#key-1"])) is Code.KEY_RELATIONSHIP_MISSING
    assert refusal(document(), relationships=()) is Code.KEY_RELATIONSHIP_MISSING


@pytest.mark.parametrize("name", ["revoked", "expires"])
@pytest.mark.clause("7-1")
def test_a_revoked_or_expired_key_is_refused_from_that_instant(name: str) -> None:
    found = document(verificationMethod=[method(**{name: "2026-11-23T12:00:00Z"})])
    assert key(found, at=NOW - timedelta(seconds=1)).jwk == SIGNER.public_jwk
    assert refusal(found, at=NOW) is Code.KEY_REVOKED
    assert refusal(found, at=NOW + timedelta(days=900)) is Code.KEY_REVOKED


def test_times_are_instants_not_texts() -> None:
    found = document(verificationMethod=[method(expires="2026-11-23T07:00:00.5-05:00")])
    assert key(found, at=NOW).jwk == SIGNER.public_jwk
    assert refusal(found, at=NOW + timedelta(seconds=1)) is Code.KEY_REVOKED
    assert refusal(found, at=(NOW + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-8)))) is Code.KEY_REVOKED


@pytest.mark.parametrize("name", ["revoked", "expires"])
@pytest.mark.parametrize(
    "value",
    ["never", "", None, 1, True, "2099-01-01", "2099-01-01T00:00:00", "2099-02-30T00:00:00Z", "2099-01-01T25:00:00Z",
     "2099-01-01 00:00:00Z", "20990101T000000Z", "٢٠٩٩-01-01T00:00:00Z", "2099-01-01T00:00:00+99:00"],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_refused(name: str, value: Any) -> None:
    assert refusal(document(verificationMethod=[method(**{name: value})])) is Code.MALFORMED_DID


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "Ed25519VerificationKey2020"}, Code.MALFORMED_KEY),
        ({"type": "Multikey"}, Code.MALFORMED_KEY),
        (
            {
                "type": "Ed25519VerificationKey2020",
                "publicKeyJwk": ...,
                "publicKeyMultibase": multibase.encode_key(OTHER.public_jwk),
            },
            Code.MALFORMED_KEY,
        ),
        ({"publicKeyJwk": ...}, Code.MALFORMED_KEY),
        ({"publicKeyJwk": "text"}, Code.MALFORMED_KEY),
        ({"publicKeyJwk": {"kty": "RSA"}}, Code.MALFORMED_KEY),
        ({"publicKeyJwk": SIGNER.private_jwk()}, Code.PRIVATE_KEY_EXPOSED),
        ({"publicKeyJwk": {**SIGNER.public_jwk, "use": "enc"}}, Code.MALFORMED_KEY),
        ({"publicKeyMultibase": multibase.encode_key(SIGNER.public_jwk)}, Code.MALFORMED_KEY),
        ({"type": "Multikey", "publicKeyMultibase": multibase.encode_key(SIGNER.public_jwk)}, Code.MALFORMED_KEY),
        ({"type": "Multikey", "publicKeyJwk": ..., "publicKeyMultibase": 7}, Code.MALFORMED_KEY),
        ({"type": "Multikey", "publicKeyJwk": ..., "publicKeyMultibase": "z6LS"}, Code.MALFORMED_KEY),
        ({"type": "JsonWebKey", "publicKeyJwk": ..., "publicKeyMultibase": "z6LS"}, Code.MALFORMED_KEY),
    ],
)
def test_a_method_without_one_usable_key(changes: dict[str, Any], code: Code) -> None:
    assert refusal(document(verificationMethod=[method(**changes)])) is code


json_values = st.recursive(
    st.none() | st.integers() | st.sampled_from([DID, URL, "JsonWebKey", "2026-11-23T12:00:00Z"]) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "controller", "publicKeyJwk", "revoked"]), inner, max_size=5)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["id", "verificationMethod", "assertionMethod"]), json_values).map(
        lambda changes: json.dumps({**members(), **changes}).encode()
    )
    | st.binary()
)
def test_any_document_gives_a_key_or_malformed(body: bytes) -> None:
    try:
        found = key(did.document(DID, body))
    except Malformed:
        return
    assert found.jwk == SIGNER.public_jwk
