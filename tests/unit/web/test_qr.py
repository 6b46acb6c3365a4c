import io
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import qrcode
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from comity import base64url
from comity.errors import Code, Malformed
from comity.web import pictures, qr

LINK = "openid4vp://?client_id=x509_hash%3AWl7_mGmXjzXDvJm&request_uri=https%3A%2F%2Fverifier.example%2Fr%2F1"


@pytest.mark.parametrize(
    "text", [LINK, "A", "0123456789", "ALPHANUMERIC 1", "Téléversé à Gaspé — ✓", "x" * 1500, "a\nb"]
)
def test_what_is_drawn_is_read_back(text: str) -> None:
    assert qr.read(qr.png(text)) == text


@pytest.mark.parametrize("text", [LINK, "A", "x" * 350])
def test_bits_are_the_modules(text: str) -> None:
    drawn = qr.bitmap(text)
    octets = base64url.decode(drawn.bits)
    assert len(octets) == -(-drawn.size * drawn.size // 8)
    picture = Image.new("L", (drawn.size, drawn.size), 255)
    for place in range(drawn.size * drawn.size):
        if octets[place // 8] >> (7 - place % 8) & 1:
            picture.putpixel((place % drawn.size, place // drawn.size), 0)
    out = io.BytesIO()
    picture.resize((drawn.size * 4, drawn.size * 4)).save(out, "PNG")
    assert qr.read(out.getvalue()) == text


@pytest.mark.good_twin("Q10")
async def test_both_directions_work_beside_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[threading.Thread] = []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any, **named: Any) -> Any:
            where.append(threading.current_thread())
            return work(*given, **named)

        return noted

    for name in ("png", "outline", "read", "read_all"):
        monkeypatch.setattr(qr, name, watched(getattr(qr, name)))
    drawn = await qr.png_async(LINK, pixels_per_module=3)
    assert await qr.read_async(drawn) == LINK
    assert await qr.read_all_async(drawn) == (LINK,)
    assert (await qr.outline_async(LINK)).path.startswith("M")
    assert len(where) >= 4
    assert threading.current_thread() not in where


def test_the_drawing_has_a_quiet_zone_of_four_modules() -> None:
    with Image.open(io.BytesIO(qr.png("A", pixels_per_module=5))) as image:
        assert image.size == ((21 + 8) * 5, (21 + 8) * 5)
        grey = image.convert("L")
        assert all(grey.getpixel((x, y)) == 255 for x in range(image.width) for y in range(20))
        assert grey.getpixel((20, 20)) == 0


def test_error_correction_is_m() -> None:
    expected = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4, box_size=8)
    expected.add_data(LINK)
    out = io.BytesIO()
    expected.make_image().save(out, "PNG")
    assert qr.png(LINK) == out.getvalue()


@pytest.mark.parametrize("text", ["é" * 1200, "x" * 2332, "x" * 100_000])
@pytest.mark.attack("Q08")
def test_too_much_text_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        qr.png(text)
    assert refused.value.code is Code.TOO_LARGE


@pytest.mark.good_twin("Q08")
def test_the_longest_text_fits() -> None:
    assert qr.read(qr.png("x" * qr.MAX_TEXT_BYTES, pixels_per_module=2)) == "x" * qr.MAX_TEXT_BYTES


def beside(*pictures: bytes, kind: str = "PNG") -> bytes:
    images = [Image.open(io.BytesIO(each)).convert("L") for each in pictures]
    sheet = Image.new("L", (sum(each.width for each in images) + 10, max(each.height for each in images)), 255)
    left = 0
    for each in images:
        sheet.paste(each, (left, 0))
        left += each.width
    out = io.BytesIO()
    sheet.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.good_twin("Q08")
def test_photos_of_the_usual_kinds_are_read(kind: str) -> None:
    assert qr.read(beside(qr.png(LINK), kind=kind)) == LINK


def test_two_codes_in_one_picture_are_not_one() -> None:
    both = beside(qr.png("one"), qr.png("two"))
    assert sorted(qr.read_all(both)) == ["one", "two"]
    with pytest.raises(Malformed):
        qr.read(both)


def blank(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height), 1).save(out, "PNG")
    return out.getvalue()


def test_a_picture_without_a_code_is_malformed() -> None:
    assert qr.read_all(blank(100, 100)) == ()
    with pytest.raises(Malformed):
        qr.read(blank(100, 100))


def bomb(width: int, height: int) -> bytes:
    """Return a tiny PNG that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "picture",
    [
        bomb(50_000, 50_000),
        bomb(10_000, 10_000),
        bomb(9000, 9000),
        bomb(5001, 5000),
        b"\0" * (pictures.MAX_IMAGE_BYTES + 1),
    ],
)
@pytest.mark.attack("Q08")
def test_pictures_that_unfold_into_gigabytes_are_refused(picture: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        qr.read(picture)
    assert refused.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg/>", b"%PDF-1.7", qr.png("A")[:200], bomb(10, 10)])
def test_what_is_no_picture_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        qr.read(data)
    assert refused.value.code is Code.MALFORMED


PNG = qr.png("A", pixels_per_module=2)


@given(st.binary(max_size=100) | st.tuples(st.integers(0, len(PNG) - 1), st.binary(max_size=20)).map(
    lambda change: PNG[: change[0]] + change[1] + PNG[change[0] + len(change[1]) :]
))  # fmt: skip
def test_any_bytes_are_a_picture_or_malformed(data: bytes) -> None:
    try:
        texts = qr.read_all(data)
    except Malformed:
        return
    assert all(texts)
