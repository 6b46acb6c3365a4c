"""What a verifier is told when its request cannot be answered, and that nobody is told unasked (profile 6.8, DQ-5)."""

from typing import Any
from urllib.parse import parse_qs

import pytest

from comity.keys import KeySigner
from tests.services.wallet.test_requests import signed_again
from tests.services.wallet.town import BC, Person, Town

RESPONSES = "/openid/responses/"


def posts(town: Town) -> list[dict[str, list[str]]]:
    return [parse_qs((each.body or b"").decode()) for each in town.net.asked if RESPONSES in each.url]


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"transaction_data": ["e30"]}, "invalid_transaction_data"),
        ({"scope": "age"}, "invalid_request"),
        ({"scope": "age", "dcql_query": None}, "invalid_scope"),
        ({"client_metadata": {"vp_formats_supported": {"mso_mdoc": {}}}}, "vp_formats_not_supported"),
        ({"redirect_uri": "https://verifier.example/r"}, "invalid_request"),
    ],
)
async def test_the_verifier_is_told_when_the_person_wants_it(
    town: Town, maya: Person, claims: dict[str, Any], error: str
) -> None:
    await maya.receive(await town.offer())
    started = await town.ask()
    town.net.afterwards("/openid/requests/", signed_again(town, **claims))
    assert (await maya.post("presentations", request=started["link"])).status_code == 400
    assert posts(town) == []
    told = await maya.post("presentations/refusal", request=started["link"])
    assert (told.status_code, told.json()) == (200, {"error": error})
    (sent,) = posts(town)
    assert (sent["error"], set(sent)) == ([error], {"error", "state"})
    result = (await town.result(started))["result"]
    assert (result["verdict"], result["codes"]) == ("rejected", ["wallet_refused"])
    assert result["checks"][0]["facts"] == {"error": error}
    (line,) = [each for each in await maya.history() if each["what"] == "unanswerable"]
    assert (line["error"], line["who"]["known"]) == (error, True)


@pytest.mark.attack("P18", "X09")
@pytest.mark.good_twin("P18")
async def test_a_lack_is_told_as_a_no_is(town: Town, maya: Person) -> None:
    """X09, DQ-5: byte for byte the answer of somebody who declines, but for the state."""
    started = await town.ask()
    told = await maya.post("presentations/refusal", request=started["link"])
    assert told.json() == {"error": "access_denied"}
    await maya.receive(await town.offer())
    consent = await maya.consent((await town.ask())["link"])
    assert (await maya.agree(consent, decline=True)).status_code == 200
    lack, no = posts(town)
    assert lack.pop("state") != no.pop("state")
    assert lack == no


