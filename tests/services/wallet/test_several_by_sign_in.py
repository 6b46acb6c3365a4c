"""Credentials of several types by one sign-in: one request, one token, each credential (OpenID4VCI 1.0 §5.1)."""

import json
from urllib.parse import quote

import pytest

from tests.services.wallet.signing_in import LICENCE_ID, PERSON_ID, received
from tests.services.wallet.test_authorizing import HERE, form_of, sent
from tests.services.wallet.town import Person, Town

BOTH = [PERSON_ID, LICENCE_ID]
TYPES = ["https://types.comity.example/drivers-licence/1", "https://types.comity.example/person/1"]


async def types_of(person: Person) -> list[str]:
    return sorted(each["type"] for each in await person.credentials())


@pytest.mark.clause("VCI-20")
async def test_without_an_offer_the_person_chooses_two(town: Town, maya: Person) -> None:
    credentials = await received(town, maya, issuer=HERE, configuration_ids=BOTH)
    assert [each["result"]["verdict"] for each in credentials] == ["accepted", "accepted"]
    assert {form_of(each)["scope"] for each in sent(town, "par")} == {" ".join(BOTH)}
    assert len({form_of(each)["code"] for each in sent(town, "token")}) == 1
    assert await types_of(maya) == TYPES


@pytest.mark.clause("VCI-11", "VCI-20")
async def test_an_offer_that_names_two_is_taken_as_a_whole(town: Town, maya: Person) -> None:
    offer = {"credential_issuer": HERE, "credential_configuration_ids": BOTH, "grants": {"authorization_code": {}}}
    link = f"openid-credential-offer://?credential_offer={quote(json.dumps(offer))}"
    credentials = await received(town, maya, offer=link)
    assert [each["result"]["verdict"] for each in credentials] == ["accepted", "accepted"]
    licence = next(each for each in await maya.credentials() if each["type"].endswith("drivers-licence/1"))
    renewed = await maya.post(f"credentials/{licence['id']}/renew")
    assert renewed.status_code == 201, renewed.text
    assert form_of(sent(town, "token")[-1])["scope"] == LICENCE_ID, "nobody's other record is read for it"
    assert await types_of(maya) == TYPES
