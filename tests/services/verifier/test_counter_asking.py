"""The counter at work: what it asks, what it shows, what it keeps."""

import csv
import io
import re
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from comity.openid.presentation import response
from comity.openid.refusal import OAuthErrorCode
from comity.web import i18n
from tests.services.verifier.deployed import Deployed, Place, running
from tests.services.verifier.federation import CANARY, LICENCE, SERVER
from tests.services.verifier.test_privacy import FORMS_OF_THE_CANARY, files_holding
from tests.services.verifier.till import Till, paired, words
from verifier.counter_store import checks
from verifier.journal import COLUMNS


@pytest.fixture
async def till(verifier: Deployed) -> Till:
    return await paired(verifier)


def rows(connection: Connection) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(select(checks).order_by(checks.c.started_at)).mappings()]


async def kept(verifier: Deployed) -> list[dict[str, object]]:
    return await verifier.deployment.database.read(rows)


async def events(till: Till, check: str) -> str:
    return (await till.get(f"{check}/events", headers={"accept": "text/event-stream"})).text


async def test_a_question_a_code_and_a_green_screen(till: Till, verifier: Deployed) -> None:
    check = await till.ask("drivers-licence-valid")
    page = await till.read(check)
    assert "Waiting for the customer to scan" in page
    assert "Driver’s licence" in page
    started = await till.link(check)
    asked = await verifier.fetch(started)
    assert 'data-when="fetched">' in (await till.get(check)).text
    token = verifier.vp_token(asked, verifier.licence())
    assert (await verifier.post(started, response.build(asked, token))).status_code == 200
    told = await events(till, check)
    assert f'"go":"/en{check}"' in told
    page = await till.read(check)
    for seen in ("Accepted", "The driver’s licence is valid today.", "G2", "November 23, 2026", "trust registry read"):
        assert seen in page
    assert "status list read" in page
    assert page.count("passed") >= 12
    assert CANARY not in page


async def test_the_screen_tells_french_in_french(verifier: Deployed) -> None:
    till = await paired(verifier, language="fr", place="ca-qc")
    check = await till.ask("drivers-licence-valid")
    started = await till.link(check)
    assert (await verifier.answer(started)).status_code == 200
    page = await till.read(check)
    for seen in (
        "Acceptée",
        "Le permis de conduire est valide aujourd’hui.",
        "Catégorie",
        "23 novembre 2026",
        "il y a",
    ):
        assert seen in page


async def test_red_says_why_and_releases_nothing(till: Till, verifier: Deployed) -> None:
    check = await till.ask("age-alcohol")
    chosen = {"drivers-licence_sdjwt": (verifier.held(LICENCE), ("age_over_19",))}
    assert (await verifier.answer(await till.link(check), chosen)).status_code == 200
    page = await till.read(check)
    for seen in (
        "Rejected",
        "Nothing shows that the person is old enough here.",
        "Do not go on",
        "age_requirement_not_met",
    ):
        assert seen in page
    assert "19 years of age" not in page


async def test_amber_when_nothing_was_shown_or_nothing_is_known(till: Till, verifier: Deployed) -> None:
    declined = await till.ask("age-alcohol")
    started = await till.link(declined)
    asked = await verifier.fetch(started)
    refusal = response.build_error(OAuthErrorCode.ACCESS_DENIED, state=asked.state)
    assert (await verifier.post(started, refusal)).status_code == 200
    page = await till.read(declined)
    assert "Nothing shown" in page
    assert "That is not a no" in page
    for address in [each for each in verifier.network.documents if "/status/" in each]:
        del verifier.network.documents[address]
    unknown = await till.ask("drivers-licence-valid")
    assert (await verifier.answer(await till.link(unknown))).status_code == 200
    page = await till.read(unknown)
    assert "Not confirmed" in page
    assert "Accepted" not in page
    assert [each["signal"] for each in await kept(verifier)] == ["amber", "amber"]


async def test_a_copy_stands_in_and_that_is_said(till: Till, verifier: Deployed) -> None:
    """R16: the host is down; a fresh copy counts, an old one is amber, and the age is on the screen."""
    assert (await verifier.answer(await till.link(await till.ask("drivers-licence-valid")))).status_code == 200
    lists = {
        each: verifier.network.documents.pop(each) for each in list(verifier.network.documents) if "/status/" in each
    }
    verifier.network.registry_down = True
    verifier.clock.advance(timedelta(hours=3))
    check = await till.ask("drivers-licence-valid")
    assert (await verifier.answer(await till.link(check))).status_code == 200
    page = await till.read(check)
    assert "Accepted" in page
    assert "status list read 3 hours ago" in page
    assert i18n.text("codes.status_stale.meaning", "en") in page
    verifier.clock.advance(timedelta(days=8))
    late = await till.ask("drivers-licence-valid")
    held = {"drivers-licence_sdjwt": (verifier.held(LICENCE, expires_on="2027-01-01"), ("class", "expires_on"))}
    assert (await verifier.answer(await till.link(late), held)).status_code == 200
    page = await till.read(late)
    assert "Not confirmed" in page
    assert lists


