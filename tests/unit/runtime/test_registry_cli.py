"""``comity registry …``, through the same typer application that ``comity`` mounts."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import schemas
from comity.commands.registry import period, registry
from comity.errors import ComityError, Malformed, Misconfigured, NotFound
from comity.runtime.registry_host import RegistryHost
from comity.web import i18n, serving
from tests.unit.runtime.registry_world import member_edits
from tests.unit.trust.federation import BASE

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs ``comity registry`` on one registry and returns what it printed."""
    folder = tmp_path / "registry"

    def call(*arguments: str, on_registry: bool = True) -> str:
        where = ["--dir", str(folder)] if on_registry else []
        result = CliRunner().invoke(registry, [*arguments, *where], terminal_width=200)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    call("init", str(folder), "--name-en", "Demo", "--name-fr", "Démo", on_registry=False)
    return call


@pytest.fixture
def joined(run: Run) -> Run:
    run("add", "type", "person/1", "drivers-licence/1")
    run("add", "member", "ca-on", "--name-en", "Ontario", "--name-fr", "Ontario", "--since", "2026-01-01")
    run("add", "delegation", "ca-on", "--type", "person/1")
    return run


def documents(run: Run) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run("show", "--json"))["documents"]
    return value


def printed_issuers(tmp_path: Path) -> Path:
    """Write what ``comity issuer identifiers --json`` prints."""
    entries = [member_edits(each)[2] for each in ("ca-on", "ca-bc")]
    path = tmp_path / "identifiers.json"
    kept = ("authority", "name", "identifiers")
    path.write_text(json.dumps([{**{key: each[key] for key in kept}, "status_signers": []} for each in entries]))
    return path


def test_init(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    arguments = ["init", str(folder), "--name-en", "D", "--name-fr", "D", "--root-keys", "3", "--root-threshold", "2"]
    result = CliRunner().invoke(registry, [*arguments, "--recognition-default", "unset", "--json"])
    assert json.loads(result.output) == {"root_file": str(folder / "root.json"), "public": str(folder / "public")}
    root = json.loads((folder / "root.json").read_bytes())
    assert root["signed"]["roles"]["root"]["threshold"] == 2
    shown = json.loads(CliRunner().invoke(registry, ["show", "--dir", str(folder), "--json"]).output)
    assert "recognition_default" not in shown["documents"]["federation.json"]


@pytest.mark.parametrize(("lang", "words"), [("en", "The registry is made"), ("fr", "Le registre est créé")])
def test_init_speaks_both_languages(tmp_path: Path, lang: str, words: str) -> None:
    arguments = ["init", str(tmp_path / lang), "--name-en", "D", "--name-fr", "D", "--lang", lang]
    assert words in CliRunner().invoke(registry, arguments).output


def test_members(run: Run) -> None:
    for jurisdiction in ("ca", "ca-on", "ca-yt", "ca-on/toronto"):
        run("add", "member", jurisdiction, "--name-en", "E", "--name-fr", "F", "--until", "2099-01-01")
    members = documents(run)["federation.json"]["members"]
    assert [(each["id"], each["level"]) for each in members] == [
        ("ca", "federal"),
        ("ca-on", "province"),
        ("ca-yt", "territory"),
        ("ca-on/toronto", "municipality"),
    ]
    assert {each["until"] for each in members} == {"2099-01-01"}
    out = run(
        "add", "member", "ca-bc", "--name-en", "E", "--name-fr", "F", "--role-keys", "3", "--threshold", "2", "--json"
    )
    assert json.loads(out) == {"documents": ["federation.json"], "roles": ["targets", "ca-bc"], "pending": []}
    roles = {each["role"]: each for each in json.loads(run("show", "--json"))["roles"]}
    assert (roles["ca-bc"]["keys"], roles["ca-bc"]["threshold"]) == (3, 2)


def test_types_and_delegations(run: Run) -> None:
    run("add", "type", "all")
    federation = documents(run)["federation.json"]
    assert {each["id"] for each in federation["types"]} == {f"{slug}/{n}" for slug, n in schemas.all_types()}
    run("add", "member", "ca-on", "--name-en", "E", "--name-fr", "F")
    run("add", "delegation", "ca-on", "--type", "person/1", "--type", "health-card/1", "--until", "2027-01-01")
    assert documents(run)["federation.json"]["delegations"] == [
        {"to": "ca-on", "types": ["person/1", "health-card/1"], "until": "2027-01-01"}
    ]


def test_issuers_are_added_from_what_their_software_prints(joined: Run, tmp_path: Path) -> None:
    source = str(printed_issuers(tmp_path))
    joined(
        "add",
        "issuer",
        "--from",
        source,
        "--authority",
        "ca-on/services",
        "--type",
        "person/1",
        "--since",
        "2026-02-01",
    )
    (entry,) = documents(joined)["ca-on/issuers.json"]["issuers"]
    assert entry["accreditations"] == [{"type": "person/1", "from": "2026-02-01"}]
    with pytest.raises(NotFound):  # the other one's jurisdiction is not a member
        joined("add", "issuer", "--from", source, "--type", "person/1")
    with pytest.raises(NotFound):
        joined("add", "issuer", "--from", source, "--authority", "ca-qc/services", "--type", "person/1")
    single = tmp_path / "one.json"
    single.write_text(json.dumps(json.loads(Path(source).read_text())[0]))
    joined("add", "issuer", "--from", str(single), "--type", "drivers-licence/1", "--until", "2099-01-01")
    assert len(documents(joined)["ca-on/issuers.json"]["issuers"][0]["accreditations"]) == 2


def test_withdrawal(joined: Run, tmp_path: Path) -> None:
    joined(
        "add", "issuer", "--from", str(printed_issuers(tmp_path)), "--authority", "ca-on/services", "--type", "person/1"
    )
    arguments = ["withdraw", "ca-on/services", "--reason", "mandate_ended", "--effect"]
    joined(*arguments, "keep", "--type", "person/1", "--on", "2026-11-23")
    (entry,) = documents(joined)["ca-on/issuers.json"]["issuers"]
    assert entry["accreditations"][0]["effect"] == "keep"
    assert entry["accreditations"][0]["withdrawn_at"] == "2026-11-23"
    joined(*arguments, "lose")
    (entry,) = documents(joined)["ca-on/issuers.json"]["issuers"]
    assert entry["accreditations"][0]["effect"] == "lose"
    assert len(entry["accreditations"][0]["withdrawn_at"]) == 10


def test_verifiers_and_recognition(joined: Run, tmp_path: Path) -> None:
    source = tmp_path / "verifier.json"
    source.write_text(json.dumps(BASE["ca-bc/verifiers.json"]["verifiers"][0]))
    joined("add", "verifier", "ca-on", "--from", str(source))
    assert documents(joined)["ca-on/verifiers.json"]["verifiers"][0]["name"]["fr"] == "Bar de Vancouver"
    about = ["--jurisdiction", "ca-bc", "--type", "person/1", "--purpose", "age_alcohol", "--reference", "Act 1"]
    joined("add", "recognition", "ca-on", "--refuse", *about)
    joined("add", "recognition", "ca-on", "--accept")
    assert documents(joined)["ca-on/recognition.json"]["narrow"] == [
        {"accept": False, "jurisdiction": "ca-bc", "type": "person/1", "purpose": "age_alcohol", "reference": "Act 1"},
        {"accept": True},
    ]


def test_a_plan(joined: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"edits": member_edits("ca-bc")}))
    out = json.loads(joined("apply", str(plan), "--json"))
    assert out["documents"] == ["federation.json", "ca-bc/issuers.json"]
    with pytest.raises(ComityError):
        joined("apply", str(plan))
    plan.write_text("[]")
    with pytest.raises(Malformed):
        joined("apply", str(plan))
    with pytest.raises(Misconfigured):
        joined("apply", str(tmp_path / "missing.json"))


