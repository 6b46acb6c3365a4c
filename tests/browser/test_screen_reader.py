"""The three main flows as a screen reader tells them, in both languages.

Asserted is what can be: the tree that Chromium hands to assistive technology, where the focus goes, and which live
region says what. How it sounds to a person who listens is not known from this.
"""

import re

import pytest

from comity.demo.clients import Offered
from comity.demo.founding import Stage
from comity.demo.play import Play
from tests.browser import console_steps as hands
from tests.browser.conftest import NewVisitor
from tests.browser.listening import require_focus, require_told, wait_announced
from tests.browser.test_console import fill_dates_and_choices
from tests.browser.test_counter import customer, till_at
from tests.browser.visitor import DESKTOP
from tests.browser.wallets import Citizen, person_offer

LANGUAGES = ("en", "fr")
REVIEW = "main form.panel button.button-primary"
DESK = {
    "en": {
        "home": "At the desk",
        "steps": "Choose (done) - listitem: Fill in (current step) - listitem: Review - listitem",
        "issue": "Issue a credential",
        "fill": "Issue: Resident and health coverage card",
        "error": "Error: Issue",
        "review": "Check before you offer",
        "make": "Make the offer",
        "hand": "Hand it over",
        "code": 'img "QR code of the offer; the link below it does the same"',
        "link": "Link instead of the QR code",
        "show": "Show the code",
        "collected": "Collected ✓",
    },
    "fr": {
        "home": "Au guichet",
        "steps": "Choisir (faite) - listitem: Remplir (étape en cours) - listitem: Vérifier - listitem",
        "issue": "Délivrer une attestation",
        "fill": "Carte de résident et d’assurance-santé",
        "error": "Erreur",
        "review": "Vérifiez avant d’offrir",
        "make": "Créer l’offre",
        "hand": "Remettre l’offre",
        "code": 'img "Code QR de l’offre; le lien ci-dessous fait la même chose"',
        "link": "Un lien au lieu du code QR",
        "show": "Afficher le code",
        "collected": "Recueillie ✓",
    },
}
NAMES = {"en": ("Family name", "Coverage number"), "fr": ("Nom de famille", "Numéro d’assuré")}
EMPTY = {
    "en": ("Something is not right yet", "Family name", "Fill this in"),
    "fr": ("Il reste quelque chose à corriger", "Nom de famille", "Remplissez ce champ"),
}
POCKET = {
    "en": {
        "code": "Transaction code",
        "door": "Add or show a card",
        "offer": "A card is offered to you",
        "kept": "The card is in your wallet",
        "asks": "This party asks you to show something: Corner store (DEMO)",
        "sent": "Shared",
        "history": "History",
        "entry": 'heading "Shown to Corner store (DEMO)"',
        "entry_gone": "The entry is deleted",
        "card_gone": "The card is deleted",
        "delete": 'button "Delete entry Shown to Corner store (DEMO), ',
    },
    "fr": {
        "code": "Code de transaction",
        "door": "Ajouter ou présenter une carte",
        "offer": "Une carte vous est offerte",
        "kept": "La carte est dans votre portefeuille",
        "asks": "Cette partie vous demande de présenter quelque chose",
        "sent": "Communiqué",
        "history": "Historique",
        "entry": 'heading "Communiqué à Dépanneur du coin (DÉMO)"',
        "entry_gone": "L’entrée est supprimée",
        "card_gone": "La carte est supprimée",
        "delete": 'button "Supprimer l’entrée Communiqué à Dépanneur du coin (DÉMO), ',
    },
}
WRONG_CODE = {
    "en": ("Transaction code: ", "Wrong code. 4 tries left."),
    "fr": ("Code de transaction", "Code erroné. Il reste 4 essais."),
}
TILL = {
    "en": {
        "choose": "What do you need to know?",
        "asked": "18 or older",
        "code": 'img "QR code for the customer’s wallet; the button to open a wallet on this device does the same"',
        "device": 'link "Open in a wallet on this device"',
        "opened": "Opened: the customer is deciding",
        "verdict": "Accepted",
        "reason": "18 or older: an authority says so, and the person’s own wallet shows it.",
    },
    "fr": {
        "choose": "Quelle est la question?",
        "asked": "18 ans ou plus",
        "code": 'img "Code QR pour le portefeuille de la personne; le bouton pour cet appareil fait la même chose"',
        "device": 'link "Ouvrir dans un portefeuille de cet appareil"',
        "opened": "la personne décide",
        "verdict": "Acceptée",
        "reason": "18 ans ou plus",
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_clerk_who_listens_issues(visitor: NewVisitor, stage: Stage, language: str) -> None:
    says, clerk = DESK[language], await visitor(window=DESKTOP)
    await hands.enter(clerk, stage, "clerk.ca-pe", language=language)
    await require_told(clerk, says["home"])
    await require_focus(clerk, says["home"])  # a field has it, and the page's title is told with the field
    await clerk.press(says["issue"])
    await clerk.page.locator("#f-record").wait_for()
    tree = await require_told(clerk, says["fill"])
    await require_focus(clerk, says["fill"])
    assert says["steps"] in re.sub(r"\s+", " ", tree)
    await clerk.page.locator(REVIEW).click()
    await clerk.page.get_by_role("alert").wait_for()
    await require_told(clerk, says["fill"])
    await require_focus(clerk, *EMPTY[language])
    assert (await clerk.page.title()).startswith(says["error"])
    for label, text in zip(NAMES[language], ("Roy", "DEMO-14"), strict=True):
        await clerk.page.get_by_label(re.compile(f"^{label}")).first.fill(text)
    await fill_dates_and_choices(clerk)
    await clerk.page.locator(REVIEW).click()
    await clerk.page.wait_for_url("**/review")
    await require_told(clerk, says["review"])
    await clerk.press(says["make"])
    await clerk.page.locator("svg.qr").wait_for()
    tree = await require_told(clerk, says["hand"])
    assert says["code"] in tree
    for each in (says["link"], says["show"]):
        await clerk.page.get_by_text(each, exact=True).click()
    link = await clerk.page.locator("#link").inner_text()
    code = re.sub(r"\s", "", await clerk.page.locator(".code-big").inner_text())
    offer_id = clerk.page.url.rpartition("/")[2]
    await hands.collect(stage, Offered(offer_id=offer_id, link=link.strip(), transaction_code=code, qr=b""))
    await wait_announced(clerk, says["collected"])


async def test_a_clerk_s_session_that_is_about_to_end_asks_first(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await visitor(window=DESKTOP)
    await hands.enter(clerk, stage, "clerk.ca-pe")
    await clerk.page.clock.install()
    await clerk.go(f"{stage.urls['issuer']}/en/help")
    asks = clerk.page.get_by_role("alertdialog", name="Are you still there?")
    await clerk.page.clock.fast_forward("18:59")
    assert not await asks.is_visible()
    await clerk.page.clock.fast_forward("00:02")
    await asks.wait_for()
    await require_focus(clerk, "Stay", "your session ends")
    assert await clerk.findings() == []
    async with clerk.page.expect_response(f"{stage.urls['issuer']}/en/") as kept:
        await clerk.page.keyboard.press("Enter")
    assert (await kept.value).ok
    assert not await asks.is_visible()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_citizen_who_listens_collects_presents_and_reads(
    visitor: NewVisitor, play: Play, language: str
) -> None:
    says = POCKET[language]
    maya = Citizen(at=await visitor(), url=play.stage.urls["wallet"], play=play, language=language)
    await maya.settle()
    await maya.go("/door")
    await require_told(maya.at, says["door"])
    offered = await person_offer(play)
    await maya.bring(offered.link)
    await require_told(maya.at, says["offer"])
    await maya.at.type(says["code"], "0000" if offered.transaction_code != "0000" else "1111")
    await maya.at.page.locator("button[value=take]").click()
    await maya.at.page.get_by_role("alert").wait_for()
    await require_told(maya.at, says["offer"])
    await require_focus(maya.at, *WRONG_CODE[language])
    await maya.at.type(says["code"], str(offered.transaction_code))
    await maya.at.page.locator("button[value=take]").click()
    await maya.at.page.get_by_text(says["kept"]).wait_for()
    await require_told(maya.at, "")
    await require_focus(maya.at, says["kept"])
    await maya.asked()
    await require_told(maya.at, says["asks"])
    await maya.at.page.locator("button[value=agree]").click()
    await maya.at.page.get_by_role("heading", name=says["sent"], exact=True).wait_for()
    await require_told(maya.at, says["sent"])
    await maya.go("/history")
    tree = await require_told(maya.at, says["history"])
    assert says["entry"] in tree
    assert says["delete"] in tree
    await maya.at.page.locator("form[action*='/history/'][action$=delete] button").first.click()
    await maya.at.page.wait_for_url("**/history?gone=yes")
    await require_focus(maya.at, says["entry_gone"])
    await maya.go("/")
    await maya.at.page.locator(".card-title a").first.click()
    await maya.at.page.locator("a[href$='/delete']").click()
    await maya.at.page.locator("main form button.button-danger").click()
    await maya.at.page.wait_for_url("**/?gone=yes")
    await require_told(maya.at, "")
    await require_focus(maya.at, says["card_gone"])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_counter_that_is_listened_to_gives_its_verdict(visitor: NewVisitor, play: Play, language: str) -> None:
    says, till = TILL[language], await till_at(visitor, play, language)
    person, chosen = await customer(play, 18)
    await require_told(till.at, says["choose"])
    await till.tap("age-majority")
    tree = await require_told(till.at, says["asked"])
    assert says["code"] in tree
    assert says["device"] in tree
    consent = await person.consent(await till.link())
    await wait_announced(till.at, says["opened"])
    await person.agree(consent, chosen)
    await till.verdict("green")
    await require_told(till.at, says["verdict"])
    await require_focus(till.at, says["verdict"], says["reason"])
