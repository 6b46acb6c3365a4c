"""Where the protocols and the wallet's pages meet: what is confirmed, what nothing answers, and signing in."""

import re

from comity.demo.play import Play
from tests.browser.conftest import NewVisitor
from tests.browser.test_wallet import at_wallet
from tests.browser.test_wallet_pages import look
from tests.unit.schemas.test_transactions import FEE, PAID


async def test_a_payment_is_confirmed_before_the_claims(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play, "fr", locale="fr-CA")
    await maya.collect()
    started = await play.counter.ask("age-alcohol", place="ca-on", transactions=[{"type": FEE, **PAID}])
    await maya.bring(started["link"])
    await maya.at.page.wait_for_url("**/requests/**")
    assert "Vous acceptez de payer 25,00" in await maya.at.page.locator(".confirmed").inner_text()
    await look(maya.at, "wallet-consent-transaction")
    await maya.at.press("Confirmer et communiquer")
    assert await maya.at.heading() == "Communiqué"
    assert (await play.counter.result(started))["verdict"] == "accepted"


async def test_a_verifier_hears_no_only_when_the_person_wants_that(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    started = await play.counter.ask("drivers-licence-valid", place="ca-on")
    await maya.bring(started["link"])
    await maya.at.page.wait_for_url("**/unanswered/**")
    await look(maya.at, "wallet-nothing-answers")
    await maya.at.press("Tell them")
    assert "They have been told no" in await maya.text()
    assert (await play.counter.result(started))["codes"] == ["wallet_refused"]
    await maya.go("/history")
    assert "Told that you cannot answer" in await maya.text()
    await maya.at.check()
