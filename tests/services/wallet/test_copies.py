"""Batches of copies that are shown once (VCI-45): received, spent, refilled, deleted, revoked, as one card."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from comity import formats
from comity.credential import Format, SignedCredential
from comity.errors import Code, Conflict, Unreachable
from comity.keys import KeySigner
from comity.ports import Fetched, FetchRequest
from tests.services.wallet.forging import metadata_saying
from tests.services.wallet.test_attesting import by_attestation_alone, provided
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import NOW, WALLET, Ground, Person, Town, running
from tests.support.in_process import fetched
from wallet import copies, holdings
from wallet.records import CREDENTIAL, KEY, Sheet

SUBSIDY: dict[str, Any] = {"eligible": True, "tier": "half", "valid_until": "2027-06-30"}
ON, SHOP = "ca-on/services", "https://shop.example"


@pytest.fixture
def ground(ground: Ground) -> Ground:
    """An authority that issues a card which is shown to many, and knows whose it is."""
    authorities = json.loads((ground.folder / "authorities.json").read_text("utf-8"))
    authorities[0]["types"].append("fare-subsidy/1")
    authorities[0]["source"] = {"people": "people.json"}
    (ground.folder / "people.json").write_text(json.dumps({"file-7": {"fare-subsidy": SUBSIDY}}), "utf-8")
    (ground.folder / "authorities.json").write_text(json.dumps(authorities), "utf-8")
    return ground


async def take(town: Town, person: Person, **offered: Any) -> dict[str, Any]:
    """Receive a card; returns the offer."""
    body = {"authority": ON, "type": "fare-subsidy/1", "claims": SUBSIDY, "transaction_code": False, **offered}
    made = await town.desk.post("/api/v1/offers", json={"record_reference": "file-7", **body})
    assert made.status_code == 201, made.text
    offer: dict[str, Any] = made.json()
    await person.receive(offer, keep_unrecognised=True)  # the registry of this town does not know the type
    return offer


async def card(town: Town) -> holdings.Held:
    (held,) = await holdings.all_held(await opened(town))
    return held


def encoded(held: holdings.Held) -> list[str]:
    return [held.signed.encoded, *(each["encoded"] for each in held.more["spares"])]


async def show(town: Town) -> str:
    """Show the card as presenting does, without a verifier; returns the copy that was shown."""
    wallet, held = await opened(town), await card(town)
    spent = copies.spent([held])
    await wallet.commit(put=spent.put, delete=spent.delete)
    return held.signed.encoded


def unlike(texts: list[str]) -> None:
    """Check that nothing in two copies is the same but what they say."""
    known = formats.FORMATS[Format.DC_SD_JWT]
    opened_ones = [known.open(each) for each in texts]
    said = [known.process(each.credentials[0]) for each in opened_ones]
    assert len({str(sorted(each.claims.items())) for each in said}) == 1
    for secret in (
        [copies.holder_of(SignedCredential(format=Format.DC_SD_JWT, encoded=each)) for each in texts],
        [each.status[0].index for each in said],
        [each.split("~")[0].rpartition(".")[2] for each in texts],
        [disclosure for each in texts for disclosure in each.split("~")[1:-1]],
    ):
        assert len(set(secret)) == len(secret)
    assert {each.issued_at for each in said} == {NOW.replace(hour=0)}  # to the day


@pytest.mark.clause("VCI-45")
@pytest.mark.attack("X01")
async def test_a_card_comes_in_copies_that_nobody_can_link(town: Town, maya: Person) -> None:
    offer = await take(town, maya)
    held = await card(town)
    assert len(encoded(held)) == copies.COPIES
    unlike(encoded(held))
    (shown,) = await maya.credentials()  # one card, whatever it is made of
    assert shown["title"] == "Transit fare subsidy"
    found = (await town.desk.get(f"/api/v1/offers/{offer['offer_id']}")).json()
    assert len(found["credentials"]) == copies.COPIES
    wallet = await opened(town)
    assert {each.id for each in await wallet.all(KEY)} == set(held.key_ids)


async def test_other_cards_come_once(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    held = await card(town)
    assert held.more == {}
    assert copies.spent([held]) == copies.NOTHING_SPENT


@pytest.mark.attack("X11")
async def test_each_copy_is_shown_once_and_the_last_one_stays(town: Town, maya: Person) -> None:
    await take(town, maya)
    all_copies = encoded(await card(town))
    shown = [await show(town) for _ in range(copies.COPIES + 2)]
    assert shown[: copies.COPIES] == all_copies
    assert shown[copies.COPIES :] == [all_copies[-1]] * 2
    held = await card(town)
    assert [each.id for each in await (await opened(town)).all(KEY)] == [held.key_id]


@pytest.mark.attack("X11")
async def test_what_was_shown_goes_as_soon_as_another_copy_comes(town: Town, maya: Person) -> None:
    """The last copy stays in front while there is no other, and is marked (catalogue X11)."""
    await take(town, maya)
    seen = [await show(town) for _ in range(copies.COPIES)]
    spent = await card(town)
    assert copies.was_shown(spent)
    assert (spent.signed.encoded, spent.key_id) == (seen[-1], spent.key_ids[0])
    await maya.credentials()
    held = await card(town)
    assert not copies.was_shown(held)
    assert len(encoded(held)) == copies.COPIES
    assert not set(encoded(held)) & set(seen)
    assert {each.id for each in await (await opened(town)).all(KEY)} == set(held.key_ids)


@pytest.mark.attack("X11")
async def test_two_who_show_at_once_never_show_one_copy(town: Town, maya: Person) -> None:
    await take(town, maya)
    wallet, held = await opened(town), await card(town)

    async def spend() -> bool:
        spent = copies.spent([held])
        try:
            await wallet.commit(put=spent.put, delete=spent.delete)
        except Conflict:
            return False
        return True

    assert sorted(await asyncio.gather(*(spend() for _ in range(4)))) == [False, False, False, True]


@pytest.mark.good_twin("X11")
async def test_it_is_refilled_in_silence_before_it_runs_out(town: Town, maya: Person) -> None:
    offer = await take(town, maya)
    for _ in range(copies.COPIES - copies.LOW):
        await show(town)
    before = encoded(await card(town))
    assert len(before) == copies.LOW
    await maya.credentials()
    after = encoded(await card(town))
    assert after[: copies.LOW] == before
    assert len(after) == copies.LOW + copies.COPIES
    unlike(after)
    found = (await town.desk.get(f"/api/v1/offers/{offer['offer_id']}")).json()
    assert len(found["credentials"]) == 2 * copies.COPIES
    await maya.credentials()
    assert len(encoded(await card(town))) == len(after)  # not before it runs low again
    one, path = found["credentials"][-1]["id"], f"/api/v1/offers/{offer['offer_id']}"
    await town.desk.post(f"/api/v1/credentials/{one}/revoke", json={"reason": "lost"})
    stands = {each["status"] for each in (await town.desk.get(path)).json()["credentials"]}
    assert stands == {"revoked"}  # whichever copy a clerk finds, it is the card that is revoked


async def test_a_look_at_the_page_of_cards_refills_when_the_page_is_out(
    town: Town, maya: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An issuer that is slow, or down, holds nobody's page: it is asked once the last byte was sent."""
    await take(town, maya)
    for _ in range(copies.COPIES - copies.LOW):
        await show(town)
    asked = len(town.net.asked)
    sent: list[Message] = []
    asked_when_sent: list[int] = []
    house = town.net.hosts[WALLET]

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def watching(message: Message) -> None:
            sent.append(message)
            asked_when_sent.append(len(town.net.asked) - asked)
            await send(message)

        await house(scope, receive, watching)

    cookies = {"cookie": "; ".join(f"{each.name}={each.value}" for each in maya.client.cookies.jar)}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(watched), base_url=WALLET) as client:
        assert (await client.get("/en/", headers=cookies)).status_code == 200
    assert not sent[-1].get("more_body", False)
    assert set(asked_when_sent) == {0}
    assert len(town.net.asked) > asked
    assert len(encoded(await card(town))) == copies.LOW + copies.COPIES


