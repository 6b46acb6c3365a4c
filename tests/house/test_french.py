"""The French gate catches each kind of violation, and lets a sound checkout pass."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.house import french

Tree = Path
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small sound checkout: one catalog, one type, one rule file, one source file."""
    for language, words in (("en", ("Good day, {name}", "Photo")), ("fr", ("Bonjour, {name}", "Photo"))):
        _write(
            tmp_path / "comity" / "web" / "locale" / language / "demo.po",
            HEADER + f'msgid "demo.hello"\nmsgstr "{words[0]}"\n\nmsgid "demo.photo"\nmsgstr "{words[1]}"\n',
        )
    _write(tmp_path / "comity" / "greeting.py", 'i18n.text("demo.hello", "en", name="x")\n')
    for kind in ("schemas/person/1", "schemas/rules"):
        shutil.copytree(french.ROOT / kind, tmp_path / kind)
    return tmp_path


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _write_both(tree: Tree, domain: str, key: str, english: str, french_words: str) -> None:
    for language, words in (("en", english), ("fr", french_words)):
        path = tree / "comity" / "web" / "locale" / language / f"{domain}.po"
        _write(path, HEADER + f'msgid "{key}"\nmsgstr "{words}"\n')


def _in_french(old: str, new: str) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        path = tree / "comity" / "web" / "locale" / "fr" / "demo.po"
        before = path.read_text(encoding="utf-8")
        assert old in before
        path.write_text(before.replace(old, new), encoding="utf-8")

    return change


def _in_type(edit: Callable[[Any], None]) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        path = tree / "schemas" / "person" / "1" / "type.json"
        metadata = json.loads(path.read_text(encoding="utf-8"))
        edit(metadata)
        path.write_text(json.dumps(metadata, ensure_ascii=False), encoding="utf-8")

    return change


def _in_source(source: str, name: str = "comity/greeting.py") -> Callable[[Tree], None]:
    return lambda tree: _write(tree / name, source)


def test_the_real_checkout_passes() -> None:
    assert french.findings(french.ROOT) == []


def test_a_sound_tree_passes(tree: Tree) -> None:
    assert french.findings(tree) == []