def test_signing_refreshing_and_rotating(joined: Run) -> None:
    assert "ca-on" in joined("sign", "ca-on")
    assert joined("sign") == ""
    assert "snapshot, timestamp" in joined("refresh")
    assert json.loads(joined("rotate", "ca-on", "--new-keys", "3", "--threshold", "2", "--json"))["pending"] == []
    with pytest.raises(NotFound):
        joined("rotate", "ca-qc")


def test_refreshing_again_and_again(joined: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    before = json.loads(joined("show", "--json"))["roles"][-1]["version"]
    result = CliRunner().invoke(
        registry, ["refresh", "--every", "1h", "--dir", json.loads(joined("show", "--json"))["root_file"][:-10]]
    )
    assert result.exit_code == 130
    assert pauses == [3600.0] * 3
    assert json.loads(joined("show", "--json"))["roles"][-1]["version"] == before + 3


@pytest.mark.parametrize(("lang", "words"), [("en", "Accreditations"), ("fr", "Accréditations")])
def test_show_in_both_languages(joined: Run, tmp_path: Path, lang: str, words: str) -> None:
    joined(
        "add", "issuer", "--from", str(printed_issuers(tmp_path)), "--authority", "ca-on/services", "--type", "person/1"
    )
    out = joined("show", "--lang", lang)
    assert words in out
    assert "ca-on/services" in out
    key = next((tmp_path / "registry" / "keys" / "ca-on").iterdir())
    key.rename(tmp_path / "elsewhere")
    waits = {"en": "Still waiting for signatures: ca-on.", "fr": "En attente de signatures\u00a0: ca-on."}
    changed = ["withdraw", "ca-on/services", "--effect", "keep", "--reason", "error", "--lang", lang]
    assert waits[lang] in joined(*changed)
    assert waits[lang] in joined("show", "--lang", lang)


def test_serve(joined: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Any, ...]] = []
    monkeypatch.setattr(serving, "serve", lambda app, host, port, *, name: served.append((app, host, port, name)))
    joined("serve", "--port", "0")
    joined("serve", "--refresh-every", "30m")
    assert [each[1:] for each in served] == [("localhost", 0, "registry"), ("localhost", 8104, "registry")]
    assert all(isinstance(each[0], RegistryHost) for each in served)
    assert served[1][0]._every_seconds == 1800.0
    assert served[0][0]._refresh is None


def test_there_must_be_a_registry(tmp_path: Path) -> None:
    for arguments in (["show"], ["serve"], ["refresh"], ["sign"], ["rotate", "root"]):
        result = CliRunner().invoke(registry, [*arguments, "--dir", str(tmp_path / "none")])
        assert isinstance(result.exception, NotFound)


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("30m", 1800), ("1h", 3600), ("2d", 172800)])
def test_periods(text: str, seconds: float) -> None:
    assert period(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "-1h", "1.5h", "1 h", "1w", "٣h"])
def test_what_is_no_period(text: str) -> None:
    with pytest.raises(Malformed):
        period(text)


def test_every_word_exists_in_both_languages_and_differs() -> None:
    assert i18n.keys("en", "registry") == i18n.keys("fr", "registry")


def test_every_command_is_described_in_both_languages() -> None:
    def commands(app: typer.Typer) -> list[str]:
        own = [each.callback.__doc__ or "" for each in app.registered_commands if each.callback]
        return own + [
            text for group in app.registered_groups if group.typer_instance for text in commands(group.typer_instance)
        ]

    described = commands(registry)
    assert len(described) >= 14
    assert all(" / " in text.splitlines()[0] for text in described)
