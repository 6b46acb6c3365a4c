"""Which failpoints × faults a run tries: every kill; of the rest a sample by a printed seed, or all in a long run."""

import os
import random
import secrets
from collections.abc import Sequence
from itertools import product

LONG = os.environ.get("COMITY_LONG") == "1"
OTHERS = ("term", "error", "stall", "full")
DRAWN = ("sample",) if not LONG else OTHERS
"""Parameters of the test of each flow that tries other faults than kill."""
SAMPLE, USUAL_SEED = 4, "1123"
SHORT_STALL = "stall:1.2"
"""What a stall of ten seconds becomes in a short run: longer than anything that is waited for on purpose."""


def seed() -> int:
    """Return the seed of this run: the same in every short run, so that a red run is red again; printed.

    ``COMITY_FAULT_SEED`` names another one, and ``0`` draws one.
    """
    found = int(os.environ.get("COMITY_FAULT_SEED", USUAL_SEED)) or secrets.randbelow(1 << 32) + 1
    print(f"COMITY_FAULT_SEED={found}")
    return found


def killed(names: Sequence[str]) -> list[str]:
    """Return every place with ``kill``."""
    return [f"{name}=kill" for name in names]


def drawn(names: Sequence[str], which: str, *, most: int = SAMPLE) -> list[str]:
    """Return every place with the fault ``which``; for ``sample`` ``most`` places, each with one fault."""
    if which != "sample":
        return [f"{name}={which}" for name in names]
    chosen = random.Random(seed())
    every = [*product(names, (*(each for each in OTHERS if each != "stall"), SHORT_STALL))]
    found = dict(chosen.sample(every, len(every)))  # the last fault of each place stands
    return [f"{name}={action}" for name, action in list(found.items())[:most]]
