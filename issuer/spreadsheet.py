"""Files of many rows: CSV as offices write it in both languages, and CSV that no office program mistakes for formulas.

Read: UTF-8 with or without a byte order mark; ``,`` or ``;`` between cells, whichever the header uses; headers in
English, in French, or as the claim is called. Written: semicolons are not needed, every cell that a spreadsheet would
take for a formula gets an apostrophe in front (OWASP, CSV injection).
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from comity.credential import CredentialType
from comity.errors import Code, Malformed
from comity.record import Discreet
from issuer.fields import Field, fields_of

MAX_BYTES = 1 << 20
MAX_ROWS = 1000
MAX_CELL = 400
MAX_COLUMNS = 60
RECORD = "record_reference"
RECORD_LABELS = {"en": "File number", "fr": "Numéro de dossier"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Row(Discreet, frozen=True, kw_only=True):
    """One row: the cells as they stand there, by claim name."""

    UNPRINTED = frozenset({"cells"})
    number: int
    cells: Mapping[str, str]


class Sheet(Struct, frozen=True, kw_only=True):
    """A file that was read: its rows, and which columns nobody knows."""

    rows: tuple[Row, ...]
    unknown: tuple[str, ...] = ()


def read(data: bytes, credential_type: CredentialType) -> Sheet:
    """Return the rows of a file for one type; the first row below the header has number 2.

    Raises:
        Malformed: ``too_large``: too many bytes, rows, columns, or too long a cell; ``malformed``: not UTF-8, not CSV,
            a NUL, no known column, one column twice, or a row with more cells than the header.
    """
    if len(data) > MAX_BYTES:
        raise Malformed(Code.TOO_LARGE, "the file is larger than allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad("the file is not UTF-8: save it as “CSV UTF-8”") from None
    if "\0" in text:
        raise _bad("the file is not a text file")
    lines = _lines(text)
    if not lines:
        raise _bad("the file is empty")
    names = _columns(lines[0], credential_type)
    known = [name for name in names if not name.startswith("?")]
    if not known or len(set(names)) != len(names):
        raise _bad("the first row must name each column once, as the sample file does")
    rows = tuple(
        _row(number, names, cells)
        for number, cells in enumerate(lines[1:], start=2)
        if any(each.strip() for each in cells)
    )
    if len(rows) > MAX_ROWS:
        raise Malformed(Code.TOO_LARGE, f"the file has more than {MAX_ROWS} rows")
    return Sheet(rows=rows, unknown=tuple(name[1:] for name in names if name.startswith("?")))


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a CSV file that opens well in both language versions of office programs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([harmless(each) for each in header])
    for row in rows:
        writer.writerow([harmless(str(each)) for each in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def harmless(cell: str) -> str:
    """Return ``cell`` so that a spreadsheet shows it and does not run it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def plain(cell: str) -> str:
    """Return what :func:`harmless` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def header_of(credential_type: CredentialType, language: str) -> list[str]:
    """Return the header of a file for a type."""
    return [RECORD_LABELS[language], *(each.labels[language] for each in fields_of(credential_type))]


def sample(credential_type: CredentialType, language: str, typed: Mapping[str, str]) -> bytes:
    """Return a file with the right header and one row that shows how each cell is written."""
    shown = [_example(each, language, typed) for each in fields_of(credential_type)]
    return write(header_of(credential_type, language), [["DEMO-0001", *shown]])


def cells_of(row: Row, credential_type: CredentialType) -> list[str]:
    """Return the cells of a row in the order of :func:`header_of`."""
    return [row.cells.get(name, "") for name in (RECORD, *(each.name for each in fields_of(credential_type)))]


def _example(wanted: Field, language: str, typed: Mapping[str, str]) -> str:
    if wanted.name in typed:
        return typed[wanted.name]
    if wanted.options:
        return next(iter(wanted.options.values()))[language]
    by_kind = {"yes_no": {"en": "yes", "fr": "oui"}[language], "date": "1990-05-17"}
    return by_kind.get(wanted.kind, _EXAMPLES.get(wanted.name, "DEMO"))


_EXAMPLES = {
    "given_names": "Élise",
    "family_name": "Gagné",
    "latin_name": "GAGNE",
    "postal_code": "C1A 4N6",
    "season": "2026-2027",
    "citizenship": "MAR",
    "licence_number": "DEMO-0001",
    "card_number": "DEMO-0001",
}


def _lines(text: str) -> list[list[str]]:
    first = text.split("\n", 1)[0]
    mark = ";" if first.count(";") > first.count(",") else ","
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error:
        raise _bad("the file is not a CSV file") from None


def _columns(header: Sequence[str], credential_type: CredentialType) -> list[str]:
    """Return the claim of each column; a column that nobody knows is ``?`` and what it is called."""
    if len(header) > MAX_COLUMNS:
        raise Malformed(Code.TOO_LARGE, "the file has too many columns")
    names = {RECORD: RECORD, **{label.casefold(): RECORD for label in RECORD_LABELS.values()}}
    for each in fields_of(credential_type):
        names |= {each.name: each.name, **{label.casefold(): each.name for label in each.labels.values()}}
    return [names.get(_key(cell), f"?{cell.strip()[:60]}") for cell in header]


def _key(cell: str) -> str:
    return plain(" ".join(cell.split())).replace("'", "’").casefold()


def _row(number: int, names: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) > len(names):
        raise _bad(f"row {number} has more cells than the first row")
    if any(len(cell) > MAX_CELL for cell in cells):
        raise Malformed(Code.TOO_LARGE, f"a cell of row {number} is too long")
    return Row(
        number=number,
        cells={name: plain(cell.strip()) for name, cell in zip(names, cells, strict=False) if cell.strip()},
    )


def _bad(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED, detail)
