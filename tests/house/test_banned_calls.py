"""What imports alone cannot show is banned by ruff; each ban is planted once."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED = {
    "datetime.datetime.now": "import datetime\n\nX = datetime.datetime.now(datetime.UTC)\n",
    "datetime.datetime.utcnow": "from datetime import datetime\n\nX = datetime.utcnow()\n",
    "datetime.date.today": "from datetime import date\n\nX = date.today()\n",
    "time.time": "import time\n\nX = time.time()\n",
    "random": "import random\n",
    "os.environ": "import os\n\nX = os.environ\n",
    "os.getenv": "import os\n\nX = os.getenv('X')\n",
    "urllib.request": "import urllib.request\n",
    "requests": "import requests\n",
    "urllib3": "import urllib3\n",
    "jwt.decode": "import jwt\n\nX = jwt.decode\n",
    "jwt.encode": "from jwt import encode\n",
    "json.loads": "import json\n\nX = json.loads('1')\n",
    "json.load": "import json\n\nX = json.load\n",
    "fastapi.Body": "from fastapi import Body\n",
}


def _ruff(source: str, name: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--stdin-filename", name, "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


@pytest.mark.parametrize("call", BANNED)
@pytest.mark.parametrize("name", ["comity/planted.py", "wallet/planted.py"])
@pytest.mark.attack("R18")
def test_a_banned_call_is_reported(call: str, name: str) -> None:
    assert f"`{call}` is banned" in _ruff(BANNED[call], name)


@pytest.mark.good_twin("R18")
def test_what_is_wanted_instead_passes() -> None:
    assert "All checks passed" in _ruff("from comity.ports import Clock\n\nX = Clock\n", "comity/planted.py")
