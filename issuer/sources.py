"""Where claims come from when a clerk names a file number instead of typing them: three :class:`ClaimsSource`.

The authorities file chooses for each authority: ``{"people": "people.json"}``, ``{"csv": "records.csv"}`` or
``{"url": "https://…", "token_file": "…"}``. Paths are relative to the authorities file.
"""

import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import schemas
from comity import strict_json
from comity.errors import Code, ComityError, Malformed, Misconfigured, NotFound, Unreachable
from comity.ports import ClaimsSource, Fetcher, FetchRequest

_MAX_FILE_BYTES = 16 << 20


@runtime_checkable
class Roll(Protocol):
    """A source that can tell whom it knows; what the demo's sign-in page lists. An authority's own system does not."""

    def references(self, type_slug: str) -> tuple[str, ...]:
        """Return the file numbers for which it has claims of this type."""
        ...


class PeopleSource:
    """Embedded people: a JSON object ``{record_reference: {type slug: claims}}``."""

    def __init__(self, file: Path) -> None:
        """Read ``file``.

        Raises:
            Misconfigured: it cannot be read or is not of that form.
        """
        try:
            people = strict_json.parse_object(file.read_bytes(), max_bytes=_MAX_FILE_BYTES)
        except (OSError, ComityError):
            raise _wrong(f"the people file {file} cannot be read") from None
        if not all(isinstance(person, dict) for person in people.values()):
            raise _wrong(f"the people file {file} must map file numbers to claims by type")
        self._people = people

    async def claims(self, type_slug: str, record_reference: str) -> Mapping[str, Any]:
        """See :class:`comity.ports.ClaimsSource`."""
        found = self._people.get(record_reference, {}).get(type_slug)
        if not isinstance(found, dict):
            raise _no_record()
        return found

    def references(self, type_slug: str) -> tuple[str, ...]:
        """See :class:`Roll`."""
        return tuple(reference for reference, person in self._people.items() if type_slug in person)


class CsvSource:
    """A CSV file with the columns ``record_reference`` and ``type``, and one column for each claim.

    An empty cell is a claim that is absent. Cells become what the type's schema says: ``true``/``false``, numbers,
    and lists separated by ``;``.
    """

    def __init__(self, file: Path) -> None:
        """Read ``file``.

        Raises:
            Misconfigured: it cannot be read, lacks one of the two columns, or has a row with more cells than columns.
        """
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                rows = list(csv.DictReader(lines, strict=True))
            self._rows = {(row["type"], row["record_reference"]): row for row in rows}
        except (OSError, UnicodeDecodeError, csv.Error):
            raise _wrong(f"the CSV file {file} cannot be read") from None
        except KeyError:
            raise _wrong(f"the CSV file {file} needs the columns record_reference and type") from None
        if any(None in row for row in rows):
            raise _wrong(f"the CSV file {file} has a row with more cells than columns")

    async def claims(self, type_slug: str, record_reference: str) -> Mapping[str, Any]:
        """See :class:`comity.ports.ClaimsSource`."""
        row = self._rows.get((type_slug, record_reference))
        if row is None:
            raise _no_record()
        version = max((number for slug, number in schemas.all_types() if slug == type_slug), default=None)
        if version is None:
            raise _no_record()
        properties = schemas.type_schema(type_slug, version)["properties"]
        cells = {name: cell for name, cell in row.items() if cell and name not in {"type", "record_reference"}}
        return {name: _cell(properties.get(name, {}).get("type"), cell) for name, cell in cells.items()}

    def references(self, type_slug: str) -> tuple[str, ...]:
        """See :class:`Roll`."""
        return tuple(reference for slug, reference in self._rows if slug == type_slug)


class CallbackSource:
    """The authority's own system, asked over HTTPS: ``POST {type, record_reference}`` answers ``{claims}``.

    POST, so that no file number stands in a URL or an access log.
    """

    def __init__(self, url: str, fetcher: Fetcher, *, token: str | None = None) -> None:
        self._url = url
        self._fetcher = fetcher
        self._headers = {"content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    async def claims(self, type_slug: str, record_reference: str) -> Mapping[str, Any]:
        """See :class:`comity.ports.ClaimsSource`."""
        body = strict_json.serialise({"type": type_slug, "record_reference": record_reference})
        answer = await self._fetcher.fetch(
            FetchRequest(url=self._url, method="POST", accept=("application/json",), headers=self._headers, body=body)
        )
        if answer.status == 404:
            raise _no_record()
        if answer.status != 200:
            raise Unreachable(Code.UNREACHABLE, "the authority's own system did not answer with claims")
        claims = strict_json.parse_object(answer.body).get("claims")
        if not isinstance(claims, dict):
            raise Malformed(Code.CLAIMS_INVALID, "the authority's own system answered without claims")
        return claims


def of_description(source: object, *, folder: Path, fetcher: Fetcher) -> ClaimsSource:
    """Return the source that the authorities file describes.

    Args:
        source: one of the three forms above.
        folder: where relative paths start.
        fetcher: for the call-back.

    Raises:
        Misconfigured: another form, or a file that cannot be read.
    """
    if not isinstance(source, Mapping) or not all(isinstance(value, str) for value in source.values()):
        raise _wrong("a source of claims is described by texts")
    match sorted(source):
        case ["people"]:
            return PeopleSource(folder / source["people"])
        case ["csv"]:
            return CsvSource(folder / source["csv"])
        case ["url"]:
            return CallbackSource(source["url"], fetcher)
        case ["token_file", "url"]:
            return CallbackSource(source["url"], fetcher, token=_token(folder / source["token_file"]))
    raise _wrong("a source of claims is one of people, csv, or url with perhaps token_file")


def _token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise _wrong(f"the token file {file} cannot be read") from None


_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
_CELLS: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda cell: {"true": True, "false": False}.get(cell.lower(), cell),
    "integer": lambda cell: int(cell) if _INTEGER.match(cell) else cell,
    "array": lambda cell: [part.strip() for part in cell.split(";")],
}


def _cell(kind: object, cell: str) -> Any:
    """Turn a cell into what the schema asks for; what cannot be turned stays text and fails the schema by name."""
    return _CELLS[kind](cell) if isinstance(kind, str) and kind in _CELLS else cell


def _no_record() -> NotFound:
    return NotFound(Code.NOT_FOUND, "the authority has no such record for this type")


def _wrong(detail: str) -> Misconfigured:
    return Misconfigured(Code.MISCONFIGURED, detail)
