"""Claims as people read them, in their language."""

from datetime import UTC, datetime
from typing import Any

import pytest

from comity.credential import Format
from comity.openid.issuance.configuration import CredentialConfiguration
from comity.openid.issuance.display import Display
from tests.support.world import DEMO_CLAIMS, LICENCE, World
from wallet import type_names
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


CONTEXTS = ("https://www.w3.org/ns/credentials/v2", f"{LICENCE.vct}/context")
W3C = {"format": Format.VC_JWT, "vct": None, "contexts": CONTEXTS}


@pytest.mark.parametrize(
    ("changes", "english", "french"),
    [
        ({}, "Driver’s licence", "Permis de conduire"),
        ({**W3C, "types": ("VerifiableCredential", LICENCE.w3c_type)}, "Driver’s licence", "Permis de conduire"),
        ({"vct": "https://types.comity.example/drivers-licence/99"}, "office-1", "office-1"),
        ({"vct": "https://else.example/licence"}, "office-1", "office-1"),
        ({"display": (Display(name="Licence", locale="en-CA"),)}, "Licence", "Licence"),
    ],
)
def test_what_its_issuer_does_not_name_is_called_as_the_federation_calls_it(
    changes: dict[str, Any], english: str, french: str
) -> None:
    """As of an issuer of another maker, whose ``credential_metadata`` are empty."""
    described = {"id": "office-1", "format": Format.DC_SD_JWT, "vct": LICENCE.vct, "display": (), **changes}
    offered = CredentialConfiguration(**described)
    assert [type_names.name_of_offered(offered, each) for each in ("en", "fr")] == [english, french]
