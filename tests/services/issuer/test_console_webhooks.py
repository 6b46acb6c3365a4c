"""The administrator's page of webhooks: only the office's own, the secret once, and a log that says why."""

import re

import httpx
import pytest

from issuer import app, subscribing
from issuer.store.webhooks import TYPES
from tests.services.issuer.clerks import AtDesk, employ, sign_in, words
from tests.services.issuer.deployed import BC, ON, Deployed
from tests.services.issuer.test_webhooks import HOOK, Receiver, of_issuer


@pytest.fixture(autouse=True)
def _no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but the test sends."""
    monkeypatch.setattr(app, "LOOK_SECONDS", 3600.0)


@pytest.fixture
async def desk(issuer: Deployed) -> Deployed:
    await employ(issuer)
    return issuer


async def add(admin: AtDesk, url: str = HOOK, **fields: str) -> httpx.Response:
    return await admin.post("/webhooks", {"url": url} | fields)


def secrets(page: httpx.Response) -> list[str]:
    return re.findall(r"whsec_[A-Za-z0-9+/=]+", page.text)


async def test_an_address_is_added_tried_looked_at_and_removed(desk: Deployed) -> None:
    admin = await sign_in(desk, "admin")
    assert "Nobody is told yet" in words(await admin.get("/webhooks"))
    first = secrets(await add(admin, types="offer.collected"))
    assert len(first) == 1
    (endpoint,) = await subscribing.own(desk.deployment, ON)
    assert (endpoint.url, endpoint.types) == (HOOK, ("offer.collected",))
    page = f"/webhooks/{endpoint.id}"
    listed = await admin.get("/webhooks")
    assert HOOK in words(listed)
    assert secrets(listed) == secrets(await admin.get(page)) == []

    assert "A test is on its way" in words(await admin.post(page, {"wish": "test"}))
    receiver = Receiver(status=410)
    await of_issuer(desk, receiver).deliver_due()
    assert receiver.told() == [("webhook.test", {})]
    said = words(await admin.get(page))
    assert "given up" in said
    assert "answer 410" in said
    assert "Send them again" in said
    assert "No messages here" in words(await admin.get(f"{page}?state=delivered"))

    renewed = secrets(await admin.post(page, {"wish": "renew"}))
    assert len(renewed) == 1
    assert renewed != first
    assert "is on its way again" in words(await admin.post(page, {"wish": "retry"}))
    await of_issuer(desk, Receiver()).deliver_due()
    said = words(await admin.get(page))
    assert "answer 200" in said
    assert "Send them again" not in said

    assert "The address was removed" in words(await admin.post(page, {"wish": "remove"}))
    assert await subscribing.own(desk.deployment, ON) == ()
    assert (await admin.get(page)).status_code == 404
    log = words(await admin.get("/log"))
    for line in ("Webhook added", "New secret for a webhook", "Webhook removed"):
        assert line in log
    everything = (desk.settings.data_folder / "issuer.sqlite3").read_bytes()
    assert first[0].encode() not in everything


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "Fill this in"),
        ("http://records.example/", "must be complete"),
        ("https://localhost/", "must be complete"),
        ("records.example", "must be complete"),
        ("https://records.example/" + "a" * 2040, "longer than"),
    ],
)
async def test_what_is_no_address_is_told_beside_the_field(desk: Deployed, url: str, says: str) -> None:
    admin = await sign_in(desk, "admin")
    refused = await add(admin, url)
    assert refused.status_code == 422
    assert says in words(refused)
    assert await subscribing.own(desk.deployment, ON) == ()


async def test_the_same_address_twice_and_too_many(desk: Deployed) -> None:
    admin = await sign_in(desk, "admin")
    assert (await add(admin)).status_code == 200
    twice = await add(admin)
    assert twice.status_code == 422
    assert "on the list already" in words(twice)
    for number in range(1, subscribing.MOST):
        await subscribing.add(desk.deployment, ON, f"{HOOK}/{number}", (), actor="test")
    full = await add(admin, f"{HOOK}/more")
    assert full.status_code == 422
    assert str(subscribing.MOST) in words(full)
    assert len(await subscribing.own(desk.deployment, ON)) == subscribing.MOST


@pytest.mark.attack("W07")
@pytest.mark.good_twin("W07")
async def test_an_office_sees_and_changes_its_own_addresses_only(desk: Deployed) -> None:
    await employ(desk, authority=BC, suffix="-bc")
    webhooks = desk.deployment.webhooks
    mine, _ = await webhooks.add(HOOK, scope=ON, types=())
    everyones, _ = await webhooks.add("https://all.example/", scope="*", types=())
    stranger = await sign_in(desk, "admin-bc")
    listed = words(await stranger.get("/webhooks"))
    assert HOOK not in listed
    assert "all.example" not in listed
    assert "1 more address" in listed
    for endpoint in (mine, everyones):
        assert (await stranger.get(f"/webhooks/{endpoint.id}")).status_code == 404
        for wish in ("test", "retry", "renew", "remove"):
            answer = await stranger.post(f"/webhooks/{endpoint.id}", {"wish": wish}, page="/webhooks")
            assert answer.status_code == 404, wish
    assert {each.id: each.sealed_secret for each in await webhooks.all()} == {
        each.id: each.sealed_secret for each in (mine, everyones)
    }
    assert await webhooks.log(mine.id, state=None, limit=1) == ()
    at_home = await sign_in(desk, "admin")
    assert (await at_home.post(f"/webhooks/{mine.id}", {"wish": "remove"})).status_code == 200
    assert await webhooks.all() == (everyones,)


async def test_a_page_in_french_with_every_event_and_outcome(desk: Deployed) -> None:
    admin = await sign_in(desk, "admin", language="fr")
    endpoint, _ = await desk.deployment.webhooks.add(HOOK, scope=ON, types=TYPES)
    for wish in ("test", "nothing"):
        answer = await admin.post(f"/webhooks/{endpoint.id}", {"wish": wish})
        assert answer.status_code == (200 if wish == "test" else 422)
    await of_issuer(desk, Receiver(status=503)).deliver_due()
    said = words(await admin.get(f"/webhooks/{endpoint.id}"))
    assert "en attente" in said
    assert "Prochain envoi" in said
    assert "réponse 503" in said
    for kind in ("Attestation révoquée", "Offre refusée", "Révocation annulée"):
        assert kind in said
