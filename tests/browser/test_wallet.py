"""The citizen's wallet by hand-like steps."""

import asyncio
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from comity.demo import cast
from comity.demo.play import Play
from tests.browser import chromium
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import arrive
from tests.browser.wallets import PASSPHRASE, Citizen, person_offer
from tests.support.waiting import until


async def at_wallet(visitor: NewVisitor, play: Play, language: str = "en", **how: object) -> Citizen:
    """Return somebody who has just created a wallet."""
    person = Citizen(at=await visitor(**how), url=play.stage.urls["wallet"], play=play, language=language)
    await person.settle()
    return person


async def test_a_life_of_a_card(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    offered = await person_offer(play)
    await maya.bring(offered.link)
    assert "The trust registry knows this issuer." in await maya.text()
    await maya.at.type("Transaction code", "0000" if offered.transaction_code != "0000" else "1111")
    await maya.at.press("Add to my wallet")
    assert "Wrong code. 4 tries left." in await maya.text()
    assert "Wrong code. 4 tries left." in str(await maya.at.evaluate("document.activeElement.innerText"))
    await maya.at.type("Transaction code", str(offered.transaction_code))
    await maya.at.press("Add to my wallet")
    assert "The card is in your wallet" in await maya.text()
    started = await maya.asked()
    assert "Corner store (DEMO)" in await maya.text()
    leaving = await maya.at.page.locator(".claims-leaving").inner_text()
    assert "19 years" in leaving
    assert "1988" not in leaving, "a date of birth is not shared"
    await maya.at.press("Share this")
    assert await maya.at.heading() == "Shared"
    assert (await play.counter.result(started))["verdict"] == "accepted"
    await maya.at.press("See my history")
    history = await maya.text()
    assert "Corner store (DEMO)" in history
    assert "19 years of age or older" in history
    await maya.go("/")
    await maya.at.press("Person")
    assert "Corner store (DEMO)" in await maya.text()
    await maya.at.press("Delete this card")
    await maya.at.press("Delete the card")
    assert "No card yet" in await maya.text()
    maya.at.check_quiet()


async def test_everything_by_keyboard_in_french(visitor: NewVisitor, play: Play) -> None:
    elise = Citizen(
        at=await visitor(locale="fr-CA"), url=play.stage.urls["wallet"], play=play, language="fr", name="clavier"
    )
    keyboard = elise.at.page.keyboard
    await elise.at.go(elise.url)
    await elise.at.walk_to("Créer mon portefeuille")
    await keyboard.press("Enter")
    for label, typed in (("Nom du compte", f"clavier {id(elise)}"), ("Phrase secrète", PASSPHRASE)):
        await elise.at.walk_to(label)
        await keyboard.type(typed)
    await keyboard.press("Enter")
    await elise.at.walk_to("C’est noté")
    await keyboard.press("Enter")
    offered = await person_offer(play)
    await elise.at.walk_to("Ajouter ou présenter")
    await keyboard.press("Enter")
    await elise.at.walk_to("Collez un lien")
    await keyboard.type(offered.link)
    await keyboard.press("Enter")
    await elise.at.walk_to("Code de transaction")
    await keyboard.type(str(offered.transaction_code))
    await keyboard.press("Enter")
    await elise.at.page.wait_for_url("**/cards/**")
    started = await play.counter.ask("age-alcohol", place="ca-on")
    await elise.at.walk_to("Ajouter ou présenter")
    await keyboard.press("Enter")
    await elise.at.walk_to("Collez un lien")
    await keyboard.type(started["link"])
    await elise.at.walk_to("Continuer")
    await keyboard.press("Enter")
    await elise.at.walk_to("Communiquer")
    await keyboard.press("Enter")
    await elise.at.page.wait_for_url("**/done")
    assert await elise.at.heading() == "Communiqué"
    assert (await play.counter.result(started))["verdict"] == "accepted"
    elise.at.check_quiet()


async def test_without_scripts_everything_but_camera_and_passkey_works(visitor: NewVisitor, play: Play) -> None:
    arjun = await at_wallet(visitor, play, "fr", scripts=False, locale="fr-CA")
    await arjun.collect()
    await arjun.asked()
    await arjun.at.press("Communiquer")
    assert await arjun.at.heading() == "Communiqué"


async def test_a_picture_of_a_code_and_a_link_come_through_the_same_door(
    visitor: NewVisitor, play: Play, tmp_path: Path
) -> None:
    maya = await at_wallet(visitor, play)
    offered = await person_offer(play)
    picture = tmp_path / "code.png"
    picture.write_bytes(offered.qr)
    await maya.go("/door")
    await maya.at.page.get_by_label("Or choose a picture or PDF with a code").set_input_files(picture)
    await maya.at.press("Read the file")
    assert await maya.at.heading() == "A card is offered to you"
    await maya.at.press("Decline")
    assert "No card yet" in await maya.text()
    await maya.at.go(f"{maya.url}/open?{offered.link.partition('?')[2]}")
    assert await maya.at.heading() == "You are offered a card"
    await maya.at.press("Continue", exact=True)
    assert await maya.at.heading() == "A card is offered to you"
    maya.at.check_quiet()


async def test_the_camera_reads_a_tilted_and_blurred_code(
    visitor: NewVisitor, play: Play, axe_source: str, tmp_path: Path, browser: Browser
) -> None:
    offered = await person_offer(play)
    film = tmp_path / "code.mjpeg"
    film.write_bytes(await asyncio.to_thread(chromium.filmed, offered.qr))
    async with async_playwright() as playwright:
        other = await playwright.chromium.launch(
            executable_path=chromium.find(playwright),
            args=[*chromium.ARGUMENTS, f"--use-file-for-fake-video-capture={film}"],
        )
        origins = frozenset(play.stage.urls.values())
        window = await arrive(other, origins, axe_source, permissions=["camera"])
        maya = Citizen(at=window, url=play.stage.urls["wallet"], play=play)
        await maya.settle()
        await maya.go("/door")
        await maya.at.press("Use the camera")
        await maya.at.page.wait_for_url("**/offers/**")
        assert await maya.at.heading() == "A card is offered to you"
        maya.at.check_quiet()
        await other.close()


async def test_a_forgotten_passphrase_is_replaced_by_the_recovery_code(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    await maya.collect()
    await maya.at.press("Lock")
    assert "Your wallet is locked" in await maya.text()
    await maya.at.press("I forgot my passphrase")
    await maya.at.type("Account name", maya.name)
    await maya.at.type("Recovery code", maya.recovery_code.lower())
    await maya.at.type("New passphrase", "other words of my own")
    await maya.at.press("Open my wallet")
    assert "Person" in await maya.text()
    await maya.go("/history")
    assert "Opened with the recovery code" in await maya.text()


async def test_a_backup_gives_a_deleted_card_back(visitor: NewVisitor, play: Play, tmp_path: Path) -> None:
    maya = await at_wallet(visitor, play)
    await maya.collect()
    await maya.go("/settings/backup")
    await maya.at.type("Passphrase of the backup", "words of the backup")
    async with maya.at.page.expect_download() as download:
        await maya.at.press("Save the file")
    saved = tmp_path / "backup.json"
    await (await download.value).save_as(saved)
    await maya.go("/")
    await maya.at.press("Person")
    await maya.at.press("Delete this card")
    await maya.at.press("Delete the card")
    await maya.go("/settings/restore")
    await maya.at.page.get_by_label("Backup file").set_input_files(saved)
    await maya.at.type("Passphrase of the backup", "not the words")
    await maya.at.press("Restore", exact=True)
    assert "This passphrase does not open the file" in await maya.text()
    await maya.at.page.get_by_label("Backup file").set_input_files(saved)
    await maya.at.type("Passphrase of the backup", "words of the backup")
    await maya.at.press("Restore", exact=True)
    await maya.at.press("See my cards")
    assert "Person" in await maya.text()


async def test_a_revoked_card_says_so_in_plain_words(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play, "fr")
    licence = cast.drivers_licence(cast.ELISE, 38, "78")  # of an authority where one person may revoke
    offered = await maya.collect(await play.desk.offer("ca-on/services", "drivers-licence/1", licence))
    (issued,) = await play.desk.issued(offered.offer_id)
    await play.desk.change(issued["id"], "revoke", "lost")

    async def is_told() -> bool:
        await maya.go("/")
        await maya.at.press("Vérifier la validité")
        return "L’émetteur a révoqué votre attestation" in await maya.text()

    await until(is_told, "the revocation, once the list is published", every_seconds=0.5)
    await maya.at.press("J’ai pris connaissance")
    assert await maya.at.page.locator(".badge-bad").count() == 1


async def test_a_request_that_nothing_answers_names_what_is_missing(visitor: NewVisitor, play: Play) -> None:
    maya = await at_wallet(visitor, play)
    started = await play.counter.ask("drivers-licence-valid", place="ca-on")
    await maya.bring(started["link"])
    assert await maya.at.heading() == "You do not have what is asked for"
    assert "Driver’s licence" in await maya.text()
    await maya.go("/")
    await maya.collect()
    await maya.asked()
    await maya.at.press("Decline")
    assert await maya.at.heading() == "Declined"
