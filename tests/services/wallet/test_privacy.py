"""What the operator's disk and logs hold: nothing of what credentials say (catalogue K06, X04, X08)."""

import json
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.services.wallet.town import CANARY, PASSPHRASE, Ground, Town, running

NAME_IN_JSON = json.dumps(CANARY)[1:-1]
SECRETS = [CANARY, NAME_IN_JSON, "2000-03-14", "DEMO-1234", "age_over_18", PASSPHRASE]


def found_in(folder: Path, words: list[str]) -> list[tuple[str, str]]:
    """Return (file, word) for each word readable in a file below ``folder``; the registry's files are everybody's."""
    files = [each for each in folder.rglob("*") if each.is_file() and "registry" not in each.parts]
    assert files
    return [(each.name, word) for each in files for word in words if word.encode() in each.read_bytes()]


@pytest.mark.sqlite_files
@pytest.mark.parametrize("credential_format", ["dc+sd-jwt", "vc+jwt"])
@pytest.mark.attack("K06", "X04", "X08")
async def test_nothing_readable_lies_on_disk_or_in_logs(
    ground: Ground, credential_format: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with running(ground) as town:
        maya = await town.arrive()
        (held,) = await maya.receive(await town.offer("drivers-licence/1", formats=[credential_format]))
        raw = (await maya.client.get(f"/api/v1/credentials/{held['id']}/raw")).text
        started = await town.ask("drivers-licence-valid")
        consent = await maya.consent(started["link"])
        waiting = await maya.consent((await town.ask("drivers-licence-valid"))["link"])
        assert (await maya.agree(consent)).status_code == 200
        await maya.post("credentials", offer="openid-credential-offer://?" + CANARY)
        assert waiting["credentials"][0]["leaving"]
        pieces = [*SECRETS, raw[:200], raw[-200:], maya.recovery_code, *dict(maya.client.cookies).values()]
        folder = ground.folder / "wallet"
        assert (folder / "wallet.sqlite3-wal").stat().st_size > 0
        assert found_in(folder, pieces) == []
        public = unquote(" ".join([*(each.url for each in town.net.asked), started["link"], await counted(town)]))
        assert [each for each in pieces if each in public] == []
        history = json.dumps(await maya.history())
        assert [each for each in (CANARY, NAME_IN_JSON, "2000-03-14", "DEMO-1234", '"G2"') if each in history] == []
    assert found_in(folder, pieces) == []
    told = "".join(capfd.readouterr()) + caplog.text
    assert [each for each in pieces if each in told] == []


async def counted(town: Town) -> str:
    """Return what all three services count, as whoever watches them reads it."""
    texts = [(await client.get("/metrics")).text for client in (town.desk, town.counter, (await town.visit()).client)]
    assert all("comity_requests_total" in each for each in texts)
    return " ".join(texts)


@pytest.mark.good_twin("K06", "X04", "X08")
async def test_a_planted_word_would_be_found(ground: Ground) -> None:
    """The search itself finds what it looks for."""
    (ground.folder / "wallet" / "planted").write_text(f"xx{CANARY}xx", "utf-8")
    assert found_in(ground.folder / "wallet", SECRETS) == [("planted", CANARY)]


@pytest.mark.sqlite_files
@pytest.mark.attack("X04")
async def test_what_is_kept_in_the_clear_is_the_account_name_and_nothing_else(ground: Ground) -> None:
    async with running(ground) as town:
        maya = await town.arrive("maya-the-account")
        await maya.receive(await town.offer())
        folder = ground.folder / "wallet"
        words = ["maya-the-account", "ServiceOntario", "person.1.sdjwt", "x509_hash", "received"]
        assert {word for _, word in found_in(folder, words)} == {"maya-the-account"}
