"""The clerk's console in a real browser: issue, see it collected, revoke with a second person, many at once."""

import re
from datetime import date

import pytest
from playwright.async_api import FilePayload

from comity.demo.founding import Stage
from comity.runtime.clock import SystemClock
from tests.browser import console_steps as hands
from tests.browser.conftest import NewVisitor
from tests.browser.visitor import DESKTOP, Visitor
from tests.unit.issuer.test_photos import taken

SHEET = """File number;Licence number;Class;Issued on;Expires on;Family name, or single name;Date of birth
F-1-{tag};DEMO-1;G (full);2026-11-01;2031-11-01;Lee;1990-01-01
F-2-{tag};DEMO-2;G2;2026-11-01;2031-11-01;;1990-01-01
F-3-{tag};DEMO-3;Z;2026-11-01;2031-11-01;Roy;1990-13-01
F-4-{tag};DEMO-4;M;2026-11-01;2031-11-01;=Ng;1990-01-01
"""


async def at_desk(visitor: NewVisitor, stage: Stage, name: str, **how: object) -> Visitor:
    clerk = await visitor(**({"window": DESKTOP} | how))
    await hands.enter(clerk, stage, name)
    return clerk


async def find(clerk: Visitor, text: str) -> None:
    await clerk.page.locator("#f-search").fill(text)
    await clerk.page.keyboard.press("Enter")
    await clerk.page.wait_for_url("**/search")


async def in_french(clerk: Visitor, name: str) -> None:
    """Look at the same page in the other language, and come back."""
    await clerk.page.get_by_role("link", name="Français").click()
    await clerk.page.locator("html[lang=fr-CA]").wait_for()
    await clerk.shoot(name)
    await clerk.check()
    await clerk.page.get_by_role("link", name="English").click()
    await clerk.page.locator("html[lang=en-CA]").wait_for()


async def look(clerk: Visitor, name: str) -> None:
    """Judge the page in both languages, and keep its picture for ``make screenshots``."""
    await clerk.check()
    await clerk.shoot(name)
    await in_french(clerk, name)