async def test_an_issuer_that_is_down_is_asked_the_next_time(town: Town, maya: Person) -> None:
    await take(town, maya)
    for _ in range(copies.COPIES):
        await show(town)
    town.net.instead("services/credential", Unreachable(Code.UNREACHABLE, "nobody answers"))
    assert len(await maya.credentials()) == 1
    assert len(encoded(await card(town))) == 1
    town.net.heal()
    await maya.credentials()
    assert len(encoded(await card(town))) == copies.COPIES  # the one that was shown gives way


async def test_what_the_issuer_will_not_copy_is_not_asked_for_again(town: Town, maya: Person) -> None:
    await take(town, maya, record_reference=None)
    for _ in range(copies.COPIES):
        await show(town)
    await maya.credentials()
    asked = len(town.net.asked)
    (shown,) = await maya.credentials()
    assert len(town.net.asked) == asked
    assert shown["title"] == "Transit fare subsidy"
    assert "access" not in (await card(town)).more


async def test_copies_of_something_else_are_refused(town: Town, maya: Person) -> None:
    """A refill is judged like what came first: here the issuer sends the same copy again."""
    town.net.afterwards("openid-credential-issuer", metadata_saying(town))
    await take(town, maya)
    for _ in range(copies.COPIES):
        await show(town)
    old = (await card(town)).signed.encoded

    def change(request: FetchRequest, _answer: Fetched | None) -> Fetched:
        said = json.dumps({"credentials": [{"credential": old}], "notification_id": "n"})
        return fetched(request.url, said.encode(), town.clock)

    town.net.instead("services/credential", change)
    await maya.credentials()
    assert encoded_or_front(await card(town)) == [old]
    told = [json.loads(each.body or b"") for each in town.net.asked if each.url.endswith("/notification")]
    assert [each["event"] for each in told] == ["credential_accepted", "credential_failure"]


