"""Codes are a promise: each one is documented, translated and never removed."""

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from comity.errors import Code
from comity.verification.checks import CheckName, Outcome, Verdict

RECORDED = Path(__file__).with_name("codes.txt").read_text(encoding="utf-8").split()
LOCALE = Path(__file__).resolve().parents[2] / "comity" / "web" / "locale"


def _words(language: str) -> dict[str, str]:
    with (LOCALE / language / "codes.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


EXPECTED = [
    *(f"codes.{code}.{part}" for code in Code for part in ("title", "meaning", "next_step")),
    *(f"codes.check.{name}" for name in CheckName),
    *(f"codes.outcome.{outcome}" for outcome in Outcome),
    *(f"codes.verdict.{verdict}{part}" for verdict in Verdict for part in ("", ".sentence")),
]


def test_no_recorded_code_was_removed_or_renamed() -> None:
    assert set(RECORDED) - {code.value for code in Code} == set()


def test_every_code_is_recorded() -> None:
    assert {code.value for code in Code} - set(RECORDED) == set(), "add the new codes to tests/house/codes.txt"


def test_the_record_names_each_code_once() -> None:
    assert len(RECORDED) == len(set(RECORDED))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_code_check_outcome_and_verdict_has_its_words(language: str) -> None:
    words = _words(language)
    assert [key for key in EXPECTED if not words.get(key)] == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_words_stand_for_a_code_that_does_not_exist(language: str) -> None:
    assert set(_words(language)) - set(EXPECTED) == set()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_titles_are_short_and_the_rest_are_sentences(language: str) -> None:
    words = _words(language)
    assert [
        key for key, text in words.items() if key.endswith(".title") and (len(text) > 60 or text.endswith("."))
    ] == []
    sentences = (".meaning", ".next_step", ".sentence")
    assert [key for key, text in words.items() if key.endswith(sentences) and not text.endswith(".")] == []


def test_codes_are_snake_case_and_named_alike() -> None:
    assert [code for code in Code if code.name.lower() != code.value] == []
