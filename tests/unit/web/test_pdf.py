"""PDF files: their codes are read apart, and a file can neither bring the service down nor keep it waiting."""

import io
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from comity.web import pdf, pdf_codes, qr
from comity.web.pdf import Outcome

TEXT = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Foffers%2F1"
LOCK = b"""%%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[]/Count 0>> endobj
3 0 obj <</Filter/Standard/V 1/R 2/O<%(key)s>/U<%(key)s>/P -4>> endobj
trailer <</Root 1 0 R/Encrypt 3 0 R/ID[<00><00>]>>
""" % {b"key": b"00" * 32}
"""A file whose password is not the empty one."""


def sheet(text: str | None) -> Image.Image:
    """Return a letter page as it is scanned, with a code or empty."""
    page = Image.new("L", (1275, 1650), 255)
    if text:
        with Image.open(io.BytesIO(qr.png(text, pixels_per_module=6))) as code:
            page.paste(code.convert("L"), (150, 400))
    return page


def letter(*texts: str | None) -> bytes:
    """Return a PDF with a page for each text."""
    out = io.BytesIO()
    first, *others = [sheet(text) for text in texts]
    first.save(out, "PDF", resolution=150.0, save_all=True, append_images=others)
    return out.getvalue()


async def test_the_codes_of_the_first_pages_are_read_each_once() -> None:
    reading = await pdf.read(letter(None, TEXT, TEXT, "too far behind"))
    assert (reading.outcome, reading.texts, reading.pages) == (Outcome.READ, (TEXT,), 4)
    assert (await pdf.read(letter("one", "two"))).texts == ("one", "two")
    assert (await pdf.read(letter(None))).texts == ()


LETTER = letter(TEXT)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (LOCK, Outcome.LOCKED),
        (b"%PDF-1.7 and no more", Outcome.UNREADABLE),
        (LETTER[: len(LETTER) // 3], Outcome.UNREADABLE),
        (b"%PDF-" + bytes(pdf.MAX_BYTES), Outcome.TOO_LARGE),
    ],
)
async def test_what_is_no_readable_pdf_is_told_apart(data: bytes, outcome: Outcome) -> None:
    assert pdf.is_pdf(data)
    assert await pdf.read(data) == pdf.Reading(outcome=outcome)


def test_an_image_is_none() -> None:
    assert not pdf.is_pdf(qr.png(TEXT))
    assert pdf.is_pdf(b"\n" + LETTER)


@pytest.mark.parametrize(
    "does",
    [
        "import time; time.sleep(3600)",
        "import os, sys; sys.stdin.buffer.read(); os.kill(os.getpid(), 11)",
        "raise SystemExit",
        "import sys; sys.stdin.buffer.read(); print('[' * 100_000)",
        'import sys; sys.stdin.buffer.read(); print(\'{"outcome": "read", "texts": 7}\')',
    ],
)
async def test_a_reader_that_fails_in_any_way_has_read_nothing(does: str) -> None:
    reader: Sequence[str] = (sys.executable, "-I", "-c", does)
    reading = await pdf.read(LETTER + bytes(1 << 20), reader=reader, seconds=1.0 if "sleep" in does else 60.0)
    assert reading == pdf.Reading(outcome=Outcome.UNREADABLE)
    assert (await pdf.read(LETTER)).texts == (TEXT,)  # the good twin, and the service goes on


@pytest.mark.attack("Q08")
def test_a_huge_page_is_drawn_small() -> None:
    """A few bytes may say that a page is as large as a field; what is drawn is not."""
    huge = LETTER.replace(b"/MediaBox [ 0 0 612.0 792.0", b"/MediaBox [ 0 0 400000.0 400000.0")
    assert huge != LETTER
    assert pdf_codes.codes(huge, most_pages=1)["texts"] == []


def test_the_reader_opens_nothing_and_starts_with_nothing_of_the_service() -> None:
    tries = f"""
import os, runpy, socket, sys
confine = runpy.run_path({str(Path(pdf_codes.__file__))!r})["confine"]
open(os.devnull).close()
confine()
for act in (lambda: open(os.devnull), socket.socket, os.pipe):
    try:
        act()
    except OSError as error:
        print(error.errno == 24, end=" ")
try:
    bytes(2 << 30)
except MemoryError:
    print("no memory", end=" ")
print("comity" in sys.modules, end="")
"""
    done = subprocess.run([sys.executable, "-I", "-c", tries], capture_output=True, text=True, check=True, env={})
    memory = "no memory " if resource.RLIMIT_AS in pdf_codes.LIMITS else ""
    assert done.stdout == f"True True True {memory}False"
