"""Requests that the wallet refuses, and what it says about who asks (catalogue P13 to P18, P21)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from comity import jose, strict_json, x509
from comity.keys import KeySigner
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.town import CANARY, NOW, VERIFIER, Ground, Person, Town, running
from tests.support.in_process import Change, fetched
from verifier.keyring import keys_of

REQUESTS = "/openid/requests/"
MEDIA = "application/oauth-authz-req+jwt"


@pytest.fixture
async def held(town: Town, maya: Person) -> dict[str, Any]:
    (received,) = await maya.receive(await town.offer())
    return received


async def refused(town: Town, maya: Person, link: str, code: str) -> None:
    """The request is refused, and nobody is told anything."""
    answer = await maya.post("presentations", request=link)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] == code
    assert not any("/openid/responses/" in each.url for each in town.net.asked)


def signed_again(town: Town, by: KeySigner | None = None, **claims: Any) -> Change:
    """Return a change of the request object: other claims, signed by the verifier or by somebody else."""
    signer = by or keys_of(town.ground.verifier_settings()).signer("request")

    def change(request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        jws = jose.parse(answer.body.decode())
        header = {name: value for name, value in jws.header.items() if name != "alg"}
        payload = {name: value for name, value in {**jose.payload_object(jws), **claims}.items() if value is not None}
        encoded = jose.sign(header, payload, signer)
        return fetched(request.url, encoded.encode(), town.clock, content_type=MEDIA)

    return change


@pytest.mark.good_twin("P13", "P14", "P16")
async def test_the_same_request_signed_again_is_accepted(town: Town, maya: Person, held: dict[str, Any]) -> None:
    town.net.afterwards(REQUESTS, signed_again(town))
    await maya.consent((await town.ask())["link"])


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"wallet_nonce": "another"}, "nonce_mismatch"),
        ({"wallet_nonce": None}, "nonce_mismatch"),
        ({"client_id": "x509_hash:another"}, "client_mismatch"),
        ({"aud": "https://somebody.example"}, "audience_mismatch"),
        ({"exp": int(NOW.timestamp()) - 61}, "request_expired"),
        ({"transaction_data": ["e30"]}, "transaction_data_invalid"),
        ({"response_type": "id_token"}, "request_invalid"),
    ],
)
@pytest.mark.attack("P14", "P16")
async def test_a_request_that_says_something_else_is_refused(
    town: Town, maya: Person, held: dict[str, Any], claims: dict[str, Any], code: str
) -> None:
    town.net.afterwards(REQUESTS, signed_again(town, **claims))
    await refused(town, maya, (await town.ask())["link"], code)


@pytest.mark.attack("P13")
async def test_a_request_signed_by_somebody_else_is_refused(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """P13."""
    town.net.afterwards(REQUESTS, signed_again(town, by=KeySigner.generate()))
    await refused(town, maya, (await town.ask())["link"], "signature_invalid")


@pytest.mark.clause("VP-3")
@pytest.mark.attack("P16")
async def test_a_redirect_is_not_followed(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """P16."""
    moved = fetched("", b"", town.clock, status=307, headers={"location": "https://attacker.example/"})
    town.net.instead(REQUESTS, moved)
    answer = await maya.post("presentations", request=(await town.ask())["link"])
    assert (answer.status_code, answer.json()["code"]) == (502, "redirect_refused")
    assert not any("attacker" in each.url for each in town.net.asked)


@pytest.mark.parametrize(("body", "kind"), [(b"\xff\xfe", MEDIA), (b"<html>", "text/html")])
async def test_something_else_than_a_request_is_refused(
    town: Town, maya: Person, held: dict[str, Any], body: bytes, kind: str
) -> None:
    town.net.instead(REQUESTS, fetched("", body, town.clock, content_type=kind))
    answer = await maya.post("presentations", request=(await town.ask())["link"])
    assert answer.json()["code"] == "content_type_wrong"


async def test_a_request_is_fetched_by_get_where_no_nonce_is_wanted(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    link = (await town.ask())["link"].replace("&request_uri_method=post", "")
    await maya.consent(link)
    (asked,) = [each for each in town.net.asked if REQUESTS in each.url]
    assert (asked.method, asked.body) == ("GET", None)


@pytest.mark.clause("VP-6")
@pytest.mark.attack("X05")
async def test_what_is_posted_tells_nothing_about_the_person(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """X05: a fresh nonce, and what every wallet of this kind can do."""
    noah = await town.arrive("noah")
    await maya.consent((await town.ask())["link"])
    await noah.post("presentations", request=(await town.ask())["link"])
    first, second = [parse_qs((each.body or b"").decode()) for each in town.net.asked if REQUESTS in each.url]
    assert first["wallet_metadata"] == second["wallet_metadata"]
    assert first["wallet_nonce"] != second["wallet_nonce"]
    assert set(first) == {"wallet_metadata", "wallet_nonce"}


async def test_a_request_by_value_is_read(town: Town, maya: Person, held: dict[str, Any]) -> None:
    started = await town.ask()
    encoded = (await town.counter.get(urlsplit(started["request_uri"]).path)).text
    client = parse_qs(urlsplit(started["link"]).query)["client_id"][0]
    await maya.consent(f"openid4vp://?client_id={client}&request={encoded}")


def unsigned(query: Mapping[str, Any]) -> str:
    address = f"{VERIFIER}/openid/responses/nobody"
    asked = quote(strict_json.serialise(dict(query)).decode())
    return (
        f"openid4vp://?client_id=redirect_uri:{address}&response_type=vp_token&response_mode=direct_post"
        f"&response_uri={address}&nonce=n&dcql_query={asked}"
    )


QUERY = {
    "credentials": [
        {
            "id": "a",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["https://types.comity.example/person/1"]},
            "claims": [{"path": ["family_name"]}],
        }
    ]
}


@pytest.mark.attack("P13")
async def test_an_unsigned_request_names_nobody(town: Town, maya: Person, held: dict[str, Any]) -> None:
    """P13: shown as unknown, under no name."""
    consent = await maya.consent(unsigned(QUERY))
    who = consent["who"]
    assert (who["name"], who["known"], who["may_ask"], who["code"]) == (None, False, "unknown", "verifier_unknown")
    assert consent["purposes"] == []
    assert consent["credentials"][0]["leaving"][0]["value"] == CANARY


@pytest.mark.attack("P15")
async def test_an_unsigned_request_is_not_believed_by_its_address(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    """P15: the registry may list an unsigned name; nobody can prove to be it."""
    entry = town.ground.verifier_entry(client_ids=[f"redirect_uri:{VERIFIER}/openid/responses/nobody"])
    await town.apply({"edit": "verifier", "jurisdiction": "ca-bc", "verifier": entry})
    await refused(town, maya, unsigned(QUERY), "certificate_untrusted")


# --- the registry


@pytest.mark.clause("TR-5")
@pytest.mark.attack("P21")
async def test_a_verifier_that_nobody_lists_is_unknown(town: Town, maya: Person, held: dict[str, Any]) -> None:
    (client,) = [each for each in town.ground.verifier_entry()["client_ids"] if each.startswith("x509_hash")]
    await town.apply({"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client})
    who = (await maya.consent((await town.ask())["link"]))["who"]
    assert (who["name"], who["known"], who["code"]) == (None, False, "verifier_unknown")


@pytest.mark.clause("TR-6")
@pytest.mark.attack("P18", "P21")
async def test_a_verifier_that_asks_for_more_than_it_may_is_shown_as_such(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    """P18, P21."""
    (client,) = [each for each in town.ground.verifier_entry()["client_ids"] if each.startswith("x509_hash")]
    may_ask = [{"type": "person/1", "claims": ["age_over_19"], "purpose": "age-alcohol"}]
    await town.apply(
        {"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client},
        {"edit": "verifier", "jurisdiction": "ca-on", "verifier": town.ground.verifier_entry(may_ask=may_ask)},
    )
    consent = await maya.consent((await town.ask())["link"])
    assert (consent["who"]["known"], consent["who"]["may_ask"]) == (True, "failed")
    assert consent["who"]["code"] == "verifier_not_entitled"
    assert consent["purposes"] == []


async def test_a_query_that_names_no_type_is_covered_by_no_entitlement(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    """P18: an empty ``meta`` is answered by any credential, so it must not pass as a request for none."""
    asked = {"id": "any", "format": "dc+sd-jwt", "meta": {}, "claims": [{"path": ["birthdate"]}]}
    town.net.afterwards(REQUESTS, signed_again(town, dcql_query={"credentials": [asked]}))
    consent = await maya.consent((await town.ask())["link"])
    assert [each["claim"] for each in consent["credentials"][0]["leaving"]] == ["birthdate"]
    assert (consent["who"]["may_ask"], consent["purposes"]) == ("failed", [])


@pytest.mark.clause("TR-6")
@pytest.mark.attack("P13", "P21")
async def test_an_entry_that_names_the_client_but_not_the_key_is_a_forgery(
    town: Town, maya: Person, held: dict[str, Any]
) -> None:
    """The certificate matches the client id, and leads to nobody the registry lists for it."""
    key = KeySigner.generate()
    window = {"not_before": NOW, "not_after": NOW.replace(year=2030)}
    anchor = x509.issue_anchor(name="Another anchor", signer=key, **window)
    entry = town.ground.verifier_entry(anchor=x509.to_base64(anchor), anchor_sha256=x509.sha256_hex(anchor))
    client = next(each for each in entry["client_ids"] if each.startswith("x509_hash"))
    await town.apply(
        {"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client},
        {"edit": "verifier", "jurisdiction": "ca-on", "verifier": entry},
    )
    await refused(town, maya, (await town.ask())["link"], "certificate_untrusted")


@pytest.mark.attack("P13")
async def test_a_did_whose_key_is_not_pinned_is_a_forgery(ground: Ground) -> None:
    async with running(ground, verifier_client_id_prefix="decentralized_identifier") as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        entry = ground.verifier_entry(key_thumbprints=[KeySigner.generate().thumbprint])
        client = next(each for each in entry["client_ids"] if each.startswith("x509_hash"))
        await town.apply(
            {"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client},
            {"edit": "verifier", "jurisdiction": "ca-on", "verifier": entry},
        )
        await refused(town, maya, (await town.ask())["link"], "certificate_untrusted")


async def test_a_did_that_nobody_lists_is_not_even_fetched(ground: Ground) -> None:
    async with running(ground, verifier_client_id_prefix="decentralized_identifier") as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        client = next(each for each in ground.verifier_entry()["client_ids"] if each.startswith("x509_hash"))
        await town.apply({"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": client})
        await refused(town, maya, (await town.ask())["link"], "verifier_unknown")
        assert not any("did.json" in each.url for each in town.net.asked if each.url.startswith(VERIFIER))
