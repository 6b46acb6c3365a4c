"""The guides name what the API, the settings and the registry take, and nothing else."""

import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from comity import cli, strict_json
from comity.errors import Code
from comity.openid.presentation.client_id import Prefix
from comity.trust import authoring
from issuer.settings import IssuerSettings
from verifier.api import described
from verifier.api.relying_party import TERMS
from verifier.requesting import Flow
from verifier.settings import VerifierSettings

GUIDES = Path(__file__).resolve().parents[2] / "docs/guides"
GUIDE = (GUIDES / "connect-a-verifier.md").read_text(encoding="utf-8")
ISSUERS = (GUIDES / "connect-an-issuer.md").read_text(encoding="utf-8")


def test_every_member_of_a_request_is_explained() -> None:
    table = GUIDE.partition("| Member |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == TERMS
    assert all(f"`{flow}`" in GUIDE for flow in Flow)


def test_the_description_of_a_request_names_every_member_and_flow() -> None:
    [content] = described.START["requestBody"]["content"].values()
    properties = content["schema"]["properties"]
    assert set(properties) == TERMS
    assert properties["flow"]["enum"] == [each.value for each in Flow]


def test_every_setting_and_prefix_is_one() -> None:
    fields = VerifierSettings.model_fields
    named = set(re.findall(r"`VERIFIER_([A-Z_]+)`", GUIDE))
    assert named
    assert {name.lower() for name in named} <= set(fields)
    prefixes = get_args(fields["client_id_prefix"].annotation)
    assert all(f"`{prefix}`" in GUIDE for prefix in prefixes)
    assert set(prefixes) < set(Prefix)


def test_every_setting_of_an_issuer_is_one() -> None:
    named = {
        name for file in GUIDES.glob("*.md") for name in re.findall(r"\bISSUER_([A-Z_]+)", file.read_text("utf-8"))
    }
    assert "CLIENT_AUTHENTICATION" in named
    assert {name.lower() for name in named} <= set(IssuerSettings.model_fields)


def test_the_issuers_entry_is_one_that_the_registry_takes() -> None:
    text = ISSUERS.partition("```json")[2].partition("```")[0]
    entry = strict_json.parse_object(text.replace('"ANCHOR"', '"MIIB"').encode())
    edit = {"edit": "issuer", **entry, "types": ["person/1"], "since": "2026-01-01"}
    [changed] = authoring.apply({}, edit).values()
    assert changed["issuers"][0]["authority"] == "ca-nb/foreign"


def test_the_verifiers_entry_is_one_that_the_registry_takes() -> None:
    text = GUIDE.partition("```json")[2].partition("```")[0]
    entry = strict_json.parse_object(text.replace('"ANCHOR"', '"MIIB"').encode())
    edit = {"edit": "verifier", "jurisdiction": "ca-nb", "verifier": entry}
    [changed] = authoring.apply({}, edit).values()
    assert changed["verifiers"][0]["client_ids"] == ["x509_hash:HASH", "x509_san_dns:localhost"]


def test_every_code_that_an_issuer_may_see_is_one() -> None:
    table = ISSUERS.partition("| What you see |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert len(named) > 10
    assert named <= set(Code)


def commands() -> list[tuple[str, str]]:
    """Every line of the guides that calls ``comity``, in a block or in a sentence, with the guide that it stands in."""
    found: list[tuple[str, str]] = []
    for file in sorted(GUIDES.glob("*.md")):
        text = file.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = re.findall(r"^    (?:\$ )?(comity .+)$", text, re.MULTILINE) + re.findall(r"`(comity [^`]+)`", text)
        found += [(file.name, each.partition(" > ")[0]) for each in lines]
    return found


@pytest.mark.parametrize(("guide", "line"), commands(), ids=str)
def test_every_command_of_the_guides_is_one(guide: str, line: str) -> None:
    words = shlex.split(line.replace("$REGISTRY", "--dir d --keys k"))[1:]
    command: Any = typer.main.get_command(cli.build(words))
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, line
        command, words = command.commands[words[0]], words[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {each for each in words if each.startswith("--")} <= known, line


def test_there_are_commands_in_the_guides() -> None:
    assert len(commands()) > 30
