"""Entitlements as a jurisdiction signs them, from its key in the registry to what a wallet reads (VP-5, TR-6)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from comity import jose, keys
from comity.commands.entitlement import entitlement
from comity.errors import Code, ComityError, Malformed, NotFound
from comity.keys import KeySigner
from comity.trust import attestation, authoring
from comity.trust.snapshot import RegistrySnapshot

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SIGNER = KeySigner.generate()
CLIENT = "x509_san_dns:shop.example"
ENTRY: dict[str, Any] = {
    "name": {"en": "Shop (DEMO)", "fr": "Magasin (DÉMO)"},
    "client_ids": [CLIENT, "x509_san_dns:shop2.example"],
    "key_thumbprints": ["A" * 43],
    "may_ask": [{"type": "person/1", "claims": ["age_over_18"], "purpose": "age-majority"}],
}
MEMBER = {
    "edit": "member",
    "id": "ca-on",
    "name": {"en": "Ontario", "fr": "Ontario"},
    "level": "province",
    "since": "2026-01-01",
}


def listing(jwk: Any) -> dict[str, Any]:
    return {"edit": "entitlement_signer", "jurisdiction": "ca-on", "jwk": jwk}


def registry(*edits: dict[str, Any]) -> RegistrySnapshot:
    documents: dict[str, Any] = {"federation.json": authoring.new_federation(name_en="DEMO", name_fr="DÉMO")}
    for edit in (MEMBER, *edits):
        documents |= authoring.apply(documents, edit)
    targets = {name: json.dumps(document).encode() for name, document in documents.items()}
    return RegistrySnapshot.from_targets(targets, fetched_at=AT, expires_at=AT + timedelta(days=1))


GOOD = registry(listing(dict(SIGNER.public_jwk)))


def signed(**changes: Any) -> str:
    terms: dict[str, Any] = {"jurisdiction": "ca-on", "at": AT, "until": AT + timedelta(days=30)}
    return attestation.sign(ENTRY, SIGNER, **{**terms, **changes})


def read(text: str, **changes: Any) -> attestation.Attestation:
    terms: dict[str, Any] = {"snapshot": GOOD, "client_id": CLIENT, "at": AT, **changes}
    return attestation.read(text, terms.pop("snapshot"), **terms)


def refused(text: str, code: Code, **changes: Any) -> None:
    with pytest.raises(Malformed) as caught:
        read(text, **changes)
    assert caught.value.code is code


def test_what_is_signed_is_what_is_read() -> None:
    found = read(signed())
    assert (found.jurisdiction, found.name, found.expires_at) == ("ca-on", ENTRY["name"], AT + timedelta(days=30))
    entry = found.entry_for(CLIENT)
    assert (entry.client_id, entry.anchor, entry.key_thumbprints) == (CLIENT, None, ())
    assert [each.purpose for each in entry.may_ask] == ["age-majority"]


@pytest.mark.parametrize("claim", ["name", "client_ids", "may_ask", "iat", "exp"])
@pytest.mark.parametrize("value", [None, 7.5, "text", []])
def test_a_member_of_another_shape(claim: str, value: Any) -> None:
    if (claim, value) == ("may_ask", []):
        return  # entitled to nothing is something
    claims = {**jose.payload_object(jose.parse(signed())), claim: value}
    header = {"typ": attestation.TYP, "kid": keys.thumbprint(SIGNER.public_jwk)}
    refused(jose.sign(header, claims, SIGNER), Code.ENTITLEMENT_INVALID)


@pytest.mark.parametrize("seconds", [10**18, -(10**18)])
def test_a_time_that_is_none(seconds: int) -> None:
    claims = {**jose.payload_object(jose.parse(signed())), "exp": seconds}
    header = {"typ": attestation.TYP, "kid": keys.thumbprint(SIGNER.public_jwk)}
    refused(jose.sign(header, claims, SIGNER), Code.ENTITLEMENT_INVALID)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (AT - timedelta(seconds=61), Code.ENTITLEMENT_EXPIRED),
        (AT - timedelta(seconds=60), None),
        (AT + timedelta(days=30, seconds=59), None),
        (AT + timedelta(days=30, seconds=60), Code.ENTITLEMENT_EXPIRED),
    ],
)
def test_its_time_to_the_second(moment: datetime, code: Code | None) -> None:
    """C03."""
    if code is None:
        assert read(signed(), at=moment).jurisdiction == "ca-on"
    else:
        refused(signed(), code, at=moment)


@pytest.mark.parametrize("exp", [int((AT + timedelta(days=4000)).timestamp()), 253_402_300_799])
def test_it_holds_for_no_longer_than_any_may(exp: int) -> None:
    with pytest.raises(Malformed):
        signed(until=AT + timedelta(days=401))
    with pytest.raises(Malformed):
        signed(until=AT)
    claims = {**jose.payload_object(jose.parse(signed())), "exp": exp}
    header = {"typ": attestation.TYP, "kid": keys.thumbprint(SIGNER.public_jwk)}
    refused(jose.sign(header, claims, SIGNER), Code.ENTITLEMENT_INVALID)


def test_for_nobody_else() -> None:
    refused(signed(), Code.ENTITLEMENT_INVALID, client_id="x509_san_dns:other.example")
    assert read(signed(), client_id="x509_san_dns:shop2.example").jurisdiction == "ca-on"


def test_a_key_counts_while_it_is_listed() -> None:
    thumbprint = keys.thumbprint(SIGNER.public_jwk)
    remove = {"edit": "remove_entitlement_signer", "jurisdiction": "ca-on", "thumbprint": thumbprint}
    without = registry(listing(dict(SIGNER.public_jwk)), remove)
    refused(signed(), Code.ENTITLEMENT_SIGNER_UNKNOWN, snapshot=without)
    with pytest.raises(NotFound):
        registry(remove)
    twice = registry(*[listing(dict(SIGNER.public_jwk))] * 2)
    assert len(twice.entitlement_signers("ca-on")) == 1
    assert twice.entitlement_signers("ca-bc") == ()


@pytest.mark.parametrize("jwk", [{"kty": "RSA"}, {}, {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}])
def test_a_key_that_is_none_is_not_listed(jwk: dict[str, Any]) -> None:
    with pytest.raises(ComityError):
        registry(listing(jwk))


def test_by_command(tmp_path: Path) -> None:
    """``comity entitlement key`` and ``sign``: the registry takes the one, a wallet reads the other."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(entitlement, [*arguments, "--keys", str(tmp_path / "keys")])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    (edit,) = json.loads(run("key", "ca-on"))["edits"]
    assert json.loads(run("key", "ca-on"))["edits"] == [edit]
    assert "d" not in edit["jwk"]
    file = tmp_path / "entry.json"
    file.write_text(json.dumps(ENTRY), "utf-8")
    text = run("sign", "ca-on", "--from", str(file), "--days", "10").strip()
    issued = datetime.fromtimestamp(jose.payload_object(jose.parse(text))["iat"], UTC)
    assert read(text, snapshot=registry(edit), at=issued).expires_at == issued + timedelta(days=10)
    for wrong in (("key", "atlantis"), ("sign", "ca-on", "--from", str(tmp_path / "nothing.json"))):
        with pytest.raises(Malformed):
            run(*wrong)
