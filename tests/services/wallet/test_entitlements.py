"""What a verifier shows of its entitlement, and what the person is told (VP-5, P18, P21; decision record 0021)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comity import jose, keys
from comity.keys import KeySigner
from comity.trust import attestation
from tests.services.wallet.town import NOW, Ground, running

ONTARIO = KeySigner.generate()
AGES = [{"type": "person/1", "claims": ["age_over_18"], "purpose": "age-majority"}]
OTHERS = [
    {"type": f"{name}/1", "claims": ["age_over_18"], "purpose": "age-majority"}
    for name in ("drivers-licence", "identification-card")
]


def listed(signer: KeySigner = ONTARIO, jurisdiction: str = "ca-on") -> dict[str, Any]:
    return {"edit": "entitlement_signer", "jurisdiction": jurisdiction, "jwk": dict(signer.public_jwk)}


def entitlement(ground: Ground, *, signer: KeySigner = ONTARIO, **changes: Any) -> str:
    entry = ground.verifier_entry(may_ask=changes.pop("may_ask", AGES + OTHERS))
    terms: dict[str, Any] = {"jurisdiction": "ca-on", "at": NOW, "until": NOW + timedelta(days=90)}
    terms |= {name: changes.pop(name) for name in set(terms) & set(changes)}
    return attestation.sign({**entry, **changes}, signer, **terms)


async def who_asks(ground: Ground, data: str, *edits: dict[str, Any], is_listed: bool = True) -> dict[str, Any]:
    file = Path(ground.folder / "entitlement.jwt")
    file.write_text(f"{data}\n", "ascii")
    async with running(ground, verifier_entitlement_file=file) as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        if not is_listed:
            client = next(each for each in ground.verifier_entry()["client_ids"] if each.startswith("x509_hash"))
            edits = (*edits, {"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client})
        await town.apply(*edits)
        consent = await maya.consent((await town.ask())["link"])
        return {**consent["who"], "purposes": consent["purposes"]}


@pytest.mark.clause("VP-5")
@pytest.mark.good_twin("P18", "P21")
async def test_a_jurisdiction_speaks_for_a_verifier_that_no_registry_lists(ground: Ground) -> None:
    who = await who_asks(ground, entitlement(ground), listed(), is_listed=False)
    assert (who["known"], who["may_ask"], who["code"], who["purposes"]) == (True, "passed", "ok", ["age-majority"])
    assert who["name"] == {"en": "Corner store (DEMO)", "fr": "Dépanneur (DÉMO)"}
    assert who["entitlement"] == {"answer": "passed", "code": "ok", "jurisdiction": "ca-on"}


@pytest.mark.attack("P18", "P21")
async def test_one_that_asks_for_more_is_told(ground: Ground) -> None:
    """P18."""
    who = await who_asks(ground, entitlement(ground, may_ask=AGES), listed(), is_listed=False)
    assert (who["known"], who["may_ask"], who["code"]) == (True, "failed", "verifier_not_entitled")
    assert who["purposes"] == []


async def test_what_a_listed_verifier_shows_must_hold_as_well(ground: Ground) -> None:
    who = await who_asks(ground, entitlement(ground, may_ask=AGES), listed())
    assert (who["known"], who["may_ask"], who["code"]) == (True, "failed", "verifier_not_entitled")


async def test_a_listed_verifier_with_a_good_one(ground: Ground) -> None:
    who = await who_asks(ground, entitlement(ground), listed())
    assert (who["known"], who["may_ask"], who["entitlement"]["answer"]) == (True, "passed", "passed")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signer": KeySigner.generate()}, "entitlement_signer_unknown"),
        ({"jurisdiction": "ca-bc"}, "entitlement_signer_unknown"),  # trust on iss, the key of somebody else
        ({"client_ids": ["x509_san_dns:another.example"]}, "entitlement_invalid"),
        ({"at": NOW - timedelta(days=9), "until": NOW - timedelta(days=1)}, "entitlement_expired"),
        ({"at": NOW + timedelta(days=1), "until": NOW + timedelta(days=9)}, "entitlement_expired"),
    ],
)
@pytest.mark.clause("VP-5")
@pytest.mark.attack("P21")
async def test_one_that_does_not_hold_proves_nothing(ground: Ground, change: dict[str, Any], code: str) -> None:
    """The good twin is the first test of this file."""
    who = await who_asks(ground, entitlement(ground, **change), listed(), is_listed=False)
    assert (who["name"], who["known"], who["may_ask"], who["code"]) == (None, False, "unknown", code)
    assert who["purposes"] == []
    assert who["entitlement"] == {"answer": "failed", "code": code, "jurisdiction": None}


async def test_one_that_was_changed_proves_nothing(ground: Ground) -> None:
    head, _, signature = entitlement(ground).split(".")
    other = entitlement(ground, may_ask=AGES).split(".")[1]
    who = await who_asks(ground, f"{head}.{other}.{signature}", listed(), is_listed=False)
    assert (who["known"], who["code"]) == (False, "entitlement_invalid")


async def test_another_kind_of_token_is_none(ground: Ground) -> None:
    claims = jose.payload_object(jose.parse(entitlement(ground)))
    header = {"typ": "JWT", "kid": keys.thumbprint(ONTARIO.public_jwk)}
    who = await who_asks(ground, jose.sign(header, claims, ONTARIO), listed(), is_listed=False)
    assert (who["known"], who["code"]) == (False, "entitlement_invalid")


async def test_a_key_that_was_taken_off_counts_no_more(ground: Ground) -> None:
    gone = {"edit": "remove_entitlement_signer", "jurisdiction": "ca-on"}
    edits = [listed(), {**gone, "thumbprint": keys.thumbprint(ONTARIO.public_jwk)}]
    who = await who_asks(ground, entitlement(ground), *edits, is_listed=False)
    assert (who["known"], who["code"]) == (False, "entitlement_signer_unknown")
