"""A mistyped transaction code: how many tries are left where the issuer says so, and what the wallet says otherwise."""

from typing import Any

import pytest

from comity import strict_json
from comity.openid.issuance.attempts import MEMBER
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.test_consent_pages import brought, sent, words
from tests.services.wallet.test_pages import signed_in
from tests.services.wallet.town import Person, Town
from tests.support.in_process import Change, fetched


def wrong_for(offer: dict[str, Any]) -> str:
    code = str(offer["transaction_code"])
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def saying(town: Town, told: object) -> Change:
    """Return an issuer that tells ``told`` of the tries that are left; nothing when it is None."""

    def change(asked: FetchRequest, _: Fetched | None) -> Fetched:
        more = {} if told is None else {MEMBER: told}
        body = strict_json.serialise({"error": "invalid_grant", **more})
        return fetched(asked.url, body, town.clock, status=400)

    return change


async def at_offer(town: Town) -> tuple[Person, dict[str, Any], str]:
    maya, offer = await signed_in(town), await town.offer(transaction_code=True)
    return maya, offer, await brought(maya, offer["link"])


async def typed(maya: Person, path: str, code: str) -> str:
    answer = await sent(maya, path, answer="take", code=code)
    assert answer.status_code == 422
    assert code not in answer.text
    return answer.text


async def test_the_tries_left_are_told_and_at_the_end_that_the_offer_is_locked(town: Town) -> None:
    maya, offer, path = await at_offer(town)
    said = [await typed(maya, path.replace("/en/", f"/{lang}/"), wrong_for(offer)) for lang in ("en", "fr", "en", "en")]
    assert "Wrong code. 4 tries left." in said[0]
    assert "Code erroné. Il reste 3 essais." in said[1]
    assert "Wrong code. 1 try left." in said[3]
    assert 'role="alert"' in said[3]
    assert 'aria-invalid="true"' in said[3]
    assert "1 try left before the issuer locks the offer." in await words(maya, path)
    last = await typed(maya, path, wrong_for(offer))
    for page in (last, (await maya.client.get(path)).text):
        assert "The offer is locked</h1>" in page
        assert "Ask the issuer for a new offer" in page
        assert 'name="code"' not in page
    assert "L’offre est bloquée" in await words(maya, path.replace("/en/", "/fr/"))


async def test_the_right_code_after_a_wrong_one_brings_the_card(town: Town) -> None:
    maya, offer, path = await at_offer(town)
    await typed(maya, path, wrong_for(offer))
    answer = await sent(maya, path, answer="take", code=offer["transaction_code"])
    assert (answer.status_code, len(await maya.credentials())) == (303, 1)


@pytest.mark.parametrize("told", [None, -1, 100, True, "2", 2.5])
async def test_what_an_issuer_does_not_say_rightly_is_counted_here(town: Town, told: object) -> None:
    maya, offer, path = await at_offer(town)
    town.net.instead("/token", saying(town, told))
    page = await typed(maya, path, wrong_for(offer))
    assert "This is not the right code." in page
    assert "1 wrong try so far." in page
    assert "left" not in await words(maya, path)


async def test_for_a_program_a_locked_offer_has_a_code_of_its_own(town: Town, maya: Person) -> None:
    offer = await town.offer(transaction_code=True)
    for told, code in ((2, "transaction_code_wrong"), (0, "transaction_code_attempts_exhausted")):
        town.net.instead("/token", saying(town, told))
        answer = await maya.post("credentials", offer=offer["link"], transaction_code=wrong_for(offer))
        assert (answer.status_code, answer.json()["code"]) == (403, code)


async def test_an_offer_without_a_code_is_not_said_to_have_a_wrong_one(town: Town, maya: Person) -> None:
    offer = await town.offer()
    town.net.instead("/token", saying(town, 2))
    answer = await maya.post("credentials", offer=offer["link"])
    assert strict_json.parse_object(answer.content)["code"] == "code_already_used"
