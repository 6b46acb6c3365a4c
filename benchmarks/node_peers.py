"""The same work by npm's packages in Node, taking turns with ours: ``@sd-jwt/sd-jwt-vc`` and ``jose``.

A ratio below 1 means that ours takes less CPU than the peer. Node counts all of its threads, in which it signs. The
work is not quite the same: our *verify* runs twelve checks with trust and status, theirs checks signatures and digests.
Each round runs every candidate once; what counts is the minimum, when Node has compiled what it runs often.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import peers
from benchmarks.credentials import CALLS, Row, minima
from comity import strict_json
from tests.support import npm
from tests.support.world import AUDIENCE, DEMO_CLAIMS, LICENCE, NONCE

PROGRAM = Path(__file__).parent / "node" / "peers.mjs"
LOCK = Path(__file__).resolve().parents[1] / "tests/interop/node"
ROUNDS = 25
_PAIRS = (
    ("issue SD-JWT VC, 10 disclosures", "ours issue", "issue", "@sd-jwt/sd-jwt-vc"),
    ("wallet: read a credential and present it, all 10 disclosed", "ours present", "present", "@sd-jwt/sd-jwt-vc"),
    ("verify SD-JWT VC + KB: twelve checks, 10 disclosures", "ours verify", "verify", "@sd-jwt/sd-jwt-vc"),
    ("sign a JWT", "ours sign", "sign", "jose"),
    ("read and verify a JWT", "ours read", "read", "jose"),
)


def measure() -> list[Row]:
    """Run every candidate in turn; each pair is one row. Nothing where the packages cannot be had."""
    try:
        modules = npm.packages(LOCK)
    except npm.NotInstalled as error:
        print(f"npm's packages are not measured: {error}", file=sys.stderr)
        return []
    versions = strict_json.parse_object((LOCK / "package.json").read_bytes())["dependencies"]
    ours = {name: call for name, call in {**peers.sd_jwt(), **peers.tokens()}.items() if name.startswith("ours")}
    best: dict[str, float] = {}
    with _node(modules) as node:
        for _ in range(ROUNDS):
            round_ = minima(ours, rounds=1) | {theirs: node(theirs) for _, _, theirs, _ in _PAIRS}
            best = {name: min(best.get(name, took), took) for name, took in round_.items()}
    return [
        Row(
            measure=what,
            against=f"{package} {versions[package]} (peer)",
            ours_us=best[mine],
            yardstick_us=best[theirs],
            must=1.0,
        )
        for what, mine, theirs, package in _PAIRS
    ]


@contextmanager
def _node(modules: Path) -> Iterator[Callable[[str], float]]:
    """Start the program beside its packages; what is yielded runs one candidate and returns its CPU a call in µs."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PROGRAM, folder)
        (Path(folder) / "node_modules").symlink_to(modules)
        command = [str(npm.NODE), PROGRAM.name]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe) as process:  # noqa: S603  (our own)
            if process.stdin is None or process.stdout is None:
                raise AssertionError("the program has pipes")
            sent, said = process.stdin, process.stdout

            def tell(what: object) -> None:
                sent.write(strict_json.serialise(what) + b"\n")
                sent.flush()

            def run(name: str) -> float:
                tell({"name": name, "calls": CALLS})
                return float(strict_json.parse_object(said.readline())["us"])

            header, payload = peers.TOKEN
            token = {"header": dict(header), "payload": dict(payload)}
            tell({"claims": dict(DEMO_CLAIMS[LICENCE]), "nonce": NONCE, "audience": AUDIENCE, "token": token})
            try:
                yield run
            finally:
                sent.close()


if __name__ == "__main__":
    for row in measure():
        print(f"{row.measure} | {row.against} | {row.ours_us:.0f} | {row.yardstick_us:.0f} | {row.ratio:.2f}")
