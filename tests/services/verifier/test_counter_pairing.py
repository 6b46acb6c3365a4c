"""Who is a counter: a code that works once, a cookie that is kept as a hash, and nobody else."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select
from typer.testing import CliRunner

from comity.errors import Code, Denied, Malformed
from comity.web import i18n
from tests.services.verifier.deployed import PUBLIC_URL, Deployed, Place, running
from tests.services.verifier.till import TOKEN, Till, paired, words
from verifier.cli import cli
from verifier.counter.face import COOKIE
from verifier.counter_store import devices
from verifier.pairing import IDLE_DAYS, MAX_CLEAR_SECONDS, MINUTES_TO_PAIR, normal
from verifier.settings import VerifierSettings


def rows(connection: Connection) -> list[str]:
    return [str(tuple(row)) for row in connection.execute(select(devices))]


async def test_a_code_pairs_one_device_once(verifier: Deployed) -> None:
    _, code = await verifier.deployment.pairing.add("Till 1", relying_party="bar")
    till, other = Till(verifier), Till(verifier)
    assert (await till.get("/counter")).headers["location"] == "/en/counter/sign-in?next=/en/counter"
    answer = await till.post("/counter/sign-in", {"code": f" {code.lower().replace('-', ' ')} "})
    assert answer.headers["location"] == "/en/counter"
    assert "19 or older" in await till.read("/counter")
    again = await other.post("/counter/sign-in", {"code": code})
    assert (again.status_code, COOKIE in other.client.cookies) == (422, False)
    assert i18n.text("codes.pairing_code_invalid.meaning", "en") in words(again.text)


async def test_neither_code_nor_cookie_is_kept(verifier: Deployed) -> None:
    _, code = await verifier.deployment.pairing.add("Till 1", relying_party="bar")
    till = await paired(verifier)
    kept = " ".join(await verifier.deployment.database.read(rows))
    for secret in (code, normal(code), till.client.cookies[COOKIE]):
        assert secret not in kept
    cookie = next(each for each in till.client.cookies.jar if each.name == COOKIE)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"


async def test_a_code_ends_after_half_an_hour(verifier: Deployed) -> None:
    pairing = verifier.deployment.pairing
    _, late = await pairing.add("Till 1", relying_party="bar")
    verifier.clock.advance(timedelta(minutes=MINUTES_TO_PAIR))
    with pytest.raises(Denied) as refused:
        await pairing.pair(late)
    assert refused.value.code is Code.PAIRING_CODE_INVALID
    _, in_time = await pairing.add("Till 1", relying_party="bar")
    verifier.clock.advance(timedelta(minutes=MINUTES_TO_PAIR, seconds=-1))
    assert (await pairing.pair(in_time))[0].relying_party == "bar"


async def test_guessing_is_slow(verifier: Deployed) -> None:
    pairing = verifier.deployment.pairing
    _, good = await pairing.add("Till 1", relying_party="bar")
    for _ in range(20):
        with pytest.raises(Denied, match="wrong"):
            await pairing.pair("AAAA-BBBB-CCCC")
    with pytest.raises(Denied) as refused:
        await pairing.pair(good)
    assert refused.value.code is Code.TOO_MANY_ATTEMPTS


async def test_a_removed_or_forgotten_device_is_out(verifier: Deployed) -> None:
    till = await paired(verifier)
    (device,) = await verifier.deployment.pairing.devices()
    verifier.clock.advance(timedelta(days=IDLE_DAYS - 1))
    assert (await till.get("/counter")).status_code == 200  # and this counts as being seen
    verifier.clock.advance(timedelta(days=IDLE_DAYS - 1))
    assert (await till.get("/counter")).status_code == 200
    verifier.clock.advance(timedelta(days=IDLE_DAYS))
    assert (await till.get("/counter")).status_code == 303
    other = await paired(verifier)
    assert await verifier.deployment.pairing.end((await verifier.deployment.pairing.devices())[-1].id)
    assert (await other.get("/counter")).status_code == 303
    assert not await verifier.deployment.pairing.end("nobody")
    assert device.name == "Till 1"


async def test_signing_out_ends_the_session(verifier: Deployed) -> None:
    till = await paired(verifier)
    cookie = till.client.cookies[COOKIE]
    answer = await till.post("/counter/leave", {}, drawn_at="/counter/settings")
    assert answer.headers["location"] == "/en/counter/sign-in"
    till.client.cookies.set(COOKIE, cookie)
    again = await till.get("/counter")
    assert again.status_code == 303


@pytest.mark.attack("W01")
async def test_only_our_own_pages_send_forms(verifier: Deployed) -> None:
    """W01: no token, another session's token, another site."""
    till = await paired(verifier)
    stranger = Till(verifier)
    theirs = TOKEN.search((await stranger.get("/counter/sign-in")).text)
    assert theirs is not None
    for token in ("", "nothing", theirs[1]):
        answer = await till.client.post("/en/counter", data={"policy": "age-alcohol", "form_token": token})
        assert answer.status_code == 422
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        foreign = await till.post("/counter", {"policy": "age-alcohol"}, headers=headers)
        assert foreign.status_code == 403
    own = {"origin": "null", "sec-fetch-site": "same-origin"}  # what browsers send from a page without a referrer
    assert (await till.post("/counter", {"policy": "age-alcohol"}, headers=own)).status_code == 303


