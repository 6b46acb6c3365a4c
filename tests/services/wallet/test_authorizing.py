"""Signing in at an issuer from the wallet: what is asked, what is taken back, and having it again (VCI-20, VCI-21)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from comity import jose, keys
from comity.errors import Code, Unreachable
from comity.openid import dpop, pkce
from comity.ports import Fetched, FetchRequest
from comity.web import i18n
from issuer.sources import PeopleSource
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.signing_in import LICENCE_ID, PERSON_ID, Pages, received, started
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import ISSUER, ON, PERSON, VERIFIER, WALLET, Person, Town
from wallet.records import GRANT, KEY, PENDING, SIGN_IN

SERVER = "oauth-authorization-server"
HERE = f"{ISSUER}/{ON}"


def sent(town: Town, ending: str) -> list[FetchRequest]:
    return [each for each in town.net.asked if each.url.endswith(f"/services/{ending}")]


def form_of(request: FetchRequest) -> dict[str, str]:
    return dict(parse_qsl((request.body or b"").decode()))


def key_of(request: FetchRequest) -> str:
    return keys.thumbprint(jose.parse(request.headers[dpop.HEADER]).header["jwk"])


def people_say(town: Town, **claims: Any) -> None:
    file: Path = town.ground.folder / "people.json"
    file.write_text(json.dumps({"file-7": {"person": {**PERSON, **claims}}}), "utf-8")
    town.issuer_app.state.deployment.sources[ON] = PeopleSource(file)


def refused(answer: httpx.Response, code: str, status: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def sign_in_offer(town: Town) -> dict[str, Any]:
    body = {"authority": ON, "type": "person/1", "grant": "authorization_code"}
    answer = await town.desk.post("/api/v1/offers", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


# --- the way through


@pytest.mark.clause("VCI-20", "HAIP-issuer-and-wallet")
async def test_without_an_offer_the_person_signs_in_and_has_the_credential(town: Town, maya: Person) -> None:
    seen = await maya.post("issuers/preview", issuer=HERE)
    assert PERSON_ID in {each["configuration_id"] for each in seen.json()["credentials"]}
    assert seen.json()["sign_in"] is True
    [credential] = await received(town, maya)
    assert credential["result"]["verdict"] == "accepted"
    [pushed] = [each for each in sent(town, "par") if "nonce" in jose.payload_object(jose.parse(each.headers["dpop"]))]
    asked = form_of(pushed)
    assert asked["scope"] == PERSON_ID  # HAIP: by scope
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{WALLET}/callback"
    assert asked["client_id"] == WALLET
    redeemed = form_of(sent(town, "token")[-1])
    assert pkce.is_verified(redeemed["code_verifier"], asked["code_challenge"])
    assert len({key_of(each) for ending in ("par", "token", "credential") for each in sent(town, ending)}) == 1


@pytest.mark.attack("X08")
async def test_the_browser_carries_only_the_name_of_the_request(town: Town, maya: Person) -> None:
    query = dict(parse_qsl(urlsplit(await started(maya)).query))
    assert query.keys() == {"client_id", "request_uri"}


async def test_an_offer_by_sign_in_is_taken_and_its_state_goes_back(town: Town, maya: Person) -> None:
    offer = await sign_in_offer(town)
    seen = (await maya.post("offers/preview", offer=offer["link"])).json()
    assert seen["sign_in"] is True
    await received(town, maya, offer=offer["link"])
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    assert form_of(sent(town, "par")[-1])["issuer_state"] == state
    shown = (await town.desk.get(f"/api/v1/offers/{offer['offer_id']}")).json()
    assert shown["state"] == "delivered"


async def test_an_offer_with_a_code_is_not_signed_in_for_and_the_other_way_round(town: Town, maya: Person) -> None:
    with_code = await town.offer()
    refused(await maya.post("authorizations", offer=with_code["link"]), "offer_invalid", 400)
    by_sign_in = await sign_in_offer(town)
    refused(await maya.post("credentials", offer=by_sign_in["link"]), "offer_invalid", 400)
    assert len(await maya.receive(with_code)) == 1
    assert len(await received(town, maya, offer=by_sign_in["link"])) == 1


async def test_identifiers_that_come_with_a_token_are_used(town: Town, maya: Person) -> None:
    plainly = metadata_saying(town)

    def without_scope(request: FetchRequest, answer: Fetched | None) -> Fetched | None:
        plain = plainly(request, answer)
        found = json.loads(plain.body)
        for each in found["credential_configurations_supported"].values():
            each.pop("scope", None)
        return Fetched(**{**_members(plain), "body": json.dumps(found).encode()})

    town.net.afterwards("openid-credential-issuer", without_scope)
    await received(town, maya)
    assert "authorization_details" in form_of(sent(town, "par")[-1])
    body = json.loads(sent(town, "credential")[-1].body or b"{}")
    assert "credential_configuration_id" not in body
    assert body["credential_identifier"].startswith(PERSON_ID)


def _members(answer: Fetched) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in ("url", "status", "content_type", "headers", "fetched_at")}


async def test_the_browser_lands_on_the_page_in_the_persons_language(town: Town, maya: Person) -> None:
    brought = await Pages(town).agree(await started(maya))
    stranger = await town.visit()  # without the cookie, as a browser that comes from another site
    landed = await stranger.client.get("/callback", params=brought, headers={"accept-language": "fr"})
    assert (landed.status_code, landed.headers["location"][:13]) == (303, "/fr/callback?")
    page = await stranger.client.get(landed.headers["location"])
    assert f"code={brought['code']}" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_coming_back_from_our_own_site_only_and_once(town: Town, maya: Person) -> None:
    brought = {"brought": urlencode(await Pages(town).agree(await started(maya)))}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await maya.client.post("/en/callback", data=brought, headers=headers)).status_code == 403
    stranger = await town.visit()
    locked = await stranger.client.post("/en/callback", data=brought, headers={"origin": WALLET})
    assert locked.status_code == 401
    assert 'name="kept.brought"' in locked.text, "nothing is lost while the person unlocks the wallet"
    assert await maya.credentials() == []
    done = await maya.client.post("/fr/callback", data=brought, headers={"origin": WALLET})
    (kept,) = await maya.credentials()
    assert (done.status_code, done.headers["location"]) == (303, f"/fr/cards/{kept['id']}?new=yes")
    again = await maya.client.post("/fr/callback", data=brought, headers={"origin": WALLET})
    assert again.status_code == 403
    assert len(await maya.credentials()) == 1


async def test_a_refusal_there_is_said_in_words_here(town: Town, maya: Person) -> None:
    brought = {"brought": urlencode(await Pages(town).agree(await started(maya), answer="refuse"))}
    page = await maya.client.post("/fr/callback", data=brought, headers={"origin": WALLET})
    assert page.status_code == 403
    assert i18n.text("wallet.sign_in.ended_title", "fr") in page.text


@pytest.mark.attack("I21")
@pytest.mark.good_twin("I21")
async def test_another_persons_answer_is_not_taken_on_the_page(town: Town, maya: Person) -> None:
    """I21: a code that an attacker plants, by a form or by a link, belongs to no sign-in of this wallet."""
    noah = await town.arrive("noah")
    brought = {"brought": urlencode(await Pages(town).agree(await started(noah)))}
    answer = await maya.client.post("/en/callback", data=brought, headers={"origin": WALLET})
    assert answer.status_code == 403
    assert await maya.credentials() == []
    assert (await noah.client.post("/en/callback", data=brought, headers={"origin": WALLET})).status_code == 303


async def test_what_the_page_shows_is_escaped(town: Town) -> None:
    stranger = await town.visit()
    landed = await stranger.client.get("/en/callback", params={"code": '"><script>alert(1)</script>', "state": "s"})
    assert "<script>alert" not in landed.text


# --- mix-up, fixation, downgrade (I21)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "of-nobody"}, "state_mismatch"),
        ({"state": None}, "state_mismatch"),
        ({"iss": f"{ISSUER}/ca-bc/services"}, "issuer_mismatch"),
        ({"iss": f"{HERE}/"}, "issuer_mismatch"),
        ({"iss": None}, "issuer_mismatch"),
    ],
    ids=str,
)
@pytest.mark.clause("VCI-21")
@pytest.mark.attack("I12", "I21")
@pytest.mark.good_twin("I12", "I21")
async def test_an_answer_of_somebody_else_is_not_taken(
    town: Town, maya: Person, change: dict[str, str | None], code: str
) -> None:
    brought = await Pages(town).agree(await started(maya))
    before = len(sent(town, "token"))
    changed = {name: value for name, value in (brought | change).items() if value is not None}
    refused(await maya.post("authorizations/finish", **changed), code, 403)
    assert len(sent(town, "token")) == before  # the code went nowhere
    assert (await maya.post("authorizations/finish", **brought)).status_code == 201


async def test_a_sign_in_of_one_person_is_not_finished_in_the_wallet_of_another(town: Town, maya: Person) -> None:
    brought = await Pages(town).agree(await started(maya))
    mallory = await town.arrive("mallory")
    refused(await mallory.post("authorizations/finish", **brought), "state_mismatch", 403)
    assert (await maya.post("authorizations/finish", **brought)).status_code == 201


@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_an_answer_is_taken_once_and_in_time(town: Town, maya: Person) -> None:
    brought = await Pages(town).agree(await started(maya))
    assert (await maya.post("authorizations/finish", **brought)).status_code == 201
    refused(await maya.post("authorizations/finish", **brought), "state_mismatch", 403)
    late = await Pages(town).agree(await started(maya))
    town.clock.advance(timedelta(hours=1))
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    refused(await maya.post("authorizations/finish", **late), "state_mismatch", 403)
    await started(maya)  # which forgets what nobody came back to
    assert len(await (await opened(town)).all(SIGN_IN)) == 1


async def test_who_refuses_at_the_issuer_has_nothing(town: Town, maya: Person) -> None:
    brought = await Pages(town).agree(await started(maya), answer="refuse")
    assert brought["error"] == "access_denied"
    refused(await maya.post("authorizations/finish", **brought), "sign_in_failed", 403)
    assert await maya.credentials() == []
    refused(await maya.post("authorizations/finish", **brought), "state_mismatch", 403)


@pytest.mark.parametrize(
    "said",
    [
        {"pushed_authorization_request_endpoint": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"authorization_endpoint": None},
        {"grant_types_supported": ["urn:ietf:params:oauth:grant-type:pre-authorized_code"]},
        {"authorization_endpoint": f"{VERIFIER}/authorize"},
        {"pushed_authorization_request_endpoint": f"{ISSUER}/ca-bc/services/par"},
        {"issuer": f"{HERE}/"},
    ],
    ids=str,
)
@pytest.mark.attack("I12")
@pytest.mark.good_twin("I12")
async def test_a_server_that_is_not_safe_enough_is_not_asked(town: Town, maya: Person, said: dict[str, Any]) -> None:
    def change(request: FetchRequest, answer: Fetched | None) -> Fetched | None:
        assert answer is not None
        found = {name: value for name, value in (json.loads(answer.body) | said).items() if value is not None}
        return Fetched(**{**_members(answer), "body": json.dumps(found).encode()})

    town.net.afterwards(SERVER, change)
    refused(await maya.post("authorizations", issuer=HERE, configuration_ids=[PERSON_ID]), "metadata_invalid", 400)
    assert sent(town, "par") == []
    town.net.heal()
    assert await started(maya)


async def test_of_several_servers_the_one_that_lets_people_sign_in_is_asked(town: Town, maya: Person) -> None:
    other = f"{ISSUER}/ca-bc/services"
    town.net.afterwards("openid-credential-issuer", metadata_saying(town, authorization_servers=[other, HERE]))
    await started(maya)
    asked = form_of(sent(town, "par")[-1])
    assert asked["resource"] == HERE


async def test_a_stranger_is_not_an_issuer(town: Town, maya: Person) -> None:
    for issuer in ("javascript:alert(1)", "https://x.example/?a=b", "nowhere"):
        refused(await maya.post("authorizations", issuer=issuer), "metadata_invalid", 400)


# --- again


async def test_a_credential_is_renewed_with_what_the_authority_says_today(town: Town, maya: Person) -> None:
    [old] = await received(town, maya)
    people_say(town, locality="Thunder Bay")
    before = await (await opened(town)).all(KEY)
    answer = await maya.post(f"credentials/{old['id']}/renew")
    assert answer.status_code == 201, answer.text
    [held] = await maya.credentials()
    assert held["id"] == answer.json()["id"] != old["id"]
    claims = (await maya.get(f"credentials/{held['id']}"))["claims"]
    assert "Thunder Bay" in str(claims)
    after = await (await opened(town)).all(KEY)
    assert len(after) == 1
    assert {each.id for each in after}.isdisjoint(each.id for each in before)  # another key, the old one is gone
    again = await maya.post(f"credentials/{held['id']}/renew")  # with the next refresh token
    assert again.status_code == 201, again.text
    refreshes = [form_of(each) for each in sent(town, "token") if form_of(each)["grant_type"] == "refresh_token"]
    assert len({each["refresh_token"] for each in refreshes}) == 2
    assert len({key_of(each) for each in sent(town, "token")}) == 1  # bound to one key, all the time


async def test_looking_again_does_not_lose_how_to_renew(town: Town, maya: Person) -> None:
    [old] = await received(town, maya)
    await town.issuer_app.state.deployment.publisher.publish_due()
    assert (await maya.post("status-refresh")).status_code == 200
    assert (await maya.post(f"credentials/{old['id']}/renew")).status_code == 201


async def test_what_came_by_a_code_needs_a_sign_in(town: Town, maya: Person) -> None:
    [held] = await maya.receive(await town.offer())
    refused(await maya.post(f"credentials/{held['id']}/renew"), "sign_in_needed", 403)
    assert len(await maya.credentials()) == 1


async def test_an_issuer_that_takes_the_token_no_more_leaves_the_old_copy(town: Town, maya: Person) -> None:
    [old] = await received(town, maya)
    town.net.instead("services/token", Unreachable(Code.UNREACHABLE, "lost"))
    refused(await maya.post(f"credentials/{old['id']}/renew"), "unreachable", 502)
    town.net.heal()
    people_say(town)
    town.clock.advance(timedelta(days=31))
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    refused(await maya.post(f"credentials/{old['id']}/renew"), "sign_in_needed", 403)
    assert [each["id"] for each in await maya.credentials()] == [old["id"]]
    assert await (await opened(town)).all(GRANT) == []


async def test_a_deleted_credential_takes_its_refresh_token_along(town: Town, maya: Person) -> None:
    first, second = await received(town, maya), await received(town, maya, issuer=HERE, configuration_ids=[LICENCE_ID])
    assert len(await (await opened(town)).all(GRANT)) == 2
    await maya.remove(f"credentials/{first[0]['id']}")
    assert len(await (await opened(town)).all(GRANT)) == 1
    assert (await maya.post(f"credentials/{second[0]['id']}/renew")).status_code == 201


async def test_an_answer_lost_on_the_way_is_asked_for_again_and_can_still_be_renewed(town: Town, maya: Person) -> None:
    brought = await Pages(town).agree(await started(maya))
    town.net.afterwards("services/credential", Unreachable(Code.UNREACHABLE, "lost"))
    refused(await maya.post("authorizations/finish", **brought), "unreachable", 502)
    town.net.heal()
    assert len(await (await opened(town)).all(PENDING)) == 1
    await maya.post("session", name="maya", passphrase="a long enough passphrase")
    [held] = await maya.credentials()
    assert (await maya.post(f"credentials/{held['id']}/renew")).status_code == 201
