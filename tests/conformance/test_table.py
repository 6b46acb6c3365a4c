"""The table of conformance is whole, true to the marks, and promises nothing that is not there."""

import re

import pytest

from tests.conformance import table
from tests.support import vectors
from tests.support.marks import marks

CLAUSES = {row.name: row for row in table.clauses()}
MODULES = {row.name: row for row in table.modules()}
NUMBERED = re.compile(r"^- \**((?:C|VCI-|WA-|VP-|DQ-|BSL-|TSL-|TR-)\d+)\b|^- (7\.\d)", re.MULTILINE)
PROFILE = "standards/profile.md"


def test_the_document_says_what_the_marks_say() -> None:
    assert table.DOCUMENT.read_text(encoding="utf-8") == table.document(), "run: python -m tests.conformance"


@pytest.mark.parametrize("row", [*CLAUSES.values(), *MODULES.values()], ids=lambda row: row.name)
def test_a_line_has_tests_or_says_why_not(row: table.Row) -> None:
    assert bool(row.tests) is not bool(row.later)


def test_no_mark_names_what_is_not_listed() -> None:
    listed = {("clause", name) for name in CLAUSES} | {("derived", name) for name in MODULES}
    said = {(kind, name) for _, kind, name in marks() if kind in ("clause", "derived")}
    assert said <= listed


def test_the_number_of_modules_is_that_of_the_suite() -> None:
    assert len(MODULES) == 55


def test_every_numbered_clause_of_the_profile_has_a_line() -> None:
    profile = vectors.folder().parent / PROFILE
    if not profile.is_file():
        pytest.skip(f"the profile of the standards is not at {profile}")
    text = profile.read_text(encoding="utf-8")
    named = {one or two.replace(".", "-") for one, two in NUMBERED.findall(text)}
    assert len(named) > 70
    assert named - set(CLAUSES) == set()
