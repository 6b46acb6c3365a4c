"""The town of tests/services/wallet, as it is, and somebody in it who holds a credential."""

from typing import Any

import pytest

from tests.services.wallet.conftest import cheap_passphrases, ground, maya, template, town
from tests.services.wallet.town import Person, Town

__all__ = ["cheap_passphrases", "ground", "held", "maya", "template", "town"]


@pytest.fixture
async def held(town: Town, maya: Person) -> dict[str, Any]:
    """Maya's person credential."""
    (received,) = await maya.receive(await town.offer())
    return received
