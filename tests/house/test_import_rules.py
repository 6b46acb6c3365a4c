"""Each arrow is kept honest: copy the tree, plant one violation, expect that contract to be reported broken."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("comity", "issuer", "wallet", "verifier", "schemas")
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS: dict[str, dict[str, Any]] = {each["id"]: each for each in SETTINGS["tool"]["importlinter"]["contracts"]}

# contract: files that get one more line each, one at a time
PLANTS: dict[str, list[tuple[str, str]]] = {
    "services": [
        ("issuer/settings.py", "import wallet.settings"),
        ("wallet/settings.py", "import verifier.settings"),
        ("comity/web/app.py", "from issuer import settings"),
        ("schemas/__init__.py", "import comity.strict_json"),
    ],
    "library": [
        ("comity/errors.py", "import comity.ports"),
        ("comity/trust/documents.py", "import comity.status"),
        ("comity/formats/sd_jwt.py", "import comity.dcql"),
        ("comity/verification/credential.py", "import comity.runtime.clock"),
        ("comity/runtime/clock.py", "import comity.web.i18n"),
        ("comity/web/i18n.py", "import comity.cli"),
        ("comity/leftovers.py", "import comity.errors"),
    ],
    "commands": [("comity/commands/doctor.py", "import comity.commands.verify")],
    "core-without-io": [
        ("comity/verification/status.py", "import httpx"),
        ("comity/did/web.py", "import socket"),
        ("comity/trust/snapshot.py", "from tuf.ngclient import Updater"),
        ("comity/openid/oauth.py", "from fastapi import Request"),
        ("comity/status/bits.py", "import sqlite3"),
        ("comity/ports.py", "import asyncio"),
    ],
    "use-cases": [
        ("issuer/issuing.py", "import sqlalchemy"),
        ("issuer/revoking.py", "import fastapi"),
        ("wallet/receiving.py", "import starlette.requests"),
        ("wallet/presenting.py", "from fastapi import Request"),
        ("verifier/requesting.py", "import sqlalchemy as sa"),
        ("verifier/verifying.py", "import fastapi"),
    ],
    "crypto-homes": [
        ("comity/openid/key_proof.py", "import jwt"),
        ("comity/verification/presentation.py", "from cryptography.hazmat.primitives import hashes"),
        ("comity/openid/presentation/response.py", "import joserfc"),
        ("issuer/issuing.py", "import cryptography"),
        ("wallet/store.py", "import argon2"),
    ],
    "registry-transport": [
        ("comity/commands/registry.py", "import tuf.api.metadata"),
        ("verifier/verifying.py", "import tuf.ngclient"),
    ],
    "issuer-layers": [
        ("issuer/store/__init__.py", "import issuer.issuing"),
        ("issuer/issuing.py", "import issuer.api"),
        ("issuer/api/__init__.py", "import issuer.app"),
        ("issuer/leftovers.py", "import issuer.store"),
    ],
    "wallet-layers": [
        ("wallet/store.py", "import wallet.receiving"),
        ("wallet/presenting.py", "import wallet.api"),
        ("wallet/leftovers.py", "import wallet.store"),
    ],
    "verifier-layers": [
        ("verifier/store.py", "import verifier.verifying"),
        ("verifier/requesting.py", "import verifier.api"),
        ("verifier/leftovers.py", "import verifier.store"),
    ],
    "settings": [
        ("issuer/issuing.py", "import issuer.settings"),
        ("wallet/api/__init__.py", "import wallet.settings"),
        ("verifier/verifying.py", "import verifier.settings"),
    ],
}
CASES = [(contract, file, line) for contract, plants in PLANTS.items() for file, line in plants]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything the import rules look at; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.po"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    options = [option for contract in contracts for option in ("--contract", contract)]
    return subprocess.run(
        [*command, "--no-logo", *options],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "300", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _says(output: str, contract: str) -> str:
    """Return KEPT or BROKEN as printed for ``contract``."""
    match = re.search(re.escape(CONTRACTS[contract]["name"]) + r"\s*(KEPT|BROKEN)", output)
    assert match, output
    return match[1]


def test_the_untouched_copy_keeps_every_contract(copy: Path) -> None:
    result = _lint(copy)
    assert {contract: _says(result.stdout, contract) for contract in CONTRACTS} == dict.fromkeys(CONTRACTS, "KEPT")
    assert result.returncode == 0


@pytest.mark.parametrize(("contract", "file", "line"), CASES, ids=[f"{c}:{f}" for c, f, _ in CASES])
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str, file: str, line: str) -> None:
    path = copy / file
    before = path.read_bytes() if path.exists() else None
    assert before is not None or path.stem == "leftovers", f"{file} is not part of the tree any more"
    path.write_bytes((before or b"") + f"\n{line}\n".encode())
    try:
        result = _lint(copy, contract)
    finally:
        path.unlink() if before is None else path.write_bytes(before)
    assert _says(result.stdout, contract) == "BROKEN"
    assert result.returncode == 1


def test_every_contract_has_a_plant() -> None:
    assert set(PLANTS) == set(CONTRACTS)


def test_the_core_is_everything_below_the_shell() -> None:
    layers = CONTRACTS["library"]["layers"]
    below = layers[layers.index("runtime") + 1 :]
    modules = {f"comity.{name.strip(' ()')}" for layer in below for name in layer.split("|")}
    assert set(CONTRACTS["core-without-io"]["source_modules"]) == modules


def test_every_layer_exists() -> None:
    named = {
        f"{container}.{name.strip(' ()')}"
        for contract in CONTRACTS.values()
        for container in contract.get("containers", [])
        for layer in contract["layers"]
        for name in layer.split("|")
    }
    paths = {name: ROOT.joinpath(*name.split(".")) for name in named}
    assert [name for name, path in paths.items() if not path.with_suffix(".py").exists() and not path.is_dir()] == []
