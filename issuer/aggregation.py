"""The aggregation of an authority's status lists: one file that names them all (Token Status List §9; profile TSL-8).

It stands beside the lists, ``<directory>/<authority>/status/lists``, and its URL ends alike; any static host can serve
it. It is made of what lies in the folder, under a lock of its own, so that it names every list that was ever published
and no list that is not there, whichever process wrote it last.
"""

import asyncio
import gzip
from pathlib import Path

from comity import strict_json
from comity.runtime.files import replace_file
from issuer.authorities import Authority
from issuer.list_folder import alone_in, numbers_in

FILE = "lists"
CONTENT_TYPE = "application/json"
_FILE_MODE = 0o644


async def write(authority: Authority, directory: Path, *, list_file: str) -> bool:
    """Write the aggregation of one authority if it is not what it should be; return whether it was written.

    Args:
        authority: whose lists.
        directory: where the lists of all authorities are published.
        list_file: name of the file by which a published list is known.

    Raises:
        Unreachable: ``busy``: another process has been writing it for too long.
        OSError: it could not be written.
    """
    folder = directory / authority.path / "status"
    if await asyncio.to_thread(_is_right, authority, folder, list_file):
        return False
    async with alone_in(folder):
        return await asyncio.to_thread(_replace, authority, folder, list_file)


def _is_right(authority: Authority, folder: Path, list_file: str) -> bool:
    wanted = _document(authority, folder, list_file)
    try:
        return (folder / FILE).read_bytes() == wanted and (folder / f"{FILE}.gz").is_file()
    except OSError:
        return False


def _replace(authority: Authority, folder: Path, list_file: str) -> bool:
    document = _document(authority, folder, list_file)
    # The twin first: whoever sees the new file finds a twin that is not older.
    replace_file(folder / f"{FILE}.gz", gzip.compress(document, mtime=0), mode=_FILE_MODE)
    replace_file(folder / FILE, document, mode=_FILE_MODE)
    return True


def _document(authority: Authority, folder: Path, list_file: str) -> bytes:
    """Return the JSON of TSL §9.3: the URLs of the status list tokens."""
    return strict_json.serialise({"status_lists": [authority.list_uri(each) for each in numbers_in(folder, list_file)]})