def encoded_or_front(held: holdings.Held) -> list[str]:
    return [held.signed.encoded, *(each["encoded"] for each in held.more.get("spares", ()))]


async def test_an_issuer_that_gives_one_is_content_with_one_key(town: Town, maya: Person) -> None:
    await take(town, maya, batch=1)
    held = await card(town)
    assert len(encoded(held)) == 1
    assert [each.id for each in await (await opened(town)).all(KEY)] == [held.key_id]


async def test_one_bad_copy_spoils_the_batch(town: Town, maya: Person) -> None:
    """VCI-51: any failure of a part is a failure."""
    town.net.afterwards("openid-credential-issuer", metadata_saying(town))

    def change(_request: FetchRequest, answer: Fetched | None) -> Fetched:
        assert answer is not None
        told = json.loads(answer.body)
        told["credentials"][3] = told["credentials"][2]
        return fetched(answer.url, json.dumps(told).encode(), town.clock)

    town.net.afterwards("services/credential", change)
    made = await town.desk.post(
        "/api/v1/offers",
        json={"authority": ON, "type": "fare-subsidy/1", "claims": SUBSIDY, "transaction_code": False},
    )
    refused = await maya.post("credentials", offer=made.json()["link"], keep_unrecognised=True)
    assert (refused.status_code, refused.json()["code"]) == (403, "credential_refused")
    assert {kind for kind, _ in await (await opened(town)).names()} == {"history"}
    told = [json.loads(each.body or b"") for each in town.net.asked if each.url.endswith("/notification")]
    assert [each["event"] for each in told] == ["credential_failure"]


async def test_deleting_a_card_deletes_all_of_it(town: Town, maya: Person) -> None:
    await take(town, maya)
    (shown,) = await maya.credentials()
    assert (await maya.remove(f"credentials/{shown['id']}")).status_code == 200
    wallet = await opened(town)
    assert {kind for kind, _ in await wallet.names()} == {"history"}


async def test_looking_at_its_status_keeps_the_copies(town: Town, maya: Person) -> None:
    await take(town, maya)
    before = encoded(await card(town))
    town.clock.advance(timedelta(hours=2))
    await maya.post("status-refresh")
    assert encoded(await card(town)) == before


async def test_a_token_that_has_ended_leaves_the_last_copy(ground: Ground) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya")
        await take(town, maya)
        for _ in range(copies.COPIES):
            await show(town)
        town.clock.advance(timedelta(minutes=10))
        assert len(await maya.credentials()) == 1
        assert await (await opened(town)).find(CREDENTIAL, (await card(town)).id) is not None


