"""The history can be switched off, but not for what its owner must know."""

from tests.services.wallet.test_pages import signed_in, token_in
from tests.services.wallet.town import WALLET, Person, Town


async def switch(person: Person, wish: str, token: str = "") -> int:
    """Press the button on the page of the history."""
    page = await person.client.get("/en/history")
    form = {"form_token": token or token_in(page.text), "wish": wish}
    return (await person.client.post("/en/history/switch", data=form, headers={"origin": WALLET})).status_code


async def test_nothing_is_noted_while_the_history_is_off(town: Town) -> None:
    maya = await signed_in(town)
    await maya.receive(await town.offer())
    before = await maya.history()
    assert len(before) == 1
    assert await switch(maya, "off", token="none") == 303
    assert await switch(maya, "sideways") == 303
    assert "Stop noting" in (await maya.client.get("/en/history")).text, "neither of them switched it off"
    assert await switch(maya, "off") == 303
    assert "Nothing is noted" in (await maya.client.get("/en/history")).text
    consent = await maya.consent((await town.ask())["link"])
    assert (await maya.agree(consent)).status_code == 200, "a presentation does not depend on the history"
    assert await maya.history() == before
    assert await switch(maya, "on") == 303
    consent = await maya.consent((await town.ask())["link"])
    assert (await maya.agree(consent)).status_code == 200
    assert len(await maya.history()) == 2


async def test_the_use_of_the_recovery_code_is_noted_all_the_same(town: Town) -> None:
    maya = await town.arrive("code")
    assert await switch(maya, "off") == 303
    made = await maya.post("session", name="code", recovery_code=maya.recovery_code)
    assert made.status_code == 200, made.text
    assert [each["what"] for each in await maya.history()] == ["recovery_code_used"]


async def test_nor_can_whoever_used_it_take_the_line_away(town: Town) -> None:
    maya = await town.arrive("code")
    await maya.receive(await town.offer())
    await maya.post("session", name="code", recovery_code=maya.recovery_code)
    page = (await maya.client.get("/en/history")).text
    assert page.count("/delete") == 1, "there is a button for the other line"
    for line in await maya.history():
        path = f"/en/history/{line['id']}/delete"
        await maya.client.post(path, data={"form_token": token_in(page)}, headers={"origin": WALLET})
    assert [each["what"] for each in await maya.history()] == ["recovery_code_used"]
