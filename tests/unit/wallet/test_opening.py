"""What a query asks for, as the registry's entitlements speak of it: nothing that could leave is left out."""

from typing import Any

import pytest

from comity import dcql
from comity.credential import CredentialType
from wallet.opening import asked_claims

PERSON, FISHING = CredentialType(slug="person", version=1), CredentialType(slug="fishing-licence", version=1)
NAME = [{"path": ["family_name"]}]
ANY_W3C = dcql.W3C_CREDENTIAL_TYPE


def asked(*queries: dict[str, Any]) -> dict[CredentialType | None, set[str]]:
    filled = [{"id": f"q{n}", "format": "dc+sd-jwt", "claims": NAME, **each} for n, each in enumerate(queries)]
    return asked_claims(dcql.parse({"credentials": filled}))


def vct(*names: str) -> dict[str, Any]:
    return {"meta": {"vct_values": list(names)}}


def w3c(*types: list[str], **more: Any) -> dict[str, Any]:
    return {"format": "vc+jwt", "meta": {"type_values": list(types)}, **more}


def test_claims_stand_under_the_types_that_are_named() -> None:
    assert asked(vct(PERSON.vct), vct(PERSON.vct, FISHING.vct)) == {
        PERSON: {"family_name"},
        FISHING: {"family_name"},
    }


@pytest.mark.parametrize(
    "query",
    [
        {"meta": {}},
        {"meta": {}, "format": "vc+jwt", "claims": [{"path": ["credentialSubject", "family_name"]}]},
        vct("https://elsewhere.example/identity"),
        w3c([ANY_W3C], claims=[{"path": ["credentialSubject", "family_name"]}]),
    ],
)
def test_what_names_no_type_of_the_federation_is_asked_of_none_in_particular(query: dict[str, Any]) -> None:
    """An empty ``meta`` constrains nothing (annex B): every credential answers, so no entitlement can cover it."""
    assert asked(query, vct(PERSON.vct)) == {None: {"family_name"}, PERSON: {"family_name"}}


def test_one_type_that_is_not_ours_beside_one_that_is() -> None:
    assert asked(vct(PERSON.vct, "https://elsewhere.example/identity")) == {
        PERSON: {"family_name"},
        None: {"family_name"},
    }


def test_the_base_type_beside_one_of_ours_adds_nothing() -> None:
    types = [ANY_W3C, f"{PERSON.vct}#{PERSON.w3c_type}"]
    query = w3c(types, claims=[{"path": ["credentialSubject", "family_name"]}])
    assert asked(query) == {PERSON: {"family_name"}}


@pytest.mark.parametrize(
    ("query", "claim"),
    [
        ({**vct(FISHING.vct), "claims": [{"path": ["species", None]}]}, "species"),
        ({**vct(FISHING.vct), "claims": [{"path": ["holder", "age_over_18"]}]}, "holder"),
        (w3c([FISHING.vct], claims=[{"path": ["credentialSubject", "species", 0]}]), "species"),
        (w3c([FISHING.vct], claims=[{"path": ["credentialSubject"]}]), "credentialSubject"),
        (w3c([FISHING.vct], claims=[{"path": ["issuer", "name"]}]), "issuer"),
    ],
)
def test_a_claim_is_named_by_what_leaves_for_it(query: dict[str, Any], claim: str) -> None:
    """What is inside a claim cannot be disclosed without it, so the outer name is what must be covered."""
    assert asked(query) == {FISHING: {claim}}


def test_what_no_wallet_of_ours_holds_is_asked_for_in_vain() -> None:
    mdoc = {"format": "mso_mdoc", "meta": {"doctype_value": "org.example.1"}, "claims": [{"path": ["a", "b"]}]}
    assert asked(mdoc, vct(PERSON.vct)) == {PERSON: {"family_name"}}
    assert asked(mdoc) == {None: set()}