def test_the_command_says_so(capsys: pytest.CaptureFixture[str], tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(french, "ROOT", tree)
    assert french.main() == 0
    _in_french("Bonjour", "Good day")(tree)
    assert french.main() == 1
    assert "demo.hello: French is the same as English" in capsys.readouterr().out


def test_an_unreadable_catalog_is_told(
    capsys: pytest.CaptureFixture[str], tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(french, "ROOT", tree)
    _write(tree / "comity" / "web" / "locale" / "en" / "demo.po", HEADER + 'msgid "demo.hello"\nmsgstr "a\nnonsense\n')
    assert french.main() == 1
    assert "cannot be read" in capsys.readouterr().out


VIOLATIONS = {
    "missing in French": (_in_french('msgid "demo.photo"', 'msgid "demo.other"'), "demo.photo: not in French"),
    "missing in English": (_in_french('msgid "demo.photo"', 'msgid "demo.other"'), "demo.other: not in English"),
    "a whole domain missing": (
        lambda tree: (tree / "comity/web/locale/fr/demo.po").unlink(),
        "demo.hello: not in French",
    ),
    "key of another domain": (
        lambda tree: _write_both(tree, "other", "demo.x", "day", "jour"),
        "demo.x: stands in other.po",
    ),
    "key twice": (
        _in_french('msgid "demo.photo"', 'msgid "demo.hello"\nmsgstr "Salut, {name}"\n\nmsgid "demo.photo"'),
        "demo.hello: stands 2 times in demo.po",
    ),
    "empty": (_in_french("Bonjour, {name}", ""), "demo.hello: empty"),
    "unfinished": (_in_french('msgid "demo.hello"', '#, fuzzy\nmsgid "demo.hello"'), "demo.hello: empty"),
    "same as English": (_in_french("Bonjour", "Good day"), "demo.hello: French is the same as English"),
    "other placeholder": (_in_french("{name}", "{nom}"), "demo.hello: other placeholders in French"),
    "placeholder lost": (_in_french(", {name}", ""), "demo.hello: other placeholders in French"),
    "marked by suffix": (_in_french("Bonjour, {name}", "Good day, {name} (FR)"), "demo.hello: marked, not written"),
    "marked by prefix": (_in_french("Bonjour", "FR: Bonjour"), "demo.hello: marked, not written"),
    "straight apostrophe": (_in_french("Bonjour", "Content d'être là"), "demo.hello: a straight apostrophe"),
    "breaking space before a colon": (
        _in_french("Bonjour,", "Bonjour :"),
        "demo.hello: a colon without a no-break space before it",
    ),
    "no space before a colon": (
        _in_french("Bonjour,", "Bonjour:"),
        "demo.hello: a colon without a no-break space before it",
    ),
    "guillemets": (_in_french("Bonjour", "« Bonjour »"), "demo.hello: guillemets without a no-break space inside"),
    "space before a question mark": (_in_french("{name}", "{name} ?"), "demo.hello: a space before ; ? or !"),
    "type without French name": (
        _in_type(lambda metadata: metadata["display"].pop()),
        "person/1 name: not in en-CA and fr-CA",
    ),
    "claim without French label": (
        _in_type(lambda metadata: metadata["claims"][0]["display"].pop()),
        "person/1 ['given_names'] label: not in en-CA and fr-CA",
    ),
    "claim label copied": (
        _in_type(lambda metadata: metadata["claims"][0]["display"][1].update(label="Given names")),
        "person/1 ['given_names'] label: French is the same as English",
    ),
    "code without French words": (
        _in_type(lambda metadata: metadata["comity"]["values"]["region"]["BC"].pop("fr")),
        "person/1 region BC: not in English and French",
    ),
    "rule without French words": (
        lambda tree: _write(tree / "schemas/rules/age.json", '{"purposes": {"alcohol": {"en": "buying alcohol"}}}'),
        "age.json purposes alcohol: not in English and French",
    ),
    "unknown key": (
        _in_source('i18n.text("demo.bye", language)\n'),
        "comity/greeting.py:1: no words for demo.bye",
    ),
    "unknown key by its bare name": (
        _in_source('\ntext("demo.bye", language)\n', "issuer/page.py"),
        "issuer/page.py:2: no words for demo.bye",
    ),
    "unknown key on one side of a choice": (
        _in_source('i18n.text("demo.hello" if day else "demo.night", language)\n'),
        "comity/greeting.py:1: no words for demo.night",
    ),
    "computed key without any match": (
        _in_source('i18n.text(f"demo.night.{hour}", language)\n'),
        "comity/greeting.py:1: no words for demo.night.*",
    ),
    "unknown key in a template": (
        _in_source("<p>{{ t('demo.bye') }}</p>\n", "wallet/pages/home.html"),
        "wallet/pages/home.html: no words for demo.bye",
    ),
}


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_a_planted_violation_is_found(tree: Tree, kind: str) -> None:
    plant, expected = VIOLATIONS[kind]
    plant(tree)
    assert expected in french.findings(tree)


@pytest.mark.parametrize(
    "sound",
    [
        _in_french("Bonjour,", "Bonjour\u00a0:"),
        _in_french("Bonjour", "«\u00a0Bonjour\u00a0»"),
        _in_french("Bonjour", "L’heure est 10:30; bonjour"),
        _in_source('i18n.text(f"demo.{word}", language)\n'),
        _in_source('connection.execute(text("select 1 from x.y"))\n'),
    ],
)
def test_sound_french_and_sources_pass(tree: Tree, sound: Callable[[Tree], None]) -> None:
    sound(tree)
    assert french.findings(tree) == []
