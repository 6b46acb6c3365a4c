"""Reads the QR codes of a PDF. A program of its own: it is started for one file, and ends with it.

What opens the file is native code and the file is a stranger's. So this runs apart (decision record 0039): it is given
the bytes on its standard input and nothing else of the service, no environment, no keys, no open files; before it looks
at them it gives up opening files or connections, starting processes and taking more memory or time than a letter
needs. It imports nothing of ours, since it is started by its path, and says what it found as one JSON object:
``{"outcome": "read" | "locked" | "unreadable", "texts": […], "pages": n}``.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

import pypdfium2
import zxingcpp
from pypdfium2.raw import FPDF_ERR_PASSWORD

MAX_PIXELS = 20_000_000
SCALES = (3.0, 6.0)
"""Pixels to a point: 216 dots an inch, and where nothing is found, 432."""
LIMITS = {
    resource.RLIMIT_CPU: 10,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_NOFILE: 0,
    resource.RLIMIT_NPROC: 0,
}
"""Seconds of computing, and nothing of the rest."""
if os.uname().sysname != "Darwin":  # which knows no limit of memory, and refuses to set one
    LIMITS[resource.RLIMIT_AS] = 1 << 30


def codes(data: bytes, *, most_pages: int) -> dict[str, Any]:
    """Return what stands in the QR codes of the first pages; each text once, in the order in which they come."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        return _nothing("locked" if error.err_code == FPDF_ERR_PASSWORD else "unreadable")
    try:
        pages = len(document)
        texts = dict.fromkeys(text for number in range(min(pages, most_pages)) for text in _of_page(document[number]))
    except (pypdfium2.PdfiumError, ArithmeticError, MemoryError, ValueError):
        return _nothing("unreadable")
    finally:
        document.close()
    return {"outcome": "read", "texts": list(texts), "pages": pages}


def _of_page(page: pypdfium2.PdfPage) -> Iterator[str]:
    """Yield the codes of one page, drawn without its form fields; nothing in a PDF is ever executed."""
    width, height = page.get_size()
    for scale in SCALES:
        fitting = min(scale, (MAX_PIXELS / max(width * height, 1)) ** 0.5)
        drawn = page.render(scale=fitting, grayscale=True, may_draw_forms=False)
        seen = zxingcpp.read_barcodes(
            memoryview(drawn.buffer).cast("B").cast("B", (drawn.height, drawn.stride)),
            formats=zxingcpp.barcode_formats_from_str("QRCode"),
            text_mode=zxingcpp.TextMode.Plain,
        )
        found = [each.text for each in seen if each.text]
        if found:
            yield from found
            return


def _nothing(outcome: str) -> dict[str, Any]:
    return {"outcome": outcome, "texts": [], "pages": 0}


def confine() -> None:
    """Give up what a letter does not need; there is no way back."""
    for which, most in LIMITS.items():
        resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    received = sys.stdin.buffer.read()
    confine()
    sys.stdout.write(json.dumps(codes(received, most_pages=int(sys.argv[1]))))
