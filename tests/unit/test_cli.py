"""What the command line says of itself: where a fault of ours lies, and never what the fault's words hold."""

import sys

import pytest

from comity import cli
from comity.errors import Code, Malformed
from comity.terminal import Exit


@pytest.mark.parametrize(("language", "begins"), [("en", "This is a fault of ours"), ("fr", "C’est une erreur")])
def test_a_bug_is_one_line_with_its_place_and_without_its_words(
    language: str, begins: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["comity", "inspect", "no file", "--lang", language])
    claims: dict[str, str] = {}
    monkeypatch.setattr(cli, "build", lambda _: claims["Elise Tremblay"])

    with pytest.raises(SystemExit) as end:
        cli.main()

    told = capsys.readouterr().err
    assert end.value.code == Exit.BUG
    assert told.startswith(begins)
    assert "KeyError, comity/cli.py:" in told
    assert told.count("\n") == 1
    assert "Tremblay" not in told


def test_what_is_refused_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: object) -> None:
        raise Malformed(Code.MISCONFIGURED)

    monkeypatch.setattr(sys, "argv", ["comity", "inspect"])
    monkeypatch.setattr(cli, "build", refuse)

    with pytest.raises(SystemExit) as end:
        cli.main()

    assert end.value.code != Exit.BUG
    assert "cli.py" not in capsys.readouterr().err


def test_a_fault_outside_has_no_place() -> None:
    assert cli.place_of(KeyError()) == "?"