async def test_what_can_be_answered_is_not_refused(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    answer = await maya.post("presentations/refusal", request=(await town.ask())["link"])
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert posts(town) == []


@pytest.mark.attack("P15")
async def test_a_forger_is_told_nothing(town: Town, maya: Person) -> None:
    """P15: the key is not the verifier's, or the address is not one it may name."""
    started = await town.ask()
    forged = signed_again(town, by=KeySigner.generate(), transaction_data=["e30"])
    town.net.afterwards("/openid/requests/", forged)
    assert (await maya.post("presentations/refusal", request=started["link"])).status_code == 400
    town.net.afterwards("/openid/requests/", signed_again(town, response_mode="fragment"))
    assert (await maya.post("presentations/refusal", request=started["link"])).status_code == 400
    assert posts(town) == []


@pytest.mark.attack("P12")
@pytest.mark.good_twin("P12")
async def test_a_third_party_without_the_state_aborts_nothing(town: Town, maya: Person) -> None:
    """P12."""
    await maya.receive(await town.offer())
    started = await town.ask()
    for body in ("error=access_denied", "error=access_denied&state=guessed"):
        path = f"{RESPONSES}{started['request_id']}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await town.counter.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "state_mismatch")
    assert (await maya.agree(await maya.consent(started["link"]))).status_code == 200
    assert (await town.result(started))["result"]["verdict"] == "accepted"


# --- names and choices


@pytest.mark.attack("P14")
@pytest.mark.good_twin("P14")
async def test_a_name_without_prefix_counts_where_it_is_registered(town: Town, maya: Person) -> None:
    """6.2: nobody is pre-registered but who is in the registry, with the key that signed."""
    await maya.receive(await town.offer())
    plain: dict[str, Any] = {"client_id": "corner-store", "client_metadata": None, "response_mode": "direct_post"}
    link = (await town.ask())["link"]
    link = f"openid4vp://?client_id=corner-store&{link.partition('&')[2]}"
    town.net.afterwards("/openid/requests/", signed_again(town, **plain))
    refused = await maya.post("presentations", request=link)
    assert (refused.status_code, refused.json()["code"]) == (403, "verifier_unknown")
    entry = town.ground.verifier_entry(client_ids=["corner-store"])
    await town.apply({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": entry})
    assert (await maya.consent(link))["who"]["known"] is True
    # Nothing in the certificate names it: one that the same authority gave to somebody else must not do.
    another = {**entry, "key_thumbprints": [KeySigner.generate().thumbprint]}
    await town.apply({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": another})
    forged = await maya.post("presentations", request=link)
    assert (forged.status_code, forged.json()["code"]) == (400, "certificate_untrusted")
    town.net.afterwards("/openid/requests/", signed_again(town, **{**plain, "client_metadata": {}}))
    again = await maya.post("presentations", request=link)
    assert (again.status_code, again.json()["code"]) == (400, "request_invalid")


@pytest.mark.parametrize("limits", ["sd-jwt_alg_values", "kb-jwt_alg_values"])
async def test_what_the_verifier_cannot_read_is_not_offered_to_it(town: Town, maya: Person, limits: str) -> None:
    """VP-4, annex B.3.4: the algorithms of credential and holder proof are among those that it lists."""
    await maya.receive(await town.offer())
    for algorithm, status in (("ES384", 403), ("ES256", 201)):
        formats = {"vp_formats_supported": {"dc+sd-jwt": {limits: [algorithm]}}}
        change = signed_again(town, response_mode="direct_post", client_metadata=formats)
        town.net.afterwards("/openid/requests/", change)
        answer = await maya.post("presentations", request=(await town.ask())["link"])
        assert (answer.status_code, answer.json().get("code")) in {(403, "no_matching_credential"), (201, None)}
        assert answer.status_code == status


@pytest.mark.parametrize("prefix", ["openid_federation", "origin", "unknown"])
@pytest.mark.attack("P14")
async def test_other_prefixes_are_refused_before_anything_is_fetched(town: Town, maya: Person, prefix: str) -> None:
    link = (await town.ask())["link"].replace("x509_hash", prefix)
    refused = await maya.post("presentations", request=link)
    assert (refused.status_code, refused.json()["code"]) == (400, "request_invalid")
    assert not any("/openid/" in each.url for each in town.net.asked)


@pytest.mark.parametrize("is_scanned", [True, False])
@pytest.mark.attack("P04")
@pytest.mark.good_twin("P04")
async def test_what_was_scanned_comes_with_a_warning(town: Town, maya: Person, is_scanned: bool) -> None:
    """P04, VP-23."""
    await maya.receive(await town.offer())
    answer = await maya.post("presentations", request=(await town.ask())["link"], scanned=is_scanned)
    assert len(answer.json()["warnings"]) == is_scanned


async def test_several_are_sent_where_several_are_asked_for(town: Town, maya: Person) -> None:
    """DQ-1: `multiple`; the person says which; one twice or one too many is refused before anything leaves."""
    (first,) = await maya.receive(await town.offer())
    (second,) = await maya.receive(await town.offer("person/1", BC))
    both = {"person_sdjwt": [first["id"], second["id"]]}
    only: dict[str, Any] = {"id": "person_sdjwt", "format": "dc+sd-jwt", "claims": [{"path": ["age_over_18"]}]}
    only["meta"] = {"vct_values": ["https://types.comity.example/person/1"]}
    for multiple, expected in ((False, 400), (True, 200)):
        query = {"credentials": [{**only, "multiple": multiple}]}
        town.net.afterwards("/openid/requests/", signed_again(town, dcql_query=query))
        consent = await maya.consent((await town.ask())["link"])
        twice = await maya.agree(consent, selection={"person_sdjwt": [first["id"], first["id"]]})
        assert twice.status_code == 400
        town.net.instead(RESPONSES, lambda request, _: _ok(town, request))
        answer = await maya.agree(consent, selection=both)
        assert answer.status_code == expected, answer.text
        town.net.heal()
        assert not multiple or answer.json()["credentials"] == [first["id"], second["id"]]


async def test_a_selection_that_leaves_out_what_is_required_is_refused(town: Town, maya: Person) -> None:
    """DQ-6."""
    await maya.receive(await town.offer())
    (licence,) = await maya.receive(await town.offer("drivers-licence/1"))
    kinds = {"person": "person/1", "licence": "drivers-licence/1"}
    query = {
        "credentials": [
            {
                "id": name,
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [f"https://types.comity.example/{kind}"]},
                "claims": [{"path": ["age_over_18"]}],
            }
            for name, kind in kinds.items()
        ],
        "credential_sets": [{"options": [["person"]]}, {"options": [["licence"]], "required": False}],
    }
    town.net.afterwards("/openid/requests/", signed_again(town, dcql_query=query))
    consent = await maya.consent((await town.ask())["link"])
    assert consent["needed"] == ["person"]
    refused = await maya.agree(consent, selection={"licence": licence["id"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "no_matching_credential")
    assert posts(town) == []


def _ok(town: Town, request: Any) -> Any:
    from tests.support.in_process import fetched

    return fetched(request.url, b"{}", town.clock)
