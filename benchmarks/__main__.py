"""``make bench``: measure, print, and write ``benchmarks/results.md``; ``make bench-check`` compares instead."""

import sys

from benchmarks import check, cold_start, credentials, endpoint, flows, issued_rows, lists, node_peers, peers
from benchmarks.credentials import report

if __name__ == "__main__":
    rows = [*credentials.measure(), *lists.measure(), *peers.measure(), *node_peers.measure(), *cold_start.measure()]
    if "--check" in sys.argv:  # the ratios of CPU only: minutes of a busy machine are not compared
        check.main(rows)
    busy = flows.load()
    rows += [*endpoint.measure(), *issued_rows.measure()]
    walked = flows.measure()
    table = report([*rows, *flows.rows(walked)]) + flows.table(walked, busy)
    check.RESULTS.write_text("# Results\n\n" + table, encoding="utf-8")
    print(table)
