import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.web import i18n

LAMPS = {
    "en": r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

msgid "lamps.title"
msgstr "The lamps of {place}"

msgid "lamps.count"
msgid_plural "lamps.count"
msgstr[0] "{count} lamp"
msgstr[1] "{count} lamps"

#, fuzzy
msgid "lamps.guessed"
msgstr "perhaps"

msgid "lamps.missing"
msgstr ""

#~ msgid "lamps.gone"
#~ msgstr "gone"
""",
    "fr": r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

msgid "lamps.title"
msgstr "Les lampes de {place}"

msgid "lamps.count"
msgid_plural "lamps.count"
msgstr[0] "{count} lampe"
msgstr[1] "{count} lampes"
""",
}


@pytest.fixture
def _lamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for language, words in LAMPS.items():
        (tmp_path / language).mkdir()
        (tmp_path / language / "lamps.po").write_text(words, encoding="utf-8")
    (tmp_path / "en" / "only_english.po").write_text(LAMPS["en"].replace("lamps.", "only_english."))
    monkeypatch.setattr(i18n, "_FOLDER", tmp_path)
    i18n._catalog.cache_clear()
    yield
    i18n._catalog.cache_clear()


pytestmark = pytest.mark.usefixtures("_lamps")


def test_words_are_found_in_both_languages() -> None:
    assert i18n.text("lamps.title", "en", place="Gaspé") == "The lamps of Gaspé"
    assert i18n.text("lamps.title", "fr", place="Gaspé") == "Les lampes de Gaspé"


@pytest.mark.parametrize(
    ("language", "count", "words"),
    [
        ("en", 0, "0 lamps"),
        ("en", 1, "1 lamp"),
        ("en", 2, "2 lamps"),
        ("en", 1.5, "1.5 lamps"),
        ("fr", 0, "0 lampe"),
        ("fr", 1, "1 lampe"),
        ("fr", 1.5, "1.5 lampe"),
        ("fr", 2, "2 lampes"),
        ("fr", 21, "21 lampes"),
    ],
)
def test_plurals_follow_each_language(language: str, count: float, words: str) -> None:
    assert i18n.text("lamps.count", language, count=count) == words


@pytest.mark.parametrize(
    ("key", "language"),
    [
        ("lamps.nothing", "en"),
        ("lamps.guessed", "en"),
        ("lamps.missing", "en"),
        ("lamps.gone", "en"),
        ("only_english.title", "fr"),
        ("none.title", "en"),
        ("lamps.title", "de"),
        ("lamps.title", ""),
        ("lamps.title", "../en"),
        ("../lamps.title", "en"),
        ("", "en"),
        ("lamps", "en"),
    ],
)
def test_missing_words_are_an_error_never_a_key_shown_to_people(key: str, language: str) -> None:
    with pytest.raises(KeyError):
        i18n.text(key, language, place="x")
    assert not i18n.has(key, language)


def test_missing_values_are_an_error() -> None:
    with pytest.raises(KeyError):
        i18n.text("lamps.title", "en")
    with pytest.raises(KeyError):
        i18n.text("lamps.count", "en")
    with pytest.raises(KeyError):
        i18n.text("lamps.count", "en", count="many")


def test_catalogs_can_be_listed() -> None:
    assert i18n.has("lamps.title", "fr")
    assert i18n.keys("fr", "lamps") == {"lamps.title", "lamps.count"}
    assert i18n.keys("en", "lamps") == i18n.keys("fr", "lamps")
    with pytest.raises(KeyError):
        i18n.keys("fr", "none")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("fr", "fr"),
        ("FR-CA", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en-CA,en;q=0.9,fr;q=0.8", "en"),
        ("en;q=0.5, fr", "fr"),
        ("de, es;q=0.9, fr;q=0.1", "fr"),
        ("de", "en"),
        ("*", "en"),
        ("fr;q=0", "en"),
        ("fr;q=2", "en"),
        ("fr;q=x, en;q=0.1", "en"),
        ("fr;level=1", "fr"),
        ("fr ; q=0.3 , en;q=0.2", "fr"),
        ("frr", "en"),
        ("fr;q=nan", "en"),
        ("x," * 1000 + "fr", "en"),
    ],
)
def test_the_language_is_the_one_preferred_among_ours(header: str | None, language: str) -> None:
    assert i18n.choose(header) == language


@given(st.text())
def test_any_header_chooses_a_language(header: str) -> None:
    assert i18n.choose(header) in i18n.LANGUAGES


def test_dates_are_written_as_people_write_them() -> None:
    day = dt.date(2026, 8, 1)
    assert i18n.date(day, "en") == "August 1, 2026"
    assert i18n.date(day, "fr") == "1 août 2026"
    at = dt.datetime(2026, 8, 1, 22, 5, tzinfo=dt.timezone(dt.timedelta(hours=-4)))
    assert i18n.instant(at, "en").replace("\u202f", " ") == "August 2, 2026, 2:05 a.m. UTC"
    assert i18n.instant(at, "fr").replace("\u202f", " ") == "2 août 2026, 02 h 05 UTC"


def test_lists_are_written_as_people_write_them() -> None:
    assert i18n.enumeration(["a", "b", "c"], "en") == "a, b and c"
    assert i18n.enumeration(["a", "b", "c"], "fr") == "a, b et c"
    assert i18n.enumeration([], "fr") == ""


def test_words_of_a_document_fall_back_on_the_other_language() -> None:
    assert i18n.pick({"en": "Ontario", "fr": "L’Ontario"}, "fr") == "L’Ontario"
    assert i18n.pick({"en": "Ontario"}, "fr") == "Ontario"
    assert i18n.pick({"fr": "Québec"}, "en") == "Québec"
    assert i18n.pick({}, "en") == ""