async def test_a_renewed_grant_takes_the_place_of_the_token(town: Town, maya: Person) -> None:
    """The seam for refresh tokens: whatever it returns is used and kept."""
    from msgspec.structs import replace

    await take(town, maya)
    for _ in range(copies.COPIES):
        await show(town)
    genuine = (await card(town)).more["access"]["token"]
    seen: list[str] = []

    async def renew(_: Any, held: Any) -> Any:
        seen.append(held.more["access"]["token"])
        return {"token": genuine}

    refilling = replace(town.wallet.refilling, renew=renew)
    wallet, held = await opened(town), await card(town)
    stale = {**held.more, "access": {**held.more["access"], "token": "of yesterday"}}
    content = {"format": "dc+sd-jwt", "encoded": held.signed.encoded, "about": dict(held.about), **stale}
    await wallet.put(CREDENTIAL, held.id, content, version=held.version + 1)
    assert await refilling.refill(wallet) == 1
    assert seen == ["of yesterday"]
    assert (await card(town)).more["access"]["token"] == genuine
    assert KeySigner.generate().thumbprint not in (await card(town)).key_ids


async def two_copies(town: Town, maya: Person) -> tuple[holdings.Held, holdings.Held]:
    """Make one card of two credentials of the same type."""
    for _ in range(2):
        await maya.receive(await town.offer())
    wallet = await opened(town)
    first, second = await holdings.all_held(wallet)
    front = {"format": "dc+sd-jwt", "encoded": first.signed.encoded, "about": dict(first.about)}
    content = {**front, "spares": [{"encoded": second.signed.encoded, "key": second.key_id}]}
    card = Sheet(kind=CREDENTIAL, id=first.id, content=content, version=first.version + 1)
    await wallet.commit(put=[card], delete=[(CREDENTIAL, second.id)])
    return first, second


@pytest.mark.attack("X11")
async def test_a_website_is_shown_each_copy_once(town: Town, maya: Person) -> None:
    first, second = await two_copies(town, maya)
    shown = []
    for _ in range(3):
        started = await town.ask(flow="digital_credentials", origins=[SHOP])
        consent = await maya.post("digital-credentials", origin=SHOP, **started["digital"]["requests"][0])
        data = (await maya.agree(consent.json())).json()["data"]
        path = f"/api/v1/requests/{started['transaction_id']}/digital-credential"
        result = (await town.counter.post(path, json={"data": data})).json()["result"]
        assert result["verdict"] == "accepted"
        shown.append(result["credentials"][0]["about"]["holder_key"])
    assert shown == [copies.holder_of(each.signed) for each in (first, second, second)]
    assert [each.id for each in await (await opened(town)).all(KEY)] == [second.key_id]


@pytest.mark.parametrize("alone", [False, True], ids=["in-each-proof", "alone"])
@pytest.mark.attack("X01")
async def test_all_copies_are_bound_to_attested_keys(ground: Ground, alone: bool) -> None:
    """One proof for each key with its own attestation, or one attestation of all keys (appendices D and F)."""
    async with running(ground, **provided(ground, demand={}, of="fare-subsidy/1")) as town:
        if alone:
            change = by_attestation_alone(town, "fare-subsidy.1.sdjwt")
            town.net.afterwards("openid-credential-issuer", change)
        maya = await town.arrive()
        await take(town, maya)
        assert len(encoded(await card(town))) == copies.COPIES
        for _ in range(copies.COPIES - copies.LOW):
            await show(town)
        await maya.credentials()
        assert len(encoded(await card(town))) == copies.LOW + copies.COPIES
        unlike(encoded(await card(town)))


@pytest.mark.attack("X11")
async def test_presenting_spends_the_copy_in_front(town: Town, maya: Person) -> None:
    """Two presentations show two keys; the last copy is shown again."""
    first, second = await two_copies(town, maya)
    wallet, shown, told = await opened(town), [], []
    for _ in range(3):
        started = await town.ask()
        consent = await maya.consent(started["link"])
        page = await maya.client.get(f"/fr/requests/{consent['id']}")
        told.append((len(consent["warnings"]), "celle-ci saura" in page.text))
        assert (await maya.agree(consent)).status_code == 200
        result = (await town.result(started))["result"]
        assert result["verdict"] == "accepted"
        shown.append(result["credentials"][0]["about"]["holder_key"])
    assert shown == [copies.holder_of(each.signed) for each in (first, second, second)]
    assert told == [(0, False), (0, False), (1, True)], "what is shown again is not shown in silence"
    assert [each.id for each in await wallet.all(KEY)] == [second.key_id]
