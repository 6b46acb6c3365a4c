"""``python -m tests.attacks`` writes ``docs/attacks.md`` anew."""

from tests.attacks import table
from tests.support.marks import ROOT

if __name__ == "__main__":
    table.DOCUMENT.write_text(table.document(), encoding="utf-8")
    print(f"{table.DOCUMENT.relative_to(ROOT)} is written.")
