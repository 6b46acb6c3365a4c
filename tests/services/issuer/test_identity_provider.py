"""Signing in at the jurisdiction's identity provider: OpenID Connect, checked to the letter (Core §3.1.3.7)."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import structlog.testing

from comity.errors import Misconfigured
from comity.keys import KeySigner
from comity.runtime import settings as reading
from issuer import identity
from issuer.settings import IssuerSettings
from tests.services.issuer.deployed import NOW, Place, running
from tests.services.issuer.provider import CLIENT, ISSUER, Provider, with_provider
from tests.services.issuer.signing_in import FILE, Browser, Wallet, answer_of

SECONDS = int(NOW.timestamp())


async def sent_to_provider(wallet: Wallet, browser: Browser) -> str:
    begun = await browser.get(wallet.start_url(await wallet.request_uri()))
    assert begun.status_code == 303, begun.text
    return str(begun.headers["location"])


async def come_back(wallet: Wallet, browser: Browser, provider: Provider, **changes: str) -> httpx.Response:
    brought = provider.sign_in(await sent_to_provider(wallet, browser)) | changes
    return await browser.get(f"/sign-in/callback?{urlencode(brought)}")


@pytest.mark.parametrize("by_key", [False, True], ids=["client_secret_basic", "private_key_jwt"])
async def test_who_signs_in_there_gets_the_credential_of_that_file(place: Place, *, by_key: bool) -> None:
    changes: dict[str, Any] = {"identity_provider_client_secret": None} if by_key else {}
    async with with_provider(place, **changes) as (issuer, provider):
        published = (await issuer.client.get("/sign-in/jwks.json")).json()
        assert len(published["keys"]) == by_key
        assert not any("d" in each for each in published["keys"])
        assert all((each["use"], each["alg"]) == ("sig", "ES256") for each in published["keys"])
        provider.client_keys = published
        wallet, browser = Wallet(issuer), Browser(issuer)
        signed_in = await come_back(wallet, browser, provider)
        assert signed_in.status_code == 303
        back = answer_of(await browser.choose(signed_in.headers["location"], answer="agree"))
        given = (await wallet.redeem(back["code"])).json()
        assert (await wallet.ask(given["access_token"])).status_code == 200
        assert [each["record_reference"] for each in await issuer.records(record_reference=FILE)] == [FILE]
        assert provider.proven == ["private_key_jwt" if by_key else "client_secret_basic"]


async def test_another_claim_can_be_the_file_number_and_more_can_be_asked_for(place: Place) -> None:
    changes = {"identity_provider_subject_claim": "file", "identity_provider_scope": "openid file"}
    async with with_provider(place, **changes) as (issuer, provider):
        provider.said = {"sub": "somebody", "file": FILE}
        assert (await come_back(Wallet(issuer), Browser(issuer), provider)).status_code == 303


@pytest.mark.parametrize(
    "defect",
    [
        {"said": {"iss": "https://other.example"}},
        {"said": {"iss": f"{ISSUER}/"}},
        {"said": {"aud": "somebody-else"}},
        {"said": {"aud": [CLIENT, "somebody-else"]}},
        {"said": {"aud": []}},
        {"said": {"azp": "somebody-else"}},
        {"said": {"nonce": "of-another"}},
        {"said": {"nonce": None}},
        {"said": {"exp": SECONDS - 61}},
        {"said": {"exp": None}},
        {"said": {"exp": "never"}},
        {"said": {"iat": SECONDS + 120}},
        {"said": {"iat": SECONDS - 3600}},
        {"said": {"sub": None}},
        {"said": {"sub": ""}},
        {"said": {"sub": 7}},
        {"said": {"sub": "x" * 201}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"kid": "of-nobody"}},
        {"signer": KeySigner.generate()},
        {"signer": KeySigner.generate("ES384")},
        {"metadata": {"authorization_response_iss_parameter_supported": True}},
        {"status": 400},
    ],
    ids=lambda defect: str(next(iter(defect.items())))[:50] if "signer" not in defect else defect["signer"].algorithm,
)
async def test_one_thing_wrong_and_nobody_is_signed_in(place: Place, defect: dict[str, Any]) -> None:
    async with with_provider(place) as (issuer, provider):
        for name, value in defect.items():
            setattr(provider, name, value)
        back = answer_of(await come_back(Wallet(issuer), Browser(issuer), provider))
        assert back["error"] == "access_denied"
        assert "code" not in back


async def test_a_well_formed_twin_with_several_audiences_and_a_promised_iss_passes(place: Place) -> None:
    async with with_provider(place) as (issuer, provider):
        provider.said = {"aud": [CLIENT, "another"], "azp": CLIENT}
        provider.header = {"typ": "JWT"}
        provider.metadata = {"authorization_response_iss_parameter_supported": True}
        assert (await come_back(Wallet(issuer), Browser(issuer), provider, iss=ISSUER)).status_code == 303
        mixed_up = await come_back(Wallet(issuer), Browser(issuer), provider, iss="https://other.example")
        assert answer_of(mixed_up)["error"] == "access_denied"


async def test_the_answer_belongs_to_the_browser_and_the_sign_in_that_asked(place: Place) -> None:
    async with with_provider(place) as (issuer, provider):
        wallet, mine, other = Wallet(issuer), Browser(issuer), Browser(issuer)
        brought = provider.sign_in(await sent_to_provider(wallet, mine))
        theirs = provider.sign_in(await sent_to_provider(wallet, other), code="another")
        forged = brought["state"].partition(".")[0] + ".guess"
        for browser, answer, status in (
            (other, brought, 404),
            (mine, {**brought, "state": forged}, 403),
            (mine, {**brought, "state": "guess"}, 404),
            (mine, {"code": "c0de"}, 404),
            (mine, {"state": brought["state"]}, 400),
        ):
            assert (await browser.get(f"/sign-in/callback?{urlencode(answer)}")).status_code == status
        assert provider.asked.count("/token") == 0
        assert theirs["state"] != brought["state"]
        first = await mine.get(f"/sign-in/callback?{urlencode(brought)}")
        again = await mine.get(f"/sign-in/callback?{urlencode(brought)}")  # a reload is no harm
        assert (first.status_code, again.headers["location"]) == (303, first.headers["location"])
        assert "code" in answer_of(await mine.choose(first.headers["location"], answer="agree"))
        assert provider.asked.count("/token") == 1


async def test_who_gives_up_there_is_sent_back_to_the_wallet(place: Place) -> None:
    async with with_provider(place) as (issuer, provider):
        wallet, browser = Wallet(issuer), Browser(issuer)
        state = provider.sign_in(await sent_to_provider(wallet, browser))["state"]
        back = await browser.get(f"/sign-in/callback?{urlencode({'error': 'access_denied', 'state': state})}")
        assert answer_of(back)["error"] == "access_denied"


async def test_the_log_says_to_the_operator_what_is_wrong_but_not_each_time(place: Place) -> None:
    async with with_provider(place) as (issuer, provider):
        with structlog.testing.capture_logs() as logs:
            for said in ({"sub": None}, {"sub": None}, {"iss": "https://other.example"}, {}):
                provider.said = said
                await come_back(Wallet(issuer), Browser(issuer), provider)
            for answer in ({"error": "access_denied"}, {"error": "invalid_scope"}, {"error": "<script>"}):
                wallet, browser = Wallet(issuer), Browser(issuer)
                state = provider.sign_in(await sent_to_provider(wallet, browser))["state"]
                await browser.get(f"/sign-in/callback?{urlencode({**answer, 'state': state})}")
            provider.status = 400
            await come_back(Wallet(issuer), Browser(issuer), provider)
    told = [each for each in logs if each["event"] == "the identity provider signed nobody in"]
    assert [(each["code"], each["reason"].partition(" (")[2]) for each in told] == [
        ("sign_in_failed", ""),
        ("sign_in_failed", ""),
        ("sign_in_failed", "invalid_scope)"),
        ("sign_in_failed", ""),
        ("sign_in_failed", "invalid_grant)"),
    ]
    assert told[1]["reason"] == "the ID token is of another identity provider"
    assert not any("script" in each["reason"] for each in told)


@pytest.mark.parametrize("error", [None, 7, [], {}, ["invalid_grant"], "invalid_grant\n", "no_such_error"])
def test_a_provider_may_say_anything_as_error(error: object) -> None:
    assert identity._named(error) == ""
    assert identity._named("invalid_grant") == " (invalid_grant)"


async def test_a_provider_that_is_down_or_another_one_is_said_to_the_wallet(place: Place) -> None:
    async with with_provider(place) as (issuer, provider):
        provider.status = 503
        assert answer_of(await come_back(Wallet(issuer), Browser(issuer), provider))["error"] == (
            "temporarily_unavailable"
        )
    async with with_provider(place, identity_provider_issuer="https://gone.example") as (issuer, provider):
        wallet, browser = Wallet(issuer), Browser(issuer)
        begun = await browser.get(wallet.start_url(await wallet.request_uri()))
        assert answer_of(begun)["error"] == "temporarily_unavailable"
    async with with_provider(place) as (issuer, provider):
        provider.metadata = {"issuer": "https://other.example"}
        wallet, browser = Wallet(issuer), Browser(issuer)
        begun = await browser.get(wallet.start_url(await wallet.request_uri()))
        assert answer_of(begun)["error"] == "temporarily_unavailable"


@pytest.mark.attack("J15")
@pytest.mark.good_twin("J15")
async def test_keys_are_read_again_for_a_new_one_but_not_for_everybody_who_asks(place: Place) -> None:  # J15
    async with with_provider(place) as (issuer, provider):
        assert (await come_back(Wallet(issuer), Browser(issuer), provider)).status_code == 303
        provider.header = {"kid": "of-nobody"}
        for _ in range(3):
            await come_back(Wallet(issuer), Browser(issuer), provider)
        assert provider.asked.count("/keys") == 1
        assert provider.asked.count("/.well-known/openid-configuration") == 1
        issuer.clock.advance(timedelta(seconds=60))
        provider.header, provider.key = {}, KeySigner.generate()
        assert (await come_back(Wallet(issuer), Browser(issuer), provider)).status_code == 303
        assert provider.asked.count("/keys") == 2


async def test_with_a_provider_nobody_signs_in_by_the_demos_list(place: Place) -> None:
    async with with_provider(place) as (issuer, provider):
        wallet, browser = Wallet(issuer), Browser(issuer)
        await sent_to_provider(wallet, browser)
        [cookie] = browser.cookies
        page = f"/{wallet.authority}/sign-in/{cookie.removeprefix('sign-in-')}"
        assert (await browser.get(page)).headers["location"].startswith(f"{ISSUER}/authorize?")
        csrf = issuer.deployment.secrecy.sign_in_secret(cookie.removeprefix("sign-in-"), "form")
        assert (await browser.post(page, {"person": FILE, "csrf": csrf})).status_code == 404
        assert provider.proven == []


# --- settings


GOOD = {"identity_provider_issuer": ISSUER, "identity_provider_client_id": CLIENT}


@pytest.mark.parametrize(
    "wrong",
    [
        {"identity_provider_issuer": ISSUER},
        {**GOOD, "identity_provider_issuer": "nowhere"},
        {**GOOD, "demo_sign_in": True},
        {**GOOD, "identity_provider_scope": "profile"},
    ],
    ids=str,
)
def test_settings_that_contradict_themselves_are_refused(empty_place: Place, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"IDENTITY_PROVIDER|DEMO_SIGN_IN"):
        empty_place.settings(**wrong)
    assert empty_place.settings(**GOOD).is_demo_sign_in is False


def test_the_demos_list_never_reaches_production(empty_place: Place) -> None:
    production = {
        "environment": "production",
        "public_url": "https://i.example",
        "status_public_url": "https://s.example",
    }
    plain = empty_place.settings(**production)
    assert plain.is_demo_sign_in is False
    assert list(plain.refuse_in_production()) == []
    asked_for = empty_place.settings(**production, demo_sign_in=True)
    assert [reason for reason in asked_for.refuse_in_production() if "DEMO_SIGN_IN" in reason]
    local = empty_place.settings(**production, **(GOOD | {"identity_provider_issuer": "http://localhost:9"}))
    assert [reason for reason in local.refuse_in_production() if "IDENTITY_PROVIDER_ISSUER" in reason]
    with pytest.raises(Misconfigured):
        reading._refuse_in_production("ISSUER_", asked_for)
    assert issubclass(IssuerSettings, reading.ServiceSettings)


async def test_without_list_and_provider_nobody_signs_in(place: Place) -> None:
    async with running(place, demo_sign_in=False) as issuer:
        assert (await Wallet(issuer).push()).status_code == 404
