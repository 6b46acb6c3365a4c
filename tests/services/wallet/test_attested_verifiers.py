"""A verifier that somebody attests (OpenID4VP 1.0 §5.9.3, §12): our verifier, our wallet, and the registry between."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Code, Unreachable
from comity.keys import KeySigner
from comity.openid.presentation import verifier_attestation
from comity.trust import attestation as entitlements
from comity.web import i18n
from tests.services.wallet.town import NOW, VERIFIER, Ground, Person, Town, running
from verifier.identity import REQUEST
from verifier.keyring import keys_of
from wallet import attesters
from wallet.pages import consent_words

ATTESTER, ONTARIO = KeySigner.generate(), KeySigner.generate()
ISSUER, SUBJECT = "https://chamber.example", "corner-store.example"
CLIENT = f"verifier_attestation:{SUBJECT}"
NAME = {"en": "Corner store (DEMO)", "fr": "Dépanneur (DÉMO)"}
CHAMBER = {"en": "Chamber (DEMO)", "fr": "Chambre (DÉMO)"}


def listed(jurisdiction: str = "ca-on") -> dict[str, Any]:
    named = {"edit": "verifier_attester", "jurisdiction": jurisdiction, "iss": ISSUER, "name": CHAMBER}
    return {**named, "keys": [dict(ATTESTER.public_jwk)]}


def attested(ground: Ground, **changes: Any) -> dict[str, Any]:
    """Settings of a verifier that was attested."""
    own = keys_of(ground.verifier_settings()).signer(REQUEST)
    terms: dict[str, Any] = {"issuer": ISSUER, "subject": SUBJECT, "at": NOW, "until": NOW + timedelta(days=90)}
    terms |= {"jwk": own.public_jwk, "name": NAME, **changes}
    file = Path(ground.folder / "attestation.jwt")
    file.write_text(f"{verifier_attestation.sign(terms.pop('signer', ATTESTER), **terms)}\n", "ascii")
    return {"verifier_client_id_prefix": "verifier_attestation", "verifier_attestation_file": file}


async def holding(town: Town) -> Person:
    maya = await town.arrive()
    await maya.receive(await town.offer())
    return maya


async def refused(town: Town, maya: Person, code: str, status: int) -> None:
    answer = await maya.post("presentations", request=(await town.ask())["link"])
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.clause("6-2-verifier_attestation")
async def test_an_attested_verifier_is_named_and_answered(ground: Ground) -> None:
    async with running(ground, **attested(ground)) as town:
        maya = await holding(town)
        await town.apply(listed())
        started = await town.ask()
        consent = await maya.consent(started["link"])
        who = consent["who"]
        assert (who["client_id"], who["known"], who["name"], who["attested_by"]) == (CLIENT, True, NAME, CHAMBER)
        assert (who["may_ask"], who["code"], consent["purposes"]) == ("failed", "verifier_not_entitled", [])
        assert (await maya.agree(consent)).status_code == 200
        result = (await town.result(started))["result"]
        assert result["verdict"] == "accepted", result


@pytest.mark.clause("6-2-verifier_attestation")
async def test_nobody_answers_one_whose_attester_is_not_listed(ground: Ground) -> None:
    async with running(ground, **attested(ground)) as town:
        maya = await holding(town)
        await refused(town, maya, "verifier_attester_unknown", 403)
        await town.apply(listed(), {"edit": "end_member", "id": "ca-on", "until": "2026-11-22"})
        await refused(town, maya, "verifier_attester_unknown", 403)  # a jurisdiction that left lists nobody
        await town.apply({"edit": "remove_verifier_attester", "jurisdiction": "ca-on", "iss": ISSUER})
        await town.apply(listed("ca-bc"))  # the good twin
        assert (await maya.consent((await town.ask())["link"]))["who"]["known"] is True


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signer": KeySigner.generate()}, "signature_invalid"),
        ({"at": NOW - timedelta(days=9), "until": NOW - timedelta(days=1)}, "verifier_attestation_expired"),
    ],
)
@pytest.mark.clause("6-2-verifier_attestation")
async def test_one_that_does_not_hold_is_refused(ground: Ground, change: dict[str, Any], code: str) -> None:
    """The good twin is the first test of this file."""
    async with running(ground, **attested(ground, **change)) as town:
        maya = await holding(town)
        await town.apply(listed())
        await refused(town, maya, code, 400)
        assert not [each for each in town.net.asked if each.url.startswith(f"{VERIFIER}/openid/responses")]


async def test_what_the_registry_said_of_an_attester_ends(ground: Ground) -> None:
    """Unknown is never yes."""
    async with running(ground, **attested(ground)) as town:
        await town.apply(listed())
        snapshot = town.wallet.registry.snapshot()
        assert attesters.find(snapshot, ISSUER, at=NOW).name == CHAMBER
        with pytest.raises(Unreachable) as caught:
            attesters.find(snapshot, ISSUER, at=snapshot.expires_at)
        assert caught.value.code is Code.REGISTRY_EXPIRED


async def test_an_entitlement_speaks_for_an_attested_verifier(ground: Ground) -> None:
    entry = {**ground.verifier_entry(), "client_ids": [CLIENT]}
    file = Path(ground.folder / "entitlement.jwt")
    until = NOW + timedelta(days=90)
    file.write_text(entitlements.sign(entry, ONTARIO, jurisdiction="ca-on", at=NOW, until=until), "ascii")
    async with running(ground, **attested(ground), verifier_entitlement_file=file) as town:
        maya = await holding(town)
        signer = {"edit": "entitlement_signer", "jurisdiction": "ca-on", "jwk": dict(ONTARIO.public_jwk)}
        await town.apply(listed(), signer)
        consent = await maya.consent((await town.ask())["link"])
        assert (consent["who"]["may_ask"], consent["who"]["code"]) == ("passed", "ok")
        assert "age-majority" in consent["purposes"]


async def test_a_listed_name_counts_only_with_the_listed_key(ground: Ground) -> None:
    async with running(ground, **attested(ground)) as town:
        maya = await holding(town)
        entry = ground.verifier_entry(client_ids=[CLIENT])
        thief = {**entry, "key_thumbprints": [KeySigner.generate().thumbprint]}
        await town.apply(listed(), {"edit": "verifier", "jurisdiction": "ca-bc", "verifier": thief})
        await refused(town, maya, "certificate_untrusted", 400)
        await town.apply({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": entry})
        who = (await maya.consent((await town.ask())["link"]))["who"]
        assert (who["known"], who["may_ask"], who["attested_by"]) == (True, "passed", None)


async def test_the_page_says_who_attests(ground: Ground) -> None:
    async with running(ground, **attested(ground)) as town:
        maya = await holding(town)
        await town.apply(listed())
        who = (await maya.consent((await town.ask())["link"]))["who"]
        for language in i18n.LANGUAGES:
            first = consent_words.facts(who, None, language)[0]
            assert first["kind"] == "good"
            assert CHAMBER[language] in first["words"]
        assert (
            consent_words.facts({**who, "attested_by": None}, None, "en")[0]["words"] == "Listed in the trust registry"
        )
