"""The restore drill of the verifier (catalogue F31): no open request and no claim comes back."""

import asyncio
from dataclasses import replace

import pytest

from comity.runtime import backup, backup_file, migrations
from comity.runtime.clock import FixedClock
from tests.services.verifier.deployed import Place, running
from tests.support.world import NOW
from verifier.backup import PLAN, scheme
from verifier.store import metadata

SECRET = "a passphrase of the night shift"


@pytest.mark.both_databases
@pytest.mark.fault("F31")
async def test_verdicts_come_back_and_open_requests_do_not(
    place: Place, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_file, "COST", (1 << 10, 8, 1))
    file = place.folder / "night.backup"
    async with running(place) as verifier:
        answered, unanswered = await verifier.start(), await verifier.start()
        assert (await verifier.answer(answered)).status_code == 200
        verdict = (await verifier.result(answered))["verdict"]
        asked = await verifier.fetch(unanswered)
        made = await asyncio.to_thread(
            backup.create, scheme(url=verifier.settings.database), file, SECRET, FixedClock(NOW)
        )
        assert {name: count for name, count in made.items() if count} == {"requests": 1}
    await asyncio.to_thread(migrations.upgrade, empty_database, "verifier")
    await asyncio.to_thread(backup.restore, scheme(url=empty_database), file, SECRET, FixedClock(NOW))
    async with running(replace(place, database=empty_database)) as verifier:
        told = await verifier.outcome(answered)
        assert (told["state"], verdict) == ("answered", "accepted")
        assert "claims" not in str(told.get("result"))
        assert (await verifier.read(unanswered)).status_code == 404
        from comity.openid.presentation import response

        body = response.build(asked, verifier.vp_token(asked, verifier.licence()))
        assert (await verifier.post(unanswered, body)).status_code in {400, 404}
        again = await verifier.start()  # the good twin
        assert (await verifier.answer(again)).status_code == 200


def test_every_table_has_a_rule() -> None:
    assert set(PLAN) == set(metadata.tables)
