"""What other sites can read of the wallet, and what of theirs it loads: nothing (W03, W10)."""

from typing import Any

import httpx
import pytest

from comity.web import i18n
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.test_consent_pages import brought
from tests.services.wallet.test_pages import signed_in
from tests.services.wallet.town import STATUS, WALLET, Town

EVIL = "https://evil.example"


@pytest.mark.attack("W10")
@pytest.mark.good_twin("W10")
async def test_no_answer_about_a_person_is_for_other_sites(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    for path in ("/api/v1/credentials", "/api/v1/history", "/en/history", "/healthz"):
        for method, more in (("GET", {}), ("OPTIONS", asking)):
            answer = await maya.client.request(method, path, headers={"origin": EVIL, **more})
            assert not [name for name in answer.headers if name.startswith("access-control-")], path
    own = await maya.client.get("/api/v1/credentials", headers={"origin": WALLET})
    assert len(own.json()["credentials"]) == 1
    # Status lists are for everybody, and for nobody's cookies.
    held = [each.url for each in town.net.asked if each.url.startswith(STATUS)]
    assert held, "the list of the credential was read"
    public = await lists(town, held[0])
    assert public["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in public


async def lists(town: Town, url: str) -> dict[str, str]:
    """Return the headers under which a status list is served to another site."""
    transport = httpx.ASGITransport(town.net.hosts[STATUS])
    async with httpx.AsyncClient(transport=transport, base_url=STATUS) as client:
        return dict((await client.get(url.removeprefix(STATUS), headers={"origin": EVIL})).headers)


@pytest.mark.parametrize(
    "logo", ["https://tracker.example/pixel.png", "javascript:alert(1)", "data:image/svg+xml,<svg/>"]
)
@pytest.mark.attack("W03", "X02")
@pytest.mark.good_twin("W03")
async def test_a_logo_is_neither_fetched_nor_shown(town: Town, logo: str) -> None:
    """An issuer that draws its logo from its own host would see each look at a card; the name is what is shown."""
    maya, offer = await signed_in(town), await town.offer()
    display: list[dict[str, Any]] = [{"name": "Registry office", "locale": "en", "logo": {"uri": logo}}]
    town.net.afterwards("openid-credential-issuer", metadata_saying(town, display=display))
    shown = (await maya.client.get(await brought(maya, offer["link"]))).text
    assert logo not in shown
    assert "tracker" not in shown
    assert i18n.text("wallet.issuer_known", "en") in shown
    (kept,) = await maya.receive(offer)
    card = (await maya.client.get(f"/en/cards/{kept['id']}")).text
    assert "tracker" not in card
    assert "javascript:" not in card
    assert not any("tracker" in each.url for each in town.net.asked)
