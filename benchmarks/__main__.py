"""``make bench``: measure, print, and write ``benchmarks/results.md``."""

from pathlib import Path

from benchmarks.credentials import measure, report

if __name__ == "__main__":
    table = report(measure())
    (Path(__file__).parent / "results.md").write_text("# Results\n\n" + table, encoding="utf-8")
    print(table)
