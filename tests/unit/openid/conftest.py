from datetime import datetime

import pytest

from comity.keys import KeySigner
from tests.unit.openid.parties import AT, Verifier, make_verifier


@pytest.fixture(scope="session")
def at() -> datetime:
    """The instant of every test here."""
    return AT


@pytest.fixture(scope="session")
def verifier() -> Verifier:
    """The relying party."""
    return make_verifier()


@pytest.fixture(scope="session")
def stranger() -> KeySigner:
    """A key that belongs to nobody in the test."""
    return KeySigner.generate()
