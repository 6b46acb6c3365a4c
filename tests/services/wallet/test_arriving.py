"""An offer that a link or somebody's message brings: nobody is asked and no code is typed before the person looks."""

from urllib.parse import urlsplit

import pytest

from comity.ports import FetchRequest
from comity.web import i18n
from tests.services.wallet.test_consent_pages import brought, words
from tests.services.wallet.test_pages import signed_in
from tests.services.wallet.town import ISSUER, STRANGER, VERIFIER, Town


@pytest.mark.attack("I24")
@pytest.mark.good_twin("I24")
async def test_a_link_reaches_nobody_before_the_person_goes_on(town: Town) -> None:
    offer, maya = await town.offer(), await signed_in(town)
    link = f"/open?{urlsplit(offer['link']).query}"
    asked = await town.ask()
    for address in (link, f"/en{link}", f"/open?{urlsplit(asked['link']).query}"):
        for visitor in (maya, await town.visit()):
            answer = await visitor.client.get(address)
            assert answer.status_code in {200, 303}
            assert visitor is not maya or answer.status_code == 303 or 'action="/en/door"' in answer.text
    path = await brought(maya, offer["link"])
    assert heard(town) == []  # the page of the offer reads it, when it is looked at
    assert "ServiceOntario" in await words(maya, path)
    assert {each.method for each in heard(town)} == {"GET"}


def heard(town: Town) -> list[FetchRequest]:
    """What issuers and verifiers were asked; the registry is read on a timer, whatever anybody brings."""
    return [each for each in town.net.asked if each.url.startswith((ISSUER, VERIFIER))]


@pytest.mark.attack("I19")
@pytest.mark.good_twin("I19")
async def test_who_issues_stands_above_the_field_for_the_code(town: Town) -> None:
    """A stranger uses a name that people know: before a code is typed its address is shown, and that nobody vouches."""
    maya = await signed_in(town)
    honest = await town.offer(transaction_code=True)
    lure = await town.offer(authority=STRANGER, transaction_code=True)
    pages = {}
    for offer in (honest, lure):
        text = (await maya.client.get(await brought(maya, offer["link"]))).text
        before, field, _ = text.partition('name="code"')
        assert field, "the offer asks for a code"
        assert f"{ISSUER}/{offer['authority']}" in before
        pages[offer["authority"]] = before
    vouched, unknown = i18n.text("wallet.issuer_known", "en"), i18n.text("wallet.issuer_unknown", "en")
    assert [(vouched in each, unknown in each) for each in pages.values()] == [(True, False), (False, True)]
    assert not any("/token" in each.url for each in town.net.asked)
