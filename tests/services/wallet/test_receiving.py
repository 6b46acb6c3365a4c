"""Receiving from a real issuer: what is shown before, what is kept, what is refused, and what survives a crash."""

import pytest

from tests.services.wallet.town import ON, Person, Town


@pytest.mark.parametrize("credential_format", ["dc+sd-jwt", "vc+jwt"])
async def test_a_credential_is_received_and_shown(town: Town, maya: Person, credential_format: str) -> None:
    offer = await town.offer(formats=[credential_format])
    (received,) = await maya.receive(offer)
    assert received["result"]["verdict"] == "accepted"
    assert (received["format"], received["recognised"], received["state"]) == (credential_format, True, "ok")
    shown = await maya.get(f"credentials/{received['id']}")
    assert {each["claim"] for each in shown["claims"]} >= {"family_name", "birthdate"}
    assert shown["issuer_name"] == "ServiceOntario (DEMO)"


async def test_a_presentation_is_accepted(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    started = await town.ask()
    consent = await maya.consent(started["link"])
    answer = await maya.agree(consent)
    assert answer.status_code == 200, answer.text
    assert (await town.result(started))["result"]["verdict"] == "accepted"
    assert ON
