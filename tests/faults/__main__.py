"""``python -m tests.faults`` writes ``docs/faults.md`` anew."""

from tests.faults import table

if __name__ == "__main__":
    table.DOCUMENT.write_text(table.document(), encoding="utf-8")
    print(f"{table.DOCUMENT.relative_to(table.ROOT)} is written.")
