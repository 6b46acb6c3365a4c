"""Spreadsheets: read with limits, written so that none runs what stands in it."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.credential import CredentialType
from comity.errors import Malformed
from issuer import passwords, spreadsheet

PERSON = CredentialType(slug="person", version=1)


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_a_sheet_or_malformed(data: bytes) -> None:
    try:
        found = spreadsheet.read(data, PERSON)
    except Malformed:
        return
    assert all(row.number >= 2 for row in found.rows)


@given(
    st.lists(
        st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])), min_size=1, max_size=4), max_size=5
    )
)
def test_no_cell_that_is_written_is_a_formula_and_each_is_read_back(rows: list[list[str]]) -> None:
    data = spreadsheet.write(["a"], rows).decode("utf-8-sig")
    read = list(csv.reader(io.StringIO(data, newline="")))[1:]
    for before, after in zip(rows, [row for row in read if row or rows], strict=False):
        assert all(not cell.startswith(("=", "+", "-", "@")) for cell in after)
        assert [spreadsheet.plain(cell) for cell in after] in (before, [spreadsheet.plain(cell) for cell in before])


@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["Family name, or single name", "Nom de famille, ou nom unique", "family_name"])
def test_both_languages_both_marks_and_a_byte_order_mark(mark: str, start: str, name: str) -> None:
    header = mark.join(["File number", f'"{name}"', "Note"])
    sheet = spreadsheet.read(f"{start}{header}\n7{mark}Gagné{mark}x\n\n".encode(), PERSON)
    assert [(row.number, dict(row.cells)) for row in sheet.rows] == [
        (2, {"record_reference": "7", "family_name": "Gagné", "?Note": "x"})
    ]
    assert sheet.unknown == ("Note",)


def test_a_password_is_hashed_with_argon2id_and_a_stranger_costs_the_same() -> None:
    stored = passwords.hash_of("a password of some length")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_right("a password of some length", stored)
    assert not passwords.is_right("a password of some lengths", stored)
    assert not passwords.is_right("a password of some length", None)
    assert not passwords.is_right("x", "no hash")
    assert len({passwords.new() for _ in range(50)}) == 50
    for bad in ("short", "x" * 201):
        with pytest.raises(Malformed):
            passwords.hash_of(bad)
