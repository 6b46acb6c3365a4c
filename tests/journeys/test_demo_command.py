"""``comity demo`` as a newcomer runs it: its own processes, its own folder, every journey, exit code 0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from comity import strict_json
from comity.web import i18n

pytestmark = pytest.mark.xdist_group("journeys")

SECONDS = 300


def comity(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "comity", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_demo_passes_in_french_and_leaves_samples_that_verify(tmp_path: Path) -> None:
    done = comity(tmp_path, "demo", "--lang", "fr")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for letter in "abcdefghij":
        assert f"PASS  ({letter}) {i18n.text(f'demo.{letter}.title', 'fr')}" in lines
    assert not [line for line in lines if line.startswith("FAIL")]
    assert "VERIFIER_MAX_STATUS_AGE_SECONDS=1" in done.stdout, "the demo prints the settings it chose"
    sample = tmp_path / ".comity" / "demo" / "samples" / "licence-revoked.sdjwt"
    judged = comity(tmp_path, "verify", str(sample), "--json")
    report = strict_json.parse_object(judged.stdout)
    assert (judged.returncode, report["verdict"], report["codes"]) == (3, "rejected", ["revoked"])
