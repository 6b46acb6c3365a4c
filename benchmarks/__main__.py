"""``make bench``: measure, print, and write ``benchmarks/results.md``; ``make bench-check`` compares instead."""

import sys

from benchmarks import check, cold_start, credentials, lists, peers
from benchmarks.credentials import report

if __name__ == "__main__":
    rows = [*credentials.measure(), *lists.measure(), *peers.measure(), *cold_start.measure()]
    if "--check" in sys.argv:
        check.main(rows)
    table = report(rows)
    check.RESULTS.write_text("# Results\n\n" + table, encoding="utf-8")
    print(table)
