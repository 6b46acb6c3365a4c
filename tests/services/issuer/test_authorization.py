"""The authorization code flow: pushed request, sign-in, consent, code, token, credential (VCI-20 to VCI-23)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from comity import formats, jose
from comity.keys import KeySigner
from comity.openid import key_proof
from comity.openid.oauth import PRE_AUTHORIZED_GRANT, AuthorizationServerMetadata
from issuer.store import desk
from tests.services.issuer.deployed import BC, CANARY, ON, PUBLIC_URL, Deployed, Place, running
from tests.services.issuer.signing_in import CLIENT, FILE, PERSON, Browser, Wallet, answer_of

DETAILS = json.dumps([{"type": "openid_credential", "credential_configuration_id": PERSON}])


@pytest.fixture
def wallet(issuer: Deployed) -> Wallet:
    return Wallet(issuer)


@pytest.fixture
def bound(issuer: Deployed) -> Wallet:
    return Wallet(issuer, key=KeySigner.generate())


async def actions(issuer: Deployed) -> list[str]:
    everything = desk.LogFilter()
    lines = await issuer.deployment.database.read(
        lambda connection: desk.log(connection, ON, everything, before=None, limit=50)
    )
    return [each.event.action for each in reversed(lines)]


# --- the way through


async def test_the_metadata_describe_the_flow(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")
    found = AuthorizationServerMetadata.parse(answer.content, issuer=f"{PUBLIC_URL}/{ON}")
    assert found.grant_types == (PRE_AUTHORIZED_GRANT, "authorization_code", "refresh_token")
    flow = found.code_flow
    assert flow is not None
    assert (flow.authorization_endpoint, flow.pushed_endpoint) == (
        f"{PUBLIC_URL}/{ON}/authorize",
        f"{PUBLIC_URL}/{ON}/par",
    )
    assert flow.names_issuer
    assert flow.takes_details
    assert flow.challenge_methods == ("S256",)
    assert PERSON in flow.scopes
    said = answer.json()
    assert said["require_pushed_authorization_requests"] is True
    assert said["response_types_supported"] == ["code"]


async def test_an_authority_without_a_source_offers_no_sign_in(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/oauth-authorization-server/{BC}")
    assert answer.json()["grant_types_supported"] == [PRE_AUTHORIZED_GRANT]
    assert "authorization_endpoint" not in answer.json()
    assert (await Wallet(issuer, BC).push()).status_code == 404
    assert (await issuer.client.get(f"/{BC}/authorize?client_id=a&request_uri=b")).status_code == 404


@pytest.mark.clause("HAIP-issuer-and-wallet")
async def test_a_person_signs_in_and_the_wallet_gets_the_credential_of_that_file(wallet: Wallet) -> None:
    issuer, browser = wallet.issuer, Browser(wallet.issuer)
    pushed = await wallet.push()
    assert pushed.status_code == 201
    assert pushed.headers["cache-control"] == "no-store"
    assert pushed.json()["expires_in"] == 60
    begun = await browser.get(wallet.start_url(pushed.json()["request_uri"]))
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    listed = await browser.get(begun.headers["location"])
    assert f"Maya {CANARY}" in listed.text
    signed_in = await browser.choose(begun.headers["location"], person=FILE)
    asked = await browser.get(signed_in.headers["location"])
    assert "wallet.example" in asked.text
    back = answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))
    assert back.keys() == {"code", "state", "iss"}
    assert (back["state"], back["iss"]) == ("s t&ate", f"{PUBLIC_URL}/{ON}")
    answer = await wallet.redeem(back["code"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert answer.json()["scope"] == PERSON
    issued = await wallet.ask(answer.json()["access_token"])
    assert issued.status_code == 200, issued.text
    encoded = issued.json()["credentials"][0]["credential"]
    kind = formats.FORMATS[formats.of(encoded)]
    claims = kind.process(kind.open(encoded).credentials[0]).claims
    assert claims["family_name"] == CANARY
    [record] = await issuer.records(record_reference=FILE)
    assert record["status"] == "valid"
    assert await actions(issuer) == ["signed_in", "authorized", "token_given", "credential_issued"]


@pytest.mark.clause("VCI-20")
async def test_with_details_the_credential_is_asked_for_by_its_identifier(wallet: Wallet) -> None:
    given = await wallet.tokens(scope=None, authorization_details=DETAILS)
    [entry] = given["authorization_details"]
    assert (entry["type"], entry["credential_configuration_id"]) == ("openid_credential", PERSON)
    [identifier] = entry["credential_identifiers"]
    assert "scope" not in given
    by_configuration = await wallet.ask(given["access_token"])
    assert by_configuration.json()["error"] == "invalid_credential_request"
    assert (await wallet.ask(given["access_token"], credential_identifier=identifier)).status_code == 200


@pytest.mark.attack("I10")
@pytest.mark.good_twin("I10")
async def test_an_identifier_is_of_no_use_with_another_token(issuer: Deployed) -> None:  # I10
    first, second = Wallet(issuer), Wallet(issuer)
    theirs = (await first.tokens(scope=None, authorization_details=DETAILS))["authorization_details"][0]
    mine = await second.tokens(scope=None, authorization_details=DETAILS)
    [foreign], token = theirs["credential_identifiers"], mine["access_token"]
    refused = await second.ask(token, credential_identifier=foreign)
    assert (refused.status_code, refused.json()["error"]) == (400, "unknown_credential_identifier")
    [own] = mine["authorization_details"][0]["credential_identifiers"]
    assert (await second.ask(token, credential_identifier=own)).status_code == 200


@pytest.mark.clause("VCI-20")
async def test_where_scope_and_details_name_one_type_the_details_win(wallet: Wallet) -> None:
    given = await wallet.tokens(scope=f"{PERSON} person.1.vcjwt unheard.of", authorization_details=DETAILS)
    assert given["scope"] == "person.1.vcjwt"
    assert [each["credential_configuration_id"] for each in given["authorization_details"]] == [PERSON]
    assert (await wallet.ask(given["access_token"], credential_configuration_id="person.1.vcjwt")).status_code == 200


async def test_a_token_request_may_ask_for_less(wallet: Wallet) -> None:
    code = await wallet.code(scope=f"{PERSON} person.1.vcjwt")
    more = json.dumps([{"type": "openid_credential", "credential_configuration_id": "drivers-licence.1.sdjwt"}])
    refused = await wallet.redeem(code, authorization_details=more)
    assert refused.json()["error"] == "invalid_authorization_details"
    given = (await wallet.redeem(code, authorization_details=DETAILS)).json()
    refused = await wallet.ask(given["access_token"], credential_configuration_id="person.1.vcjwt")
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")


async def test_of_an_offer_one_of_several_can_be_picked_with_a_pre_authorized_code(issuer: Deployed) -> None:
    offer = await issuer.offer(formats=["dc+sd-jwt", "vc+jwt"])
    unknown = json.dumps([{"type": "openid_credential", "credential_configuration_id": "drivers-licence.1.sdjwt"}])
    refused = await issuer.redeem(offer, authorization_details=unknown)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_authorization_details")
    given = (await issuer.redeem(offer, authorization_details=DETAILS)).json()  # the code was not burnt
    [identifier] = given["authorization_details"][0]["credential_identifiers"]
    wallet = Wallet(issuer)
    refused = await wallet.ask(given["access_token"], credential_configuration_id="person.1.vcjwt")
    assert refused.json()["error"] == "insufficient_scope"
    assert (await wallet.ask(given["access_token"], credential_identifier=identifier)).status_code == 200


@pytest.mark.parametrize(("named", "status"), [(CLIENT, 200), ("https://other.example", 400)])
async def test_a_key_proof_may_name_the_client_that_asked_and_no_other(wallet: Wallet, named: str, status: int) -> None:
    token, key = (await wallet.tokens())["access_token"], KeySigner.generate()
    now, nonce = wallet.issuer.clock.now(), await wallet.issuer.nonce()
    claims = {"iss": named, "aud": f"{PUBLIC_URL}/{ON}", "iat": int(now.timestamp()), "nonce": nonce}
    proof = jose.sign({"typ": key_proof.TYP, "jwk": dict(key.public_jwk)}, claims, key)
    assert (await wallet.issuer.request(token, PERSON, [proof])).status_code == status


# --- bound to a key (RFC 9449 §10)


@pytest.mark.clause("HAIP-issuer-and-wallet")
async def test_a_code_pushed_with_a_proof_is_good_only_with_that_key(bound: Wallet) -> None:
    code, own = await bound.code(), bound.key
    bound.key = KeySigner.generate()
    refused = await bound.redeem(code)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    bound.key = None
    assert (await bound.redeem(code)).json()["error"] == "invalid_dpop_proof"
    bound.key = own
    given = await bound.redeem(code)
    assert given.json()["token_type"] == "DPoP"
    assert (await bound.ask(given.json()["access_token"])).status_code == 200


@pytest.mark.clause("VCI-24")
async def test_dpop_jkt_binds_as_a_proof_does_and_both_must_agree(bound: Wallet) -> None:
    assert bound.key is not None
    refused = await bound.push(await bound.proof("par"), dpop_jkt=KeySigner.generate().thumbprint)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    assert "dpop-nonce" in refused.headers
    assert (await bound.push(await bound.proof("par"), dpop_jkt=bound.key.thumbprint)).status_code == 201
    own, bound.key = bound.key, None
    code = await bound.code(dpop_jkt=own.thumbprint)
    assert (await bound.redeem(code)).json()["error"] == "invalid_dpop_proof"
    bound.key = own
    assert (await bound.redeem(code)).json()["token_type"] == "DPoP"


async def test_a_proof_pushes_once_and_must_be_for_this_endpoint(bound: Wallet) -> None:
    proof = await bound.proof("par")
    assert (await bound.push(proof)).status_code == 201
    for bad in (proof, await bound.proof("token"), "garbage"):
        refused = await bound.push(bad)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    assert (await bound.push(await bound.proof("par", nonce=None))).json()["error"] == "use_dpop_nonce"


# --- offers by sign-in


async def sign_in_offer(issuer: Deployed, **members: Any) -> dict[str, Any]:
    body = {"authority": ON, "type": "person/1", "grant": "authorization_code", **members}
    made = await issuer.client.post("/api/v1/offers", json=body, headers=issuer.as_role("clerk"))
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


@pytest.mark.both_databases
@pytest.mark.clause("VCI-11")
async def test_a_clerk_offers_and_the_person_signs_in(wallet: Wallet) -> None:
    offer = await sign_in_offer(wallet.issuer, record_reference=FILE)
    assert "transaction_code" not in offer
    grants = offer["credential_offer"]["grants"]
    assert grants.keys() == {"authorization_code"}
    given = await wallet.tokens(issuer_state=grants["authorization_code"]["issuer_state"])
    assert (await wallet.ask(given["access_token"])).status_code == 200
    shown = await wallet.issuer.client.get(
        f"/api/v1/offers/{offer['offer_id']}", headers=wallet.issuer.as_role("clerk")
    )
    assert (shown.json()["state"], len(shown.json()["credentials"])) == ("delivered", 1)
    again = await wallet.push(issuer_state=grants["authorization_code"]["issuer_state"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")


async def test_an_offer_made_for_another_file_gives_nothing(place: Place) -> None:
    people = json.loads((place.folder / "people.json").read_text("utf-8"))
    (place.folder / "people.json").write_text(json.dumps({**people, "file-8": people[FILE]}), "utf-8")
    async with running(place) as issuer:
        offer = await sign_in_offer(issuer, record_reference=FILE)
        state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
        wallet, browser = Wallet(issuer), Browser(issuer)
        begun = await browser.get(wallet.start_url(await wallet.request_uri(issuer_state=state)))
        signed_in = await browser.choose(begun.headers["location"], person="file-8")
        back = answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))
        assert back["error"] == "access_denied"
        assert "code" not in back
        assert (await Wallet(issuer).tokens(issuer_state=state))["access_token"]  # the offer is still there


async def test_an_offer_whose_code_was_never_redeemed_is_seen_to_have_expired(wallet: Wallet) -> None:
    offer = await sign_in_offer(wallet.issuer)
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    code = await wallet.code(issuer_state=state)
    path, headers = f"/api/v1/offers/{offer['offer_id']}", wallet.issuer.as_role("clerk")
    assert (await wallet.issuer.client.get(path, headers=headers)).json()["state"] == "approved"
    wallet.issuer.clock.advance(timedelta(seconds=61))
    assert (await wallet.redeem(code)).json()["error"] == "invalid_grant"
    assert (await wallet.issuer.client.get(path, headers=headers)).json()["state"] == "expired"


@pytest.mark.parametrize("planted", ["guess", "aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbb"])
async def test_an_issuer_state_of_nobody_is_refused(wallet: Wallet, planted: str) -> None:
    refused = await wallet.push(issuer_state=planted)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


async def test_an_issuer_state_is_no_code_and_an_offers_link_no_issuer_state(wallet: Wallet) -> None:
    offer = await sign_in_offer(wallet.issuer)
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    for code in (state, offer["offer_id"], wallet.issuer.deployment.secrecy.code_of(offer["offer_id"])):
        form = {"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": code}
        refused = await wallet.issuer.client.post(f"/{ON}/token", data=form)
        assert refused.json()["error"] == "invalid_grant"
    link = offer["credential_offer_uri"].rpartition("/")[2]
    assert (await wallet.push(issuer_state=link)).status_code == 400
    assert (await wallet.push(issuer_state=state)).status_code == 201


async def test_an_offer_is_for_what_it_says_and_a_cancelled_one_for_nothing(wallet: Wallet) -> None:
    offer = await sign_in_offer(wallet.issuer)
    state = offer["credential_offer"]["grants"]["authorization_code"]["issuer_state"]
    assert (await wallet.push(issuer_state=state, scope="person.1.vcjwt")).status_code == 400
    code = await wallet.code(issuer_state=state)
    url = f"/api/v1/offers/{offer['offer_id']}/cancel"
    assert (await wallet.issuer.client.post(url, headers=wallet.issuer.as_role("clerk"))).json()["state"] == "cancelled"
    assert (await wallet.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_clerk_cannot_type_claims_into_a_sign_in_offer_nor_make_one_without_a_source(issuer: Deployed) -> None:
    for members in ({"claims": {"family_name": "x"}}, {"authority": BC}, {"grant": "implicit"}, {"decide_later": True}):
        body = {"authority": ON, "type": "person/1", "grant": "authorization_code", **members}
        refused = await issuer.client.post("/api/v1/offers", json=body, headers=issuer.as_role("all"))
        assert refused.status_code == 400, refused.text
