"""Who may attest verifiers: listed by a jurisdiction, under a name that nobody else has, with keys that can be used."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from comity import keys
from comity.commands.attestation import attestation
from comity.errors import Code, ComityError, Malformed, NotFound
from comity.keys import KeySigner
from comity.openid.presentation import verifier_attestation
from comity.trust import authoring
from comity.trust.snapshot import RegistrySnapshot

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ISSUER = "https://chamber.example"
NAME = {"en": "Chamber (DEMO)", "fr": "Chambre (DÉMO)"}
SIGNER = KeySigner.generate()


def listing(jurisdiction: str = "ca-on", **changes: Any) -> dict[str, Any]:
    edit = {"edit": "verifier_attester", "jurisdiction": jurisdiction, "iss": ISSUER, "name": NAME}
    return {**edit, "keys": [dict(SIGNER.public_jwk)], **changes}


def registry(*edits: dict[str, Any]) -> RegistrySnapshot:
    documents: dict[str, Any] = {"federation.json": authoring.new_federation(name_en="DEMO", name_fr="DÉMO")}
    names = {"en": "A", "fr": "A"}
    members = [
        {"edit": "member", "id": each, "name": names, "level": "province", "since": "2026-01-01"}
        for each in ("ca-on", "ca-bc")
    ]
    for edit in (*members, *edits):
        documents |= authoring.apply(documents, edit)
    targets = {name: json.dumps(document).encode() for name, document in documents.items()}
    return RegistrySnapshot.from_targets(targets, fetched_at=AT, expires_at=AT + timedelta(days=1))


@pytest.mark.clause("6-2-verifier_attestation")
def test_who_is_listed_is_found_by_its_exact_name() -> None:
    found = registry(listing()).find_attester(ISSUER)
    assert found is not None
    assert (found.name, found.jurisdiction, found.document) == (NAME, "ca-on", "ca-on/verifiers.json")
    assert [keys.thumbprint(each) for each in found.keys] == [SIGNER.thumbprint]
    for other in (f"{ISSUER}/", ISSUER.upper(), "", "chamber.example"):
        assert registry(listing()).find_attester(other) is None


def test_listing_again_replaces_and_removing_removes() -> None:
    other = KeySigner.generate()
    found = registry(listing(), listing(keys=[dict(other.public_jwk)])).find_attester(ISSUER)
    assert found is not None
    assert [keys.thumbprint(each) for each in found.keys] == [other.thumbprint]
    gone = {"edit": "remove_verifier_attester", "jurisdiction": "ca-on", "iss": ISSUER}
    assert registry(listing(), gone).find_attester(ISSUER) is None
    with pytest.raises(NotFound):
        registry(gone)


@pytest.mark.clause("6-2-verifier_attestation")
def test_a_name_that_two_jurisdictions_claim_is_nobodys() -> None:
    snapshot = registry(listing(), listing("ca-bc"))
    assert snapshot.find_attester(ISSUER) is None
    assert {each.document for each in snapshot.alerts} == {"ca-on/verifiers.json", "ca-bc/verifiers.json"}
    assert registry(listing(), listing("ca-bc", iss="https://other.example")).find_attester(ISSUER) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "AA"}]},
        {"keys": [dict(KeySigner.generate().public_jwk) for _ in range(9)]},
        {"iss": ""},
        {"iss": "a b"},
        {"name": {"en": "only"}},
        {"more": 1},
    ],
)
def test_nonsense_is_not_listed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        registry(listing(**change))


def test_a_document_with_a_key_that_is_none_is_left_out() -> None:
    documents = {"federation.json": authoring.new_federation(name_en="DEMO", name_fr="DÉMO")}
    name = {"en": "A", "fr": "A"}
    member = {"edit": "member", "id": "ca-on", "name": name, "level": "province", "since": "2026-01-01"}
    documents |= authoring.apply(documents, member)
    broken = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
    document = {"verifiers": [], "verifier_attesters": [{"iss": ISSUER, "name": NAME, "keys": [broken]}]}
    targets = {name: json.dumps(each).encode() for name, each in documents.items()}
    targets["ca-on/verifiers.json"] = json.dumps(document).encode()
    snapshot = RegistrySnapshot.from_targets(targets, fetched_at=AT, expires_at=AT + timedelta(days=1))
    assert snapshot.find_attester(ISSUER) is None
    assert snapshot.unreadable == {"ca-on/verifiers.json"}


# --- the commands


def test_from_the_key_to_the_attestation(tmp_path: Path) -> None:
    folder, run = tmp_path / "keys", CliRunner()
    names = ["--name-en", "Chamber (DEMO)", "--name-fr", "Chambre (DÉMO)"]
    told = run.invoke(attestation, ["key", ISSUER, "--keys", str(folder), "--jurisdiction", "ca-on", *names])
    assert told.exit_code == 0, told.output
    (edit,) = json.loads(told.output)["edits"]
    found = registry(edit).find_attester(ISSUER)
    assert found is not None
    verifier = KeySigner.generate()
    (tmp_path / "verifier.json").write_text(json.dumps(dict(verifier.public_jwk)), "utf-8")
    arguments = ["sign", ISSUER, "shop.example", "--keys", str(folder), "--key", str(tmp_path / "verifier.json")]
    more = ["--redirect-uri", "https://shop.example/a", "--redirect-uri", "https://shop.example/b"]
    signed = run.invoke(attestation, [*arguments, *more, "--name-en", "Shop", "--name-fr", "Magasin"])
    assert signed.exit_code == 0, signed.output
    shown = verifier_attestation.read(signed.output.strip())
    says = verifier_attestation.verify(
        shown, found.keys, subject="shop.example", at=verifier_attestation.own(shown.jws.encoded).expires_at
    )
    assert keys.thumbprint(says.jwk) == verifier.thumbprint
    assert says.redirect_uris == ("https://shop.example/a", "https://shop.example/b")
    assert says.name == {"en": "Shop", "fr": "Magasin"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["key", ISSUER, "--jurisdiction", "ca-xx", "--name-en", "a", "--name-fr", "b"], Code.PLACE_UNKNOWN),
        (["sign", ISSUER, "shop example", "--key", "absent.json"], Code.REQUEST_INVALID),
        (["sign", ISSUER, "shop.example", "--key", "absent.json"], Code.MALFORMED),
    ],
)
def test_what_cannot_be_attested_is_said(tmp_path: Path, arguments: list[str], code: Code) -> None:
    result = CliRunner().invoke(attestation, [*arguments, "--keys", str(tmp_path)])
    assert isinstance(result.exception, ComityError)
    assert result.exception.code is code
