"""Where the protocols and the wallet's pages meet: what is confirmed, what nothing answers, and signing in."""

from comity.demo import cast
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


async def test_a_card_by_signing_in_and_its_renewal(visitor: NewVisitor, play: Play) -> None:
    elise = await at_wallet(visitor, play, "fr", locale="fr-CA")
    offered = await play.desk.offer_by_sign_in(cast.SIGN_IN_AT, "person/1")
    await elise.bring(offered)
    await look(elise.at, "wallet-offer-sign-in")
    await elise.at.press("Se connecter auprès de")
    await elise.at.shoot("wallet-leaving")
    await elise.at.check()
    await elise.at.press("Aller se connecter")
    await elise.at.page.wait_for_url("**/sign-in/**")
    assert await elise.at.heading() == "Ouvrir une session"
    await elise.at.shoot("issuer-sign-in")
    await elise.at.check()
    await elise.at.press("Élise Gagné-O’Brien")
    await elise.at.page.wait_for_load_state()
    await elise.at.shoot("issuer-consent")
    await elise.at.check()
    await elise.at.page.locator("button[value=agree]").click()
    await elise.at.page.wait_for_url("**/fr/cards/**")
    assert "La carte est dans votre portefeuille" in await elise.text()
    await elise.at.press("Renouveler")
    await elise.at.page.wait_for_url("**?new=renewed")
    assert "La carte est renouvelée" in await elise.text()
    await look(elise.at, "wallet-card-renewed")
    await elise.go("/")
    assert await elise.at.page.locator(".cards .card").count() == 1


async def test_no_at_the_issuer_is_said_in_the_wallet_without_scripts_too(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play, scripts=False)
    await maya.bring(await play.desk.offer_by_sign_in(cast.SIGN_IN_AT, "person/1"))
    await maya.at.press("Sign in at")
    await maya.at.press("Go and sign in")
    await maya.at.page.locator("button[value=refuse]").click()
    assert await maya.at.heading() == "Back in your wallet"
    await maya.at.press("Go on")
    assert await maya.at.heading() == "No card was added"
    await maya.go("/")
    assert "No card yet" in await maya.text()
