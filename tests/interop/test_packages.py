"""What is installed for these tests is pinned, checked by its digest, runs no script and names no host."""

import re

from comity import strict_json
from tests.interop.peers import PROGRAMS

LOCK = (PROGRAMS / "package-lock.json").read_bytes()


def test_every_package_is_pinned_to_a_version_and_a_digest() -> None:
    wanted = strict_json.parse_object((PROGRAMS / "package.json").read_bytes())["dependencies"]
    assert [version for version in wanted.values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    locked = strict_json.parse_object(LOCK)["packages"]
    packages = {name: each for name, each in locked.items() if name}
    assert {name.removeprefix("node_modules/") for name in packages} >= set(wanted)
    assert [name for name, each in packages.items() if not each["integrity"].startswith("sha512-")] == []


def test_the_lock_names_no_host_and_nothing_runs_while_installing() -> None:
    assert b"://" not in LOCK
    rules = (PROGRAMS / ".npmrc").read_text(encoding="ascii").splitlines()
    assert {"omit-lockfile-registry-resolved=true", "ignore-scripts=true"} <= set(rules)
