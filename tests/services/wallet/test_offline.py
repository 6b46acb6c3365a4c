"""Cards to be read without network: what an open wallet hands to its browser, and to no other."""

import io
from typing import Any

import pytest
from PIL import Image

from comity import base64url, formats
from comity.web import parts, qr
from tests.services.wallet.test_pages import signed_in, token_in
from tests.services.wallet.town import BC, CLAIMS, PASSPHRASE, WALLET, Person, Town

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


async def codes_of(person: Person, tells: str) -> list[dict[str, Any] | None]:
    """Return for each card what its code discloses, as a counter reads it; None for a card without a code."""
    answer = await person.client.get("/en/offline/copy", params={"tells": tells})
    assert answer.status_code == 200
    told = answer.json()
    found = zip(told["cards"]["en"], told["codes"]["codes"], strict=True)
    return [code and disclosed(code) for _, code in sorted(found, key=lambda each: str(each[0]["title"]))]


def disclosed(code: dict[str, Any]) -> dict[str, Any]:
    gathered = parts.gather([qr.read(picture(*each)) for each in code["frames"]])
    assert gathered.text
    opened = formats.FORMATS[formats.of(gathered.text)].open(gathered.text)
    assert opened.proof is None, "no holder's proof"
    claims = dict(formats.FORMATS[opened.format].process(opened.credentials[0]).claims)
    assert len(code["facts"]["en"]) == len(code["facts"]["fr"]) == len(claims), "what is told is said"
    return claims


def picture(size: int, bits: str) -> bytes:
    octets = base64url.decode(bits)
    drawn = Image.new("L", (size, size), 255)
    for place in range(size * size):
        if octets[place // 8] >> (7 - place % 8) & 1:
            drawn.putpixel((place % size, place // size), 0)
    out = io.BytesIO()
    drawn.resize((size * 4, size * 4)).save(out, "PNG")
    return out.getvalue()


async def test_codes_tell_what_the_person_allowed_and_nothing_more(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer("person/1"))
    await maya.receive(await town.offer("serving-it-right/1", authority=BC))
    person, server = await codes_of(maya, "least")
    names = {name: CLAIMS["person/1"][name] for name in ("given_names", "family_name")}
    ages = {"age_over_18": True, "age_over_19": True, "age_over_21": True}
    assert person == {**names, **ages}, "and no fact that is a no"
    assert server is None, "it has no such fact"
    person, server = await codes_of(maya, "most")
    assert server == CLAIMS["serving-it-right/1"]
    assert person == CLAIMS["person/1"]
    for wrong in ("all", "", "Least"):
        refused = await maya.client.get("/en/offline/copy", params={"tells": wrong})
        assert refused.status_code == 400, wrong


async def test_a_card_that_hides_nothing_has_a_code_only_where_all_may_be_told(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer("person/1", formats=["vc+jwt"]))
    assert await codes_of(maya, "least") == [None]
    assert await codes_of(maya, "most") == [CLAIMS["person/1"]]


async def test_codes_are_drawn_again_only_when_a_card_came_or_went(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer("person/1"))
    first = (await maya.client.get("/en/offline/copy?tells=least")).json()["codes"]
    same = (await maya.client.get("/en/offline/copy", params={"tells": "least", "drawn": first["mark"]})).json()[
        "codes"
    ]
    assert same == {"mark": first["mark"], "codes": None}
    more = (await maya.client.get("/en/offline/copy", params={"tells": "most", "drawn": first["mark"]})).json()["codes"]
    assert more["mark"] != first["mark"]
    assert more["codes"] is not None
    await maya.receive(await town.offer("drivers-licence/1"))
    new = (await maya.client.get("/en/offline/copy", params={"tells": "least", "drawn": first["mark"]})).json()["codes"]
    assert new["mark"] != first["mark"]
    assert len(new["codes"]) == 2


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