async def test_what_a_device_sets_is_judged(verifier: Deployed) -> None:
    till = await paired(verifier)
    assert "18 or older" in await till.read("/counter")
    answer = await till.post("/counter/settings", {"place": "ca-ab", "clear": "60", "sound": "yes"})
    assert answer.headers["location"] == "/en/counter/settings?saved=yes"
    assert "19 or older" not in await till.read("/counter")
    for wrong in ({"place": "ca-xx", "clear": "60"}, {"place": "ca-on", "clear": "7"}, {"place": "ca-on"}):
        assert (await till.post("/counter/settings", wrong)).status_code == 422
    (device,) = await verifier.deployment.pairing.devices()
    assert (device.place, device.clear_seconds, device.sound) == ("ca-ab", 60, True)
    with pytest.raises(Malformed):
        await verifier.deployment.pairing.change(
            device, place="ca-ab", clear_seconds=MAX_CLEAR_SECONDS + 1, sound=False
        )
    for name in ("", " ", "x" * 201):
        with pytest.raises(Malformed):
            await verifier.deployment.pairing.add(name, relying_party="bar")


async def test_a_demonstration_opens_without_a_code(verifier: Deployed, place: Place) -> None:
    assert "demonstration counter" not in await Till(verifier).read("/counter/sign-in")
    assert (await Till(verifier).post("/counter/demo", {}, drawn_at="/counter/sign-in")).status_code == 404
    async with running(place, demo_counter="bar") as demo:
        till = Till(demo)
        answer = await till.post("/counter/demo", {"next": "/en/counter/scan"}, drawn_at="/counter/sign-in")
        assert answer.headers["location"] == "/en/counter/scan"
        assert (await till.get("/counter/scan")).status_code == 200
        assert "Demonstration counter" in await till.read("/counter")
        till.language = "fr"
        assert "Comptoir de démonstration" in await till.read("/counter/settings"), "its name is a word of ours"


@pytest.mark.parametrize("name", ["demo_counter", "demo_host"])
def test_production_refuses_what_is_for_demonstrations(place: Place, name: str) -> None:
    settings = place.settings(environment="production", public_url="https://verifier.example", data_dir=place.folder)
    changed = settings.model_copy(update={name: "x"})
    assert any(name.upper() in each for each in changed.refuse_in_production())
    assert not any(name.upper() in each for each in settings.refuse_in_production())


def test_the_command_makes_lists_and_removes_devices(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: VerifierSettings = place.settings()
    for name in ("public_url", "registry_url", "registry_root_file", "relying_parties_file", "data_dir"):
        monkeypatch.setenv(f"VERIFIER_{name.upper()}", str(getattr(settings, name)))
    run = CliRunner()
    made = run.invoke(cli, ["counter", "add", "Caisse 2", "--relying-party", "bar", "--place", "ca-qc", "--lang", "fr"])
    assert made.exit_code == 0, made.output
    assert f"{PUBLIC_URL}/fr/counter/sign-in" in made.output
    listed = run.invoke(cli, ["counter", "list"]).output
    device, *about = listed.strip().split("\t")
    assert about == ["Caisse 2", "bar", "-"]
    assert run.invoke(cli, ["counter", "remove", device]).exit_code == 0
    assert run.invoke(cli, ["counter", "list"]).output == ""
    assert run.invoke(cli, ["counter", "remove", device]).exit_code != 0
    for wrong in (["--relying-party", "nobody"], ["--relying-party", "bar", "--place", "ca-xx"]):
        assert run.invoke(cli, ["counter", "add", "X", *wrong]).exit_code != 0
