"""Cards to be read without network: what an open wallet hands to its browser, and to no other."""

import pytest

from tests.services.wallet.test_pages import signed_in, token_in
from tests.services.wallet.town import CLAIMS, PASSPHRASE, WALLET, Town

SPOOFED = {**CLAIMS["drivers-licence/1"], "family_name": "eil\u202eE\u200b"}


async def test_the_copy_says_what_the_cards_say_and_presents_nothing(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer("drivers-licence/1", claims=SPOOFED))
    (held,) = await maya.credentials()
    answer = await maya.client.get("/fr/offline/copy")
    told = answer.json()
    assert set(told) == {"owner", "taken_at", "cards"}
    (english,), (french,) = told["cards"]["en"], told["cards"]["fr"]
    assert (english["title"], french["title"]) == ("Driver’s licence", "Permis de conduire")
    assert english["badge"] == ["good", "Valid"]
    assert dict(english["claims"])["Licence number"] == dict(french["claims"])["Numéro de permis"]
    assert english["checked_at"] <= told["taken_at"] < english["valid_until"]
    assert english["holder"].endswith("eilE"), "what deceives is taken out, as on a page"
    raw = (await maya.client.get(f"/api/v1/credentials/{held['id']}/raw")).text
    pieces = {part for each in raw.split("~") for part in (each, *each.split(".")) if len(part) > 20}
    assert pieces
    assert [each for each in pieces if each in answer.text] == [], "nothing signed, and no disclosure"


@pytest.mark.attack("X12")
async def test_the_copy_of_one_person_ends_with_the_wallet_and_is_not_another_s(town: Town) -> None:
    maya, other = await signed_in(town), await town.arrive("other")
    first = await maya.client.get("/en/offline/copy")
    assert first.headers["cache-control"] == "no-store"
    assert first.json()["owner"] == (await maya.client.get("/fr/offline/copy")).json()["owner"]
    assert first.json()["owner"] != (await other.client.get("/en/offline/copy")).json()["owner"]
    token = token_in((await maya.client.get("/en/settings/delete")).text)
    form = {"form_token": token, "current": PASSPHRASE}
    answer = await maya.client.post("/en/settings/delete", data=form, headers={"origin": WALLET})
    assert '"storage"' in answer.headers["clear-site-data"], "the copy in this browser goes too"
    assert (await maya.client.get("/en/offline/copy")).status_code == 303
