"""QR codes: drawn by ``qrcode``, read back by ``zxing-cpp``; always in a thread when called from the event loop.

Both, with Pillow behind them, are loaded when the first code is drawn or read, in that thread: not at every start.
"""

import asyncio
import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from comity import base64url
from comity.errors import Code, Malformed

if TYPE_CHECKING:
    import qrcode

MAX_TEXT_BYTES = 2331
"""What version 40 holds at error correction M in byte mode (ISO/IEC 18004)."""
_QUIET_ZONE = 4


def png(text: str, *, pixels_per_module: int = 8) -> bytes:
    """Return ``text`` as a QR code in a PNG: error correction M, quiet zone of 4 modules. Takes some 20 ms.

    Raises:
        Malformed: ``too_large``: the text does not fit into a QR code.
    """
    out = io.BytesIO()
    _code(text, pixels_per_module).make_image().save(out, "PNG")
    return out.getvalue()


class Outline(Struct, frozen=True, kw_only=True):
    """A QR code as one SVG path, for a page that draws it without a request of its own.

    Attributes:
        size: width and height in modules, quiet zone included.
        path: the dark modules, each row's runs as rectangles of height 1.
    """

    size: int
    path: str


def outline(text: str) -> Outline:
    """Return ``text`` as a QR code in a vector form; as :func:`png`.

    Raises:
        Malformed: ``too_large``: the text does not fit into a QR code.
    """
    rows = _code(text, 1).get_matrix()
    runs = [f"M{start} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for start, length in _runs(row)]
    return Outline(size=len(rows), path="".join(runs))


class Bitmap(Struct, frozen=True, kw_only=True):
    """A QR code as bits, for a script that draws many of them.

    Attributes:
        size: width and height in modules, quiet zone included.
        bits: row by row, the most significant bit first, 1 for dark, without padding between rows; base64url.
    """

    size: int
    bits: str


def bitmap(text: str) -> Bitmap:
    """Return ``text`` as a QR code in bits; as :func:`png`.

    Raises:
        Malformed: ``too_large``: the text does not fit into a QR code.
    """
    rows = _code(text, 1).get_matrix()
    dark = "".join("1" if module else "0" for row in rows for module in row)
    octets = -(-len(dark) // 8)
    return Bitmap(size=len(rows), bits=base64url.encode(int(dark.ljust(octets * 8, "0"), 2).to_bytes(octets, "big")))


def _runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield start and length of each run of dark modules."""
    start = 0
    for is_dark, group in groupby(row):
        length = len(list(group))
        if is_dark:
            yield start, length
        start += length


def _code(text: str, pixels_per_module: int) -> "qrcode.QRCode[Any]":
    import qrcode  # noqa: PLC0415  (see above)
    from qrcode.constants import ERROR_CORRECT_M  # noqa: PLC0415

    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise Malformed(Code.TOO_LARGE, "the text does not fit into a QR code")
    drawing = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=pixels_per_module, border=_QUIET_ZONE)
    drawing.add_data(text)
    drawing.make(fit=True)
    return drawing


def read_all(image: bytes) -> tuple[str, ...]:
    """Return the texts of every QR code in ``image`` (PNG, JPEG or WebP), empty when there is none.

    Raises:
        Malformed: ``malformed``: not such an image; ``too_large``: too many bytes or pixels (catalogue Q08).
    """
    import zxingcpp  # noqa: PLC0415  (see above)

    from comity.web import pictures  # noqa: PLC0415

    found: Sequence[zxingcpp.Barcode] = zxingcpp.read_barcodes(
        pictures.decoded(image, "L"),
        formats=zxingcpp.barcode_formats_from_str("QRCode"),
        text_mode=zxingcpp.TextMode.Plain,
    )
    return tuple(code.text for code in found if code.text)


def read(image: bytes) -> str:
    """Return the text of the one QR code in ``image``.

    Raises:
        Malformed: as for :func:`read_all`; ``malformed`` too when there is no QR code, or more than one.
    """
    texts = read_all(image)
    if len(texts) != 1:
        raise Malformed(Code.MALFORMED, "the image does not hold exactly one readable QR code")
    return texts[0]


async def png_async(text: str, *, pixels_per_module: int = 8) -> bytes:
    """Do as :func:`png`, in a thread."""
    return await asyncio.to_thread(png, text, pixels_per_module=pixels_per_module)


async def outline_async(text: str) -> Outline:
    """Do as :func:`outline`, in a thread."""
    return await asyncio.to_thread(outline, text)


async def read_async(image: bytes) -> str:
    """Do as :func:`read`, in a thread."""
    return await asyncio.to_thread(read, image)


async def read_all_async(image: bytes) -> tuple[str, ...]:
    """Do as :func:`read_all`, in a thread."""
    return await asyncio.to_thread(read_all, image)
