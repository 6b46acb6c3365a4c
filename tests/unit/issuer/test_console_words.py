"""Whatever the issuer writes into its audit log, the console has words for it in both languages."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

import issuer
from comity.openid.issuance.notification import NotificationEvent
from comity.web import i18n
from issuer.console.overseeing import ACTIONS
from issuer.operators import Role
from issuer.store.bulk import JobState
from issuer.store.offers import Decision, OfferState

SOURCES = Path(issuer.__file__).parent
WRITTEN = re.compile(r'(?:\bevent\([^()]*?,\s*|\baction=)"([a-z_]+)"')


def written() -> set[str]:
    """Return every action that the sources name, and those that are made of a value."""
    found = {name for file in SOURCES.rglob("*.py") for name in WRITTEN.findall(file.read_text(encoding="utf-8"))}
    decided = {f"offer_{each.value}" for each in Decision if each is not Decision.WAITING}
    return found | {each.value for each in NotificationEvent} | decided


def test_every_action_is_known_to_the_log() -> None:
    assert {"offer_created", "credential_issued", "code_replayed"} <= written()
    assert written() - set(ACTIONS) == set()


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_words(action: str, language: str) -> None:
    assert i18n.text(f"console.event_{action}", language)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize(("kind", "states"), [("offer", OfferState), ("job", JobState), ("role", Role)])
def test_every_state_has_words(kind: str, states: type[StrEnum], language: str) -> None:
    assert all(i18n.has(f"console.{kind}_{each.value}", language) for each in states)
