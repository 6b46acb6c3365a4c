"""Issue, present and verify one SD-JWT VC with ten claims, beside raw signatures and the reference package.

Every round runs each candidate once in turn, so that a machine that slows down slows all of them; the ratio is formed
from the minimum of each. ``verify`` is the whole machine: trust and schema checks included, status list from memory.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from comity.credential import Format
from comity.verification.checks import Verdict
from tests.support.world import LICENCE, World

CALLS, ROUNDS = 60, 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure: ours against a yardstick, in microseconds of CPU, both minima of the same run."""

    measure: str
    against: str
    ours_us: float
    yardstick_us: float

    @property
    def ratio(self) -> float:
        """How many times the yardstick ours takes."""
        return self.ours_us / self.yardstick_us


def minima(candidates: dict[str, Callable[[], object]], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the least CPU time of one call of each candidate, in microseconds, taking turns."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(rounds):
        for name, call in candidates.items():
            started = time.process_time()
            for _ in range(CALLS):
                call()
            best[name] = min(best[name], (time.process_time() - started) / CALLS * 1e6)
    return best


def measure() -> list[Row]:
    """Run every measure once."""
    world = World()
    held = world.issue(world.on, Format.DC_SD_JWT, LICENCE)
    all_claims = tuple(world.credential(world.on, Format.DC_SD_JWT, LICENCE).claims)
    shown = world.present(held, all_claims)
    w3c = world.issue(world.on, Format.VC_JWT, LICENCE)
    private = ec.generate_private_key(ec.SECP256R1())
    public, message = private.public_key(), b"x" * 1500
    algorithm = ec.ECDSA(hashes.SHA256())
    signature = private.sign(message, algorithm)
    snapshot = world.snapshot()
    if world.verify(shown, snapshot=snapshot).verdict is not Verdict.ACCEPTED:
        raise AssertionError("the measured presentation must be accepted")

    best = minima(
        {
            "raw sign": lambda: private.sign(message, algorithm),
            "raw verify": lambda: public.verify(signature, message, algorithm),
            "issue": lambda: world.issue(world.on, Format.DC_SD_JWT, LICENCE),
            "present": lambda: world.present(held, all_claims),
            "verify": lambda: world.verify(shown, snapshot=snapshot),
            "vc+jwt held": lambda: world.verify(
                w3c.encoded, snapshot=snapshot, demand=world.demand(holder=None, place=None)
            ),
        }
    )
    sign, verify = best["raw sign"], best["raw verify"]
    return [
        Row(measure="SD-JWT VC issue, 11 claims", against="raw ES256 sign", ours_us=best["issue"], yardstick_us=sign),
        Row(measure="present, all disclosed", against="raw ES256 sign", ours_us=best["present"], yardstick_us=sign),
        Row(
            measure="verify, twelve checks, SD-JWT VC + KB",
            against="two raw ES256 verifies",
            ours_us=best["verify"],
            yardstick_us=2 * verify,
        ),
        Row(
            measure="verify, vc+jwt held", against="raw ES256 verify", ours_us=best["vc+jwt held"], yardstick_us=verify
        ),
    ]


def report(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    head = (
        "Minimum CPU time of interleaved rounds in one run, unless the measure says *wall*; only the ratios travel to "
        "other machines.\n\n"
    )
    lines = ["| measure | against | ours µs | yardstick µs | ratio |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.measure} | {row.against} | {row.ours_us:.0f} | {row.yardstick_us:.0f} | {row.ratio:.2f} |"
        for row in rows
    ]
    return head + "\n".join(lines) + "\n"
