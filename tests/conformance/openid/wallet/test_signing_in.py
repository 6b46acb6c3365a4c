"""The wallet's module about scopes, derived from its name (no certification)."""

import pytest

from comity import strict_json
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.signing_in import PERSON_ID, received
from tests.services.wallet.test_authorizing import form_of, sent
from tests.services.wallet.town import Person, Town
from tests.support.in_process import fetched


@pytest.mark.derived("oid4vci-1_0-wallet-happy-path-with-scopes-without-authorization-details-in-token-response")
@pytest.mark.clause("VCI-20", "VCI-23")
async def test_scopes_without_authorization_details_in_the_token_response(town: Town, maya: Person) -> None:
    told: list[dict[str, object]] = []

    def without_details(request: FetchRequest, answer: Fetched | None) -> Fetched | None:
        if answer is None or answer.status != 200:
            return None
        body = strict_json.parse_object(answer.body)
        body.pop("authorization_details", None)
        told.append(body)
        return fetched(request.url, strict_json.serialise(body), town.clock, headers=dict(answer.headers))

    town.net.afterwards("/services/token", without_details)
    (credential,) = await received(town, maya)
    assert credential["result"]["verdict"] == "accepted"
    assert [form_of(each)["scope"] for each in sent(town, "par")][-1] == PERSON_ID
    assert told, "the token response was one without authorization_details"
