from pathlib import Path

import pytest

from comity.runtime.clock import SystemClock
from issuer.app import create_missing_keys
from tests.services.issuer.deployed import Place
from tests.support.databases import POSTGRESQL


@pytest.fixture
def place(database_kind: str, empty_database: str, tmp_path: Path) -> Place:
    """A deployment that never ran; its keys hold now, for real processes have the real time."""
    found = Place(tmp_path / "place", database=empty_database if database_kind == POSTGRESQL else None)
    found.prepare()
    create_missing_keys(found.settings(), SystemClock().now())
    return found
