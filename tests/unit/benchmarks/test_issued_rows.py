"""The rows that the measure puts in are rows that the issuer finds."""

from pathlib import Path

import pytest

from benchmarks import issued_rows
from tests.services.issuer.deployed import ON, Place, running


async def test_what_is_put_in_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issued_rows, "CHUNK", 70)
    place = Place(tmp_path / "place")
    place.prepare()
    async with running(place):
        pass
    await issued_rows.fill(place.settings().database, 100)
    async with running(place) as issuer:
        (record,) = await issuer.records(record_reference="old-99")
        assert (record["status"], record["status_index"], record["authority"]) == ("valid", 99, ON)
        took = await issued_rows._requests(issuer, 1)
    assert set(took) == {"issue", "look up by file number", "look up by document number", "revoke"}