async def test_a_code_that_is_over_makes_room_for_a_fresh_one(till: Till, verifier: Deployed) -> None:
    check = await till.ask("age-alcohol")
    verifier.clock.advance(timedelta(seconds=verifier.settings.request_seconds))
    page = (await till.get(check)).text
    assert "data-renew" in page
    assert '"state":"expired"' in await events(till, check)
    fresh = await till.post("/counter", {"policy": "age-alcohol", "renewal": "1"})
    assert fresh.headers["location"].endswith("?renewal=1")
    assert 'name="renewal" value="2"' in (await till.client.get(fresh.headers["location"])).text
    idle = (await till.get(f"{fresh.headers['location'][3:].partition('?')[0]}?renewal=12")).text
    assert "data-renew" not in idle
    await till.read("/counter/history")
    assert {each["id"] for each in await kept(verifier)} == {fresh.headers["location"].split("/")[-1].partition("?")[0]}


async def test_one_device_never_sees_the_checks_of_another(till: Till, verifier: Deployed) -> None:
    check = await till.ask("age-alcohol")
    for other in (await paired(verifier, name="Till 2"), await paired(verifier, party="bank")):
        for path in (check, f"{check}/events", "/counter/checks/%00", "/counter/checks/" + "a" * 200):
            assert (await other.get(path)).status_code == 404
    assert (await Till(verifier).get(check)).status_code == 303


async def test_only_what_is_offered_can_be_asked(till: Till, verifier: Deployed) -> None:
    for policy in ("", "everything", "age-alcohol'--"):
        assert (await till.post("/counter", {"policy": policy})).status_code == 422
    assert await kept(verifier) == []


async def test_the_history_holds_nobody(till: Till, verifier: Deployed, place: Place) -> None:
    certificate = (verifier.held(SERVER), ("certification_number", "expires_on"))
    chosen = {"serving-it-right_sdjwt": certificate, **verifier.person("family_name")}
    check = await till.ask("server-and-person")
    assert (await verifier.answer(await till.link(check), chosen)).status_code == 200
    assert CANARY in await till.read(check)
    page = await till.read("/counter/history")
    assert "Trained server" in page
    assert "ca-on" in page
    export = await till.get("/counter/history.csv")
    heading, line = list(csv.reader(io.StringIO(export.text)))
    assert tuple(heading) == COLUMNS
    assert line[1:] == ["ca-on", "server-and-person", "wallet", "green", "accepted", "ok", "ca-on/services"]
    assert CANARY not in page + export.text
    assert files_holding(place.folder, FORMS_OF_THE_CANARY) == []
    assert "Trained server" not in await (await paired(verifier, party="bank")).read("/counter/history")
    assert "Trained server" in await (await paired(verifier, name="Till 2")).read("/counter/history")


async def test_a_verdict_that_nobody_looked_at_is_noted_before_its_report_goes(till: Till, verifier: Deployed) -> None:
    check = await till.ask("drivers-licence-valid")
    assert (await verifier.answer(await till.link(check))).status_code == 200
    journal = verifier.deployment.journal
    assert await journal.look_after() == 1
    assert await journal.look_after() == 0
    (row,) = await kept(verifier)
    assert (row["signal"], row["issuer"]) == ("green", "ca-on/services")
    verifier.clock.advance(timedelta(seconds=verifier.settings.result_seconds + 1))
    await verifier.deployment.verifying.erase()
    assert await journal.erase() == 1
    page = await till.read(check)
    assert "Accepted" in page
    assert "What was shown has been erased" in page
    assert "G2" not in page


async def test_the_history_ends_when_it_is_set_to(place: Place) -> None:
    async with running(place, history_days=2) as verifier:
        till = await paired(verifier)
        assert (await verifier.answer(await till.link(await till.ask("drivers-licence-valid")))).status_code == 200
        await till.read("/counter/history")
        verifier.clock.advance(timedelta(days=1))
        await verifier.deployment.journal.erase()
        assert len(await kept(verifier)) == 1
        verifier.clock.advance(timedelta(days=1, seconds=1))
        await verifier.deployment.journal.erase()
        assert await kept(verifier) == []


async def test_pages_come_in_both_languages_and_lead_to_the_other(till: Till) -> None:
    for path in ("/", "/counter", "/counter/scan", "/counter/history", "/counter/settings", "/developers"):
        for language, other in (("en", "fr"), ("fr", "en")):
            answer = await till.client.get(f"/{language}{path}")
            assert answer.status_code == 200
            assert f'<html lang="{language}-CA">' in answer.text
            assert f'href="/{other}{path}"' in answer.text
            assert not re.search(r"\bcounter\.[a-z]", words(answer.text)), "a key instead of words"