async def test_a_clerk_issues_by_hand_and_sees_it_collected(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await visitor(window=DESKTOP)
    await clerk.go(f"{stage.urls['issuer']}/en/sign-in")
    await look(clerk, "console-sign-in")
    await hands.enter(clerk, stage, "supervisor.ca-on")
    record = hands.new_record()
    await hands.fill_in_licence(clerk, record)
    await look_at_form(clerk)
    await hands.fill_in_licence(clerk, record)
    photo = FilePayload(name="me.png", mimeType="image/png", buffer=taken(kind="PNG"))
    await clerk.page.get_by_label("Photo").set_input_files(photo)
    await clerk.press("Go on to review")
    await clerk.page.get_by_role("img", name="Photo for the credential").wait_for()
    await clerk.check()
    await clerk.shoot("console-review")
    await clerk.press("Make the offer")
    await look(clerk, "console-hand-over")
    offered = await hands.handed_over(clerk)
    await hands.collect(stage, offered)
    await clerk.page.get_by_text("Collected ✓").wait_for()
    assert not await clerk.page.locator(".code-big").is_visible()
    await clerk.press("See the credential")
    await look(clerk, "console-record")
    assert record in await clerk.page.inner_text("main")
    await clerk.page.get_by_role("link", name="At the desk").or_(clerk.page.locator("nav a").first).first.click()
    await look(clerk, "console-home")
    await find(clerk, record)
    await look(clerk, "console-found")
    assert "1 credential found" in await clerk.page.inner_text("main")


async def look_at_form(clerk: Visitor) -> None:
    await clerk.check()
    await clerk.shoot("console-form")
    await clerk.page.locator("nav a").first.click()


async def test_a_slip_for_the_person_without_a_phone(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await at_desk(visitor, stage, "clerk.ca-on")
    await hands.offer_licence(clerk, hands.new_record())
    wallet = await clerk.page.get_by_role("link", name="Open a wallet here").get_attribute("href")
    await clerk.press("Print a slip")
    await clerk.page.emulate_media(media="print")
    assert await clerk.page.get_by_text("Permis de conduire").is_visible()
    assert not await clerk.page.get_by_role("button", name="Print").is_visible()
    await clerk.page.emulate_media(media="screen")
    await look(clerk, "console-slip")
    person = await visitor()
    await person.go(str(wallet))
    assert person.path.startswith("/en/")
    assert "Not found" not in await person.heading()


async def test_two_people_revoke_and_one_of_them_undoes(visitor: NewVisitor, stage: Stage) -> None:
    asks = await at_desk(visitor, stage, "clerk.ca-bc")
    await asks.press("Issue a credential")
    await look(asks, "console-choose")
    await asks.page.get_by_role("link", name="Serving It Right").click()
    record = hands.new_record()
    await asks.type("File number", record)
    for label, text in (("Certificate number", "DEMO-9"), ("Family name", "Roy")):
        await asks.page.get_by_label(re.compile(f"^{label}")).first.fill(text)
    await asks.press("Go on to review")
    await asks.press("Make the offer")
    await hands.collect(stage, await hands.handed_over(asks))
    await asks.page.get_by_text("Collected ✓").wait_for()
    await asks.press("See the credential")
    await asks.press("Revoke")
    await look(asks, "console-revoke")
    await asks.page.get_by_label("Issued in error").check()
    await asks.press("Ask for the revocation")
    await asks.page.get_by_text("Waiting for a second person").wait_for()

    agrees = await at_desk(visitor, stage, "supervisor.ca-bc")
    await agrees.press("See what waits")
    await look(agrees, "console-approvals")
    await agrees.press("Agree and revoke")
    await agrees.page.get_by_text("Revoked, and can still be undone").wait_for()
    await look(agrees, "console-undo")
    await agrees.press("Undo the revocation")
    await agrees.page.get_by_text("Revocation undone").wait_for()
    assert await agrees.page.locator(".desk-head .badge").inner_text() == "valid"


async def test_a_file_with_bad_rows_issues_the_good_ones(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await at_desk(visitor, stage, "clerk.ca-on")
    await clerk.page.get_by_role("link", name="Many at once").click()
    await look(clerk, "console-files")
    data = SHEET.format(tag=hands.new_record()).encode()
    await clerk.page.locator("#f-file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": data})
    await clerk.press("Check the file")
    await clerk.page.wait_for_url("**/files/*")
    await look(clerk, "console-file-checked")
    said = await clerk.page.inner_text("main")
    assert "2 rows with errors" in re.sub(r"\s+", " ", said)
    assert "Class: Choose one of the answers" in said
    await clerk.press("Make 2 offers")
    await clerk.page.get_by_text("offers made").wait_for()
    await clerk.page.locator("main [data-live]").wait_for(state="detached")  # while it runs, the page may still go on
    await clerk.page.wait_for_load_state()
    await look(clerk, "console-file-done")
    async with clerk.page.expect_download() as taken:
        await clerk.press("Download the rows with errors")
    text = (await (await taken.value).path()).read_text("utf-8-sig")
    assert text.count("DEMO-") >= 2
    assert [row.partition("-DEMO")[0] for row in text.splitlines() if row.startswith("F-")] == ["F-2", "F-3"]


async def test_the_pages_of_those_who_oversee(visitor: NewVisitor, stage: Stage) -> None:
    admin = await at_desk(visitor, stage, "admin.ca-pe")
    for link, name in (
        ("Ending soon", "console-expiring"),
        ("Log", "console-log"),
        ("Accounts", "console-accounts"),
        ("Webhooks", "console-webhooks"),
        ("Help and keys", "console-help"),
    ):
        await admin.page.get_by_role("link", name=link, exact=True).click()
        await look(admin, name)
    await add_a_webhook(admin, stage)
    for path, name in (("/log/refusals", "console-refusals"), ("/api", "console-api")):
        await admin.go(f"{stage.urls['issuer']}/en{path}")
        await look(admin, name)


async def add_a_webhook(admin: Visitor, stage: Stage) -> None:
    """Add an address by keyboard, find its secret once, and look at its log."""
    await admin.go(f"{stage.urls['issuer']}/en/webhooks")
    await admin.page.locator("#f-url").fill("https://records.example/hook")
    await admin.page.keyboard.press("Enter")
    await admin.page.get_by_text("This secret is shown once").wait_for()
    assert (await admin.page.locator("#secret").inner_text()).startswith("whsec_")
    await admin.page.get_by_role("link", name="All webhooks").click()
    await admin.page.get_by_role("link", name="https://records.example/hook").click()
    await admin.press("Send a test")
    await admin.page.get_by_text("A test is on its way").wait_for()
    await look(admin, "console-webhook")
    await admin.page.get_by_text("Remove this address").click()
    await admin.press("Remove for good")
    await admin.page.get_by_text("The address was removed").wait_for()


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_issuing_needs_no_mouse(visitor: NewVisitor, stage: Stage, language: str) -> None:
    clerk = await visitor(window=DESKTOP)
    await hands.enter(clerk, stage, "clerk.ca-pe", language=language)
    keys = clerk.page.keyboard
    issue, review, make, code = {
        "en": ("Issue a credential", "Go on to review", "Make the offer", "Show the code"),
        "fr": ("Délivrer une attestation", "Passer à la vérification", "Créer l’offre", "Afficher le code"),
    }[language]
    await clerk.walk_to(issue)
    await keys.press("Enter")
    await clerk.page.locator("#f-record").wait_for()
    await clerk.page.locator("#f-record:focus").wait_for()  # the first field has the focus at once
    await keys.type("DEMO-K")
    names = {"en": ("Family name", "Coverage number"), "fr": ("Nom de famille", "Numéro d’assuré")}[language]
    for label, text in zip(names, ("Roy", "DEMO-12"), strict=True):
        await clerk.page.get_by_label(re.compile(f"^{label}")).first.focus()
        await keys.type(text)
    await fill_dates_and_choices(clerk)
    if language == "fr":  # in English another test looks at these two
        await clerk.check()
        await clerk.shoot("console-form")
    await clerk.walk_to(review)
    await keys.press("Enter")
    await clerk.page.wait_for_url("**/review")
    if language == "fr":
        await clerk.check()
        await clerk.shoot("console-review")
    await clerk.walk_to(make)
    await keys.press("Enter")
    await clerk.walk_to(code)
    await keys.press("Enter")
    assert re.fullmatch(r"\d{6}", (await clerk.page.locator(".code-big").inner_text()).strip())
    await keys.press("Control+k")
    await clerk.page.locator("#f-search:focus").wait_for()


async def fill_dates_and_choices(clerk: Visitor) -> None:
    """Fill what is left of the form of a health card, by its fields."""
    for field in await clerk.page.locator("input[type=date]").all():
        if not await field.input_value():
            await field.fill("2026-01-01")
    for field in await clerk.page.locator("main select").all():
        if not await field.input_value():
            await field.select_option(index=1)
    for group in await clerk.page.locator("fieldset.choices").all():
        await group.locator("input[type=radio]").first.check()


async def test_a_session_that_ends_while_somebody_types_loses_nothing(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await at_desk(visitor, stage, "clerk.ca-on")
    await hands.fill_in_licence(clerk, hands.new_record())
    await clerk.context.clear_cookies(name="comity_desk")
    await clerk.press("Go on to review")
    await clerk.press("Sign in again")
    await clerk.check()
    await clerk.page.locator("#f-name").fill("clerk.ca-on")
    await clerk.page.locator("#f-password").fill(str(stage.desk["password"]))
    await clerk.press("Sign in")
    await clerk.press("Continue")
    assert await clerk.heading() == "Check before you offer"
    assert "Gagné-O’Brien" in await clerk.page.inner_text("main")


async def test_issuing_works_without_scripts_and_twice_sent_is_once_offered(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await at_desk(visitor, stage, "clerk.ca-on", scripts=False)
    listed, began, ended = -1, date.min, date.max
    while began != ended:  # once more if the day turned meanwhile: the desk lists the offers of today (UTC)
        record, began = hands.new_record(), SystemClock().now().date()
        await hands.fill_in_licence(clerk, record)
        await clerk.press("Go on to review")
        await clerk.press("Make the offer")
        await clerk.page.wait_for_url("**/offers/*")
        first = clerk.page.url
        await clerk.back()
        await clerk.press("Make the offer")
        await clerk.page.wait_for_url(first)
        await clerk.press("At the desk")
        listed = (await clerk.page.inner_text("main")).count(record)
        ended = SystemClock().now().date()
    assert listed == 1


async def test_a_name_that_would_be_markup_is_shown_as_it_was_typed(visitor: NewVisitor, stage: Stage) -> None:
    clerk = await at_desk(visitor, stage, "clerk.ca-on")
    await hands.fill_in_licence(clerk, "<b>x</b>")
    await clerk.page.get_by_label(re.compile("^Given names")).fill("<img src=x onerror=alert(1)>\u202e\u200b")
    await clerk.press("Go on to review")
    said = await clerk.page.inner_text("main")
    assert "<img src=x onerror=alert(1)>" in said
    assert "\u202e" not in said
    clerk.check_quiet()
