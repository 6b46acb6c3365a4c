"""A transaction from the relying party's words to the holder's proof and back (VP-30, catalogue P17)."""

from typing import Any

import pytest

from comity import base64url, jose, strict_json
from comity.openid.presentation import transaction_data
from tests.services.wallet.test_requests import signed_again
from tests.services.wallet.town import Person, Town, running
from tests.unit.schemas.test_transactions import FEE, PAID

ASKED = {"type": FEE, **PAID}


@pytest.mark.parametrize("kind", ["dc+sd-jwt", "vc+jwt"])
@pytest.mark.clause("VP-30")
async def test_what_was_shown_is_what_is_confirmed(town: Town, maya: Person, kind: str) -> None:
    await maya.receive(await town.offer("drivers-licence/1", formats=[kind]))
    started = await town.ask("drivers-licence-valid", transactions=[ASKED])
    consent = await maya.consent(started["link"])
    (shown,) = consent["transactions"]
    assert shown["words"] == "You agree to pay $25.00 to Ville de Toronto (DÉMO), under the reference DEMO-1."
    assert {each["label"]: each["words"] for each in shown["members"]}["Amount"] == "$25.00"
    assert (await maya.agree(consent)).status_code == 200
    result = (await town.result(started))["result"]
    assert (result["verdict"], result["codes"]) == ("accepted", [])
    (told,) = [each["facts"] for each in result["checks"] if "transactions" in each["facts"]]
    assert told == {"transactions": [FEE]}
    (line,) = [each for each in await maya.history() if each["what"] == "presented"]
    assert line["authorised"] == [shown["words"]]


async def test_it_is_shown_in_french(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    (shown,) = (await maya.consent((await town.ask(transactions=[ASKED]))["link"], "fr"))["transactions"]
    expected = "Vous acceptez de payer 25,00\u00a0$ à Ville de Toronto (DÉMO), sous la référence DEMO-1."
    assert (shown["title"], shown["words"]) == ("Paiement de frais", expected)


async def test_no_transaction_no_words(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    assert (await maya.consent((await town.ask())["link"]))["transactions"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "https://types.comity.example/transactions/unknown/1"},
        {"tip": "5.00"},
        {"amount": "a lot"},
        {"credential_ids": ["nobody"]},
        {"transaction_data_hashes_alg": ["sha-512"]},
    ],
)
@pytest.mark.clause("VP-30")
@pytest.mark.attack("P17")
@pytest.mark.good_twin("P17")
async def test_what_the_wallet_does_not_know_in_full_it_refuses(town: Town, maya: Person, change: Any) -> None:
    """P17: nothing is signed; with the one defect taken away the same request is shown."""
    await maya.receive(await town.offer())
    good = {"credential_ids": ["person_sdjwt"], **ASKED}
    for entry, is_good in (({**good, **change}, False), (good, True)):
        text = base64url.encode(strict_json.serialise(entry))
        town.net.afterwards("/openid/requests/", signed_again(town, transaction_data=[text]))
        answer = await maya.post("presentations", request=(await town.ask())["link"])
        found = (answer.status_code, answer.json().get("code"))
        assert found == ((201, None) if is_good else (400, "transaction_data_invalid"))


async def test_a_credential_that_is_not_there_authorises_nothing(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    for holder, expected in (("drivers-licence_sdjwt", 400), ("person_sdjwt", 201)):
        text = transaction_data.encode(FEE, PAID, credential_ids=[holder])
        town.net.afterwards("/openid/requests/", signed_again(town, transaction_data=[text]))
        answer = await maya.post("presentations", request=(await town.ask())["link"])
        assert answer.status_code == expected, answer.text


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("absent", "transaction_not_confirmed"),
        ("altered", "transaction_differs"),
        ("extra", "transaction_differs"),
        ("as asked", None),
    ],
)
@pytest.mark.clause("VP-30")
@pytest.mark.attack("P17")
@pytest.mark.good_twin("P17")
async def test_the_verifier_believes_only_the_proof(town: Town, maya: Person, sent: str, code: str | None) -> None:
    """A man in the middle shows the wallet another transaction than the one that was asked for."""
    await maya.receive(await town.offer())
    started = await town.ask(transactions=[] if sent == "extra" else [ASKED])
    other = transaction_data.encode(FEE, {**PAID, "amount": "1.00"}, credential_ids=["person_sdjwt"])
    shown = {"absent": None, "altered": [other], "extra": [other]}
    if sent in shown:
        town.net.afterwards("/openid/requests/", signed_again(town, transaction_data=shown[sent]))
    assert (await maya.agree(await maya.consent(started["link"]))).status_code == 200
    result = (await town.result(started))["result"]
    assert (result["verdict"], result["codes"]) == (("accepted", []) if code is None else ("rejected", [code]))


@pytest.mark.parametrize(
    "transactions",
    [[{"type": "unknown"}], [{**ASKED, "amount": "1"}], [ASKED, ASKED], ["text"], "text", [ASKED] * 17],
)
async def test_a_relying_party_cannot_ask_for_what_is_none(town: Town, transactions: Any) -> None:
    answer = await town.counter.post("/api/v1/requests", json={"policy": "age-majority", "transactions": transactions})
    assert answer.status_code == 400
    assert "25.00" not in answer.text


async def test_what_is_authorised_is_not_readable_on_the_verifiers_disk(town: Town, maya: Person) -> None:
    await maya.receive(await town.offer())
    started = await town.ask(transactions=[{**ASKED, "payee": "Zyxwvut-Payee"}])
    assert (await maya.agree(await maya.consent(started["link"]))).status_code == 200
    files = [each for each in (town.ground.folder / "verifier").rglob("*") if each.is_file()]
    assert files
    assert not [each.name for each in files if b"Zyxwvut-Payee" in each.read_bytes()]


async def test_the_request_hides_from_whoever_ends_the_tls(ground: Any) -> None:
    """§5.10: the wallet's key encrypts the request object; a verifier that sends it in the clear is refused."""
    async with running(ground, encrypt_requests=True) as town:
        maya = await town.arrive()
        await maya.receive(await town.offer())
        seen: list[bytes] = []

        def look(_request: Any, answer: Any) -> None:
            seen.append(answer.body)

        town.net.afterwards("/openid/requests/", look)
        await maya.consent((await town.ask())["link"])
        assert seen[0].count(b".") == 4
        plain = (await town.ask())["request_uri"]
        clear = (await town.counter.get(plain.removeprefix("http://localhost:8103"))).text
        assert jose.parse(clear).header["typ"] == "oauth-authz-req+jwt"

        def unencrypted(request: Any, answer: Any) -> Any:
            return type(answer)(
                url=request.url,
                status=200,
                content_type=answer.content_type,
                body=clear.encode(),
                headers={},
                fetched_at=answer.fetched_at,
            )

        town.net.afterwards("/openid/requests/", unencrypted)
        refused = await maya.post("presentations", request=(await town.ask())["link"])
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed_jwe")
