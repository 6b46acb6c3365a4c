"""What a desk does to a credential: suspend, reinstate, revoke with a second person and with time to undo."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from comity.keys import KeySigner
from issuer import approving
from tests.services.issuer import test_renewing
from tests.services.issuer.clerks import AtDesk, employ, sign_in, words
from tests.services.issuer.deployed import AUTHORITIES, LICENCE, ON, PERSON, Deployed, Place, running
from tests.services.issuer.signing_in import FILE, Wallet

SIR: dict[str, Any] = {
    "certification_number": "DEMO-5",
    "given_names": "Maya",
    "family_name": "Chen",
    "completed_on": "2026-11-01",
    "expires_on": "2031-11-01",
}
WHY = {"why": "lost"}


@pytest.fixture
async def two_people(place: Place) -> AsyncIterator[Deployed]:
    """An authority that wants two people for a revocation, and issues a type whose revocation can be undone."""
    entries = [dict(each) for each in AUTHORITIES]
    entries[0] |= {"revocation_approval": True, "types": ["person/1", "drivers-licence/1", "serving-it-right/1"]}
    (place.folder / "authorities.json").write_text(json.dumps(entries), "utf-8")
    async with running(place) as issuer:
        await employ(issuer)
        await employ(issuer, suffix="-2")
        yield issuer


async def issued(issuer: Deployed, kind: str, claims: dict[str, Any], *keys: KeySigner) -> str:
    offer = await issuer.offer(type=kind, claims=claims, record_reference="r")
    assert (await issuer.receive(offer, *keys)).status_code == 200
    return str((await issuer.records(record_reference="r"))[0]["id"])


async def statuses(issuer: Deployed) -> set[str]:
    return {each["status"] for each in await issuer.records(record_reference="r")}


def asked(page: Any) -> dict[str, str]:
    """Return the field that names the revocation on a page."""
    (found,) = re.findall(r'name="revocation" value="([^"]+)"', page.text)
    return {"revocation": found}


async def test_suspend_and_reinstate_take_effect_at_once_on_every_copy(issuer: Deployed) -> None:
    await employ(issuer)
    record = await issued(issuer, "drivers-licence/1", LICENCE, KeySigner.generate(), KeySigner.generate())
    desk = await sign_in(issuer, "supervisor")
    done = await desk.post(f"/records/{record}/suspend", {"why": "under_review", "note": "case 7"})
    assert "Under review (case 7)" in words(done)
    assert await statuses(issuer) == {"suspended"}
    assert "Suspend" not in re.findall(r'class="button[^>]*><span>([^<]+)', done.text)
    back = await desk.post(f"/records/{record}/reinstate", {"why": "review_ended"})
    assert await statuses(issuer) == {"valid"}
    history = words(back)
    assert history.index("Reinstated") < history.index("Suspended") < history.index("Offer made")
    auditor = await sign_in(issuer, "auditor")
    links = set(re.findall(r'href="/en(/(?:offers|records)/[^"]+)"', (await auditor.get("/log")).text))
    assert len(links) == 3, "the offer, and each of its two copies"
    for link in links:
        assert (await auditor.get(link)).status_code == 200, link


async def test_one_person_revokes_for_good_where_that_is_the_rule(issuer: Deployed) -> None:
    await employ(issuer)
    record = await issued(issuer, "person/1", PERSON, KeySigner.generate(), KeySigner.generate())
    desk = await sign_in(issuer, "supervisor")
    page = await desk.get(f"/records/{record}/revoke")
    assert "cannot be reinstated" in words(page)
    await desk.post(f"/records/{record}/revoke", WHY)
    assert await statuses(issuer) == {"revoked"}
    for change in ("revoke", "suspend", "reinstate"):
        refused = await desk.post(f"/records/{record}/{change}", WHY, page=f"/records/{record}/revoke")
        assert await statuses(issuer) == {"revoked"}, change
        assert refused.status_code in {200, 422}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Fill this in"),
        ({"why": "because"}, "Choose one"),
        ({"why": "other"}, "few words"),
        ({"why": "lost", "note": "x" * 121}, "longer than allowed"),
        ({"why": "lost", "note": "two\nlines"}, "one line"),
    ],
)
async def test_a_change_without_a_good_reason_changes_nothing(
    issuer: Deployed, fields: dict[str, str], says: str
) -> None:
    await employ(issuer)
    record = await issued(issuer, "person/1", PERSON)
    desk = await sign_in(issuer, "supervisor")
    refused = await desk.post(f"/records/{record}/revoke", fields)
    assert refused.status_code == 422
    assert says in words(refused)
    if 'id="e-why"' in refused.text:  # said with the question, not only above the form
        assert 'aria-describedby="e-why" aria-invalid="true"' in refused.text
    assert await statuses(issuer) == {"valid"}


async def test_a_clerk_asks_and_a_supervisor_agrees(issuer: Deployed) -> None:
    await employ(issuer)
    record = await issued(issuer, "person/1", PERSON)
    clerk, supervisor = await sign_in(issuer, "clerk"), await sign_in(issuer, "supervisor")
    page = await clerk.get(f"/records/{record}/revoke")
    assert "second person has to agree" in words(page)
    waits = await clerk.post(f"/records/{record}/revoke", WHY)
    assert "Waiting for a second person" in words(waits)
    assert await statuses(issuer) == {"valid"}
    assert "1 revocation waits" in words(await clerk.get("/"))
    assert (await clerk.send("/approvals", {"wish": "agree"})).status_code == 403
    await supervisor.post("/approvals", asked(await supervisor.get("/approvals")) | {"wish": "agree"})
    assert await statuses(issuer) == {"revoked"}
    assert "1 revocation waits" not in words(await supervisor.get("/"))


async def test_nobody_agrees_to_what_they_asked_for(two_people: Deployed) -> None:
    record = await issued(two_people, "person/1", PERSON)
    asks, agrees = await sign_in(two_people, "supervisor"), await sign_in(two_people, "supervisor-2")
    await asks.post(f"/records/{record}/revoke", WHY)
    fields = asked(await asks.get("/approvals"))
    refused = await asks.post("/approvals", fields | {"wish": "agree"})
    assert refused.status_code == 403
    assert await statuses(two_people) == {"valid"}
    again = await asks.post(f"/records/{record}/revoke", WHY, page=f"/records/{record}")
    assert again.status_code == 422  # one at a time
    await agrees.post("/approvals", fields | {"wish": "agree"})
    assert await statuses(two_people) == {"revoked"}
    late = await agrees.post("/approvals", fields | {"wish": "agree"}, page="/search")
    assert "settled this meanwhile" in words(late)


async def test_a_refused_revocation_leaves_the_credential_as_it_is(two_people: Deployed) -> None:
    record = await issued(two_people, "person/1", PERSON)
    asks, refuses = await sign_in(two_people, "clerk"), await sign_in(two_people, "supervisor")
    await asks.post(f"/records/{record}/revoke", WHY)
    done = await refuses.post("/approvals", asked(await refuses.get("/approvals")) | {"wish": "refuse"})
    assert "Revocation refused" in words(done)
    assert await statuses(two_people) == {"valid"}
    await asks.post(f"/records/{record}/revoke", WHY)  # and may be asked for again
    assert "1 revocation waits" in words(await refuses.get("/"))


async def test_the_api_does_not_go_round_the_second_person(two_people: Deployed) -> None:
    record = await issued(two_people, "person/1", PERSON)
    path = f"/api/v1/credentials/{record}"
    headers = two_people.as_role("supervisor")
    refused = await two_people.client.post(f"{path}/revoke", json={"reason": "lost"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
    assert await statuses(two_people) == {"valid"}


async def test_a_revocation_can_be_undone_for_a_while_and_suspends_meanwhile(two_people: Deployed) -> None:
    record = await issued(two_people, "serving-it-right/1", SIR, KeySigner.generate(), KeySigner.generate())
    asks, agrees = await sign_in(two_people, "supervisor"), await sign_in(two_people, "supervisor-2")
    page = await asks.get(f"/records/{record}/revoke")
    assert "For 15 minutes you can undo this" in words(page)
    await asks.post(f"/records/{record}/revoke", WHY)
    under_way = await agrees.post("/approvals", asked(await agrees.get("/approvals")) | {"wish": "agree"})
    assert await statuses(two_people) == {"suspended"}
    headers = two_people.as_role("supervisor")
    path = f"/api/v1/credentials/{record}/reinstate"
    refused = await two_people.client.post(path, json={"reason": "x"}, headers=headers)
    assert refused.status_code == 409
    await agrees.post("/approvals", asked(under_way) | {"wish": "undo"}, page=f"/records/{record}")
    assert await statuses(two_people) == {"valid"}
    two_people.clock.advance(timedelta(hours=1))
    assert await approving.finish_due(two_people.deployment) == 0
    assert await statuses(two_people) == {"valid"}


async def test_after_that_while_it_is_revoked_for_good_also_after_a_restart(place: Place) -> None:
    entries = [dict(each) for each in AUTHORITIES]
    entries[0] |= {"types": ["serving-it-right/1", "person/1", "drivers-licence/1"]}
    (place.folder / "authorities.json").write_text(json.dumps(entries), "utf-8")
    async with running(place) as issuer:
        await employ(issuer)
        record = await issued(issuer, "serving-it-right/1", SIR)
        desk = await sign_in(issuer, "supervisor")
        under_way = await desk.post(f"/records/{record}/revoke", WHY)
        assert await statuses(issuer) == {"suspended"}
        issuer.clock.advance(timedelta(minutes=15))
        late = await desk.post("/approvals", asked(under_way) | {"wish": "undo"}, page=f"/records/{record}")
        assert "settled this meanwhile" in words(late)
    async with running(place, issuer.clock) as again:
        await approving.finish_due(again.deployment)
        assert await statuses(again) == {"revoked"}
        log = await again.client.get(f"/api/v1/audit?authority={ON}", headers=again.as_role("auditor"))
        (line,) = [each for each in log.json()["events"] if each["action"] == "revoked"]
        assert line["actor"] == "timer"


async def test_search_finds_by_file_card_number_and_exact_name_and_by_nothing_less(issuer: Deployed) -> None:
    await employ(issuer)
    await issued(issuer, "drivers-licence/1", LICENCE, KeySigner.generate(), KeySigner.generate())
    desk = await sign_in(issuer, "clerk")
    for text in ("r", LICENCE["licence_number"], LICENCE["licence_number"].lower(), f"maya  {LICENCE['family_name']}"):
        found = await desk.post("/search", {"search": text})
        assert "1 credential found" in words(found), text
        assert found.url.query == b""
        assert found.url.path == "/en/search"
    for text in ("Maya", "DEMO", "%", "r%", "' OR 1=1 --"):
        assert "Nothing found" in words(await desk.post("/search", {"search": text})), text
    assert "1 credential found" not in words(await desk.get("/search"))


async def test_a_revocation_reaches_what_was_issued_again(place: Place) -> None:
    """A renewal and a refreshed credential belong to other offers, and are the same thing for their holder."""
    async with running(place) as issuer:
        await employ(issuer)
        desk = await sign_in(issuer, "supervisor")
        renewed, offer = await test_renewing.started(issuer)
        assert (await test_renewing.ask(renewed)).status_code == 200
        first, second = await test_renewing.issued(issuer, offer)
        await desk.post(f"/records/{first['id']}/revoke", WHY)
        assert {each["status"] for each in await test_renewing.issued(issuer, offer)} == {"revoked"}
        assert "Revoked" in words(await desk.get(f"/records/{second['id']}"))
        signed_in = Wallet(issuer, key=KeySigner.generate())
        given = await signed_in.tokens()
        assert (await signed_in.ask(given["access_token"])).status_code == 200
        again = (await signed_in.refresh(given["refresh_token"])).json()
        assert (await signed_in.ask(again["access_token"])).status_code == 200
        valid = [each["id"] for each in await issuer.records(record_reference=FILE) if each["status"] == "valid"]
        assert len(valid) == 2
        await desk.post(f"/records/{valid[0]}/revoke", WHY)
        assert {each["status"] for each in await issuer.records(record_reference=FILE)} == {"revoked"}


async def test_of_one_thing_one_revocation_is_under_way(place: Place) -> None:
    """Two for two copies could be undone apart: a copy would be valid while its revocation is under way."""
    entries = [dict(each) for each in AUTHORITIES]
    entries[0] |= {"types": ["serving-it-right/1"]}
    (place.folder / "authorities.json").write_text(json.dumps(entries), "utf-8")
    async with running(place) as issuer:
        await employ(issuer)
        desk = await sign_in(issuer, "supervisor")
        await issued(issuer, "serving-it-right/1", SIR, KeySigner.generate(), KeySigner.generate())
        one, other = [each["id"] for each in await issuer.records(record_reference="r")]
        await desk.post(f"/records/{one}/revoke", WHY)
        page = await desk.get(f"/records/{other}")
        again = await desk.post(f"/records/{other}/revoke", WHY, page=f"/records/{other}")
        assert again.status_code == 422
        await desk.post("/approvals", asked(page) | {"wish": "undo"}, page=f"/records/{other}")
        assert await statuses(issuer) == {"valid"}
        await desk.post(f"/records/{other}/revoke", WHY)
        assert await statuses(issuer) == {"suspended"}


async def test_what_ends_soon_is_listed_once(issuer: Deployed) -> None:
    await employ(issuer)
    ends = LICENCE | {"expires_on": "2026-12-10"}
    await issued(issuer, "drivers-licence/1", ends, KeySigner.generate(), KeySigner.generate())
    desk = AtDesk((await sign_in(issuer, "clerk")).client, "fr")
    assert "1 attestation arrive à échéance" in words(await desk.get("/"))
    assert "Aucune échéance" in words(await desk.get("/expiring?days=7"))
    for days in ("90", "", "7" * 5000):  # what is no choice counts as none
        assert "10 décembre 2026" in words(await desk.get(f"/expiring?days={days}"))
