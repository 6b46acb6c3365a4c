"""How often a presentation is written down durably: what a database can flush decides how many there can be."""

from typing import Any

import pytest

from comity.openid.presentation.parameters import ResponseMode
from comity.runtime.failpoints import name_of
from tests.services.verifier.deployed import Deployed


async def test_an_encrypted_presentation_takes_three_durable_commits(
    verifier: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started, fetched, answered; reading the result writes nothing."""
    database, written = verifier.deployment.database, list[str]()
    real = database.write

    async def write(unit: Any) -> Any:
        written.append(name_of(unit))
        return await real(unit)

    monkeypatch.setattr(database, "write", write)
    started = await verifier.start()
    assert (await verifier.fetch(started)).response_mode is ResponseMode.DIRECT_POST_JWT
    assert (await verifier.answer(started)).status_code == 200
    assert (await verifier.result(started))["verdict"] == "accepted"
    own = [name for name in written if "erase" not in name]  # what timers do is nobody's flow
    assert own == ["store.save_request", "store.mark_fetched", "telling.answer_and_tell"]
