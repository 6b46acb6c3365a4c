"""Claims as people read them, in their language."""

from datetime import UTC, datetime
from typing import Any

import pytest

from comity.credential import Format
from tests.support.world import DEMO_CLAIMS, LICENCE, World
from wallet.holdings import Held, take_apart

CLAIMS = {**DEMO_CLAIMS[LICENCE], "conditions": ["corrective_lenses", "daylight_only"]}


@pytest.fixture(scope="module")
def held() -> Held:
    world = World()
    signed = world.issue(world.on, Format.DC_SD_JWT, LICENCE, claims=CLAIMS, disclosable=frozenset(CLAIMS))
    about = {"key": "k", "codes": []}
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return Held(id="a", version=1, received_at=now, about=about, signed=signed, credential=take_apart(signed))


@pytest.mark.parametrize(
    ("claim", "value", "english", "french"),
    [
        ("age_over_19", True, "yes", "oui"),
        ("age_over_19", False, "no", "non"),
        ("class", "G2", "G2 (novice)", "G2 (conducteur novice)"),
        ("class", "Z9", "Z9", "Z9"),
        ("issued_on", "2026-01-05", "January 5, 2026", "5 janvier 2026"),
        ("family_name", "Gagné-O’Brien", "Gagné-O’Brien", "Gagné-O’Brien"),
        ("portrait", "data:image/png;base64,AA==", "(picture)", "(image)"),
        ("licence_number", 7, "7", "7"),
        (
            "conditions",
            ["corrective_lenses", "daylight_only"],
            "Must wear corrective lenses and Daylight driving only",
            "Doit porter des verres correcteurs et Conduite de jour seulement",
        ),
    ],
)
def test_a_value_in_words(held: Held, claim: str, value: Any, english: str, french: str) -> None:
    assert held.in_words(claim, value, "en") == english
    assert held.in_words(claim, value, "fr") == french


def test_a_claim_is_described_with_its_label(held: Held) -> None:
    described = held.described("age_over_19", value := False, "fr")
    assert described == {
        "claim": "age_over_19",
        "label": "Âge de 19 ans ou plus",
        "value": value,
        "words": "non",
    }
