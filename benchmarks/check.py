"""``make bench-check``: the ratios of this run beside those of the committed table. Seconds are not compared."""

import re
import sys
from pathlib import Path

from benchmarks.credentials import Row

RESULTS = Path(__file__).parent / "results.md"
TOLERANCE = 1.35
"""How many times the committed ratio a ratio may be: machines differ, also in what they are bad at."""
_ROW = re.compile(r"\| (?P<measure>[^|]+) \| (?P<against>[^|]+) \| [^|]+ \| [^|]+ \| (?P<ratio>[0-9.]+) \|$")


def committed(text: str) -> dict[tuple[str, str], float]:
    """Return the ratios of a results table, by measure and yardstick."""
    found = (_ROW.match(line) for line in text.splitlines())
    return {(row["measure"], row["against"]): float(row["ratio"]) for row in found if row}


def worse(rows: list[Row], before: dict[tuple[str, str], float]) -> list[str]:
    """Say which ratios are clearly worse than before, or have no place in the table."""
    told = []
    for row in rows:
        known = before.get((row.measure, row.against))
        if known is None:
            told.append(f"{row.measure} against {row.against}: not in the committed table")
        elif row.ratio > known * TOLERANCE:
            told.append(f"{row.measure} against {row.against}: {row.ratio:.2f}, was {known:.2f}")
    return told


def main(rows: list[Row]) -> None:
    """Print what got worse, and end with 1 if anything did."""
    told = worse(rows, committed(RESULTS.read_text("utf-8")))
    print("\n".join(told) or "No ratio is clearly worse than in the committed table.")
    sys.exit(1 if told else 0)
