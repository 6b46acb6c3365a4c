"""Photos at the desk: small, upright, and nothing of the file but the picture."""

import base64
import io

import pytest
from PIL import Image

import schemas
from comity.errors import Code, Malformed
from comity.web.forms import Form
from issuer.console import photos

WHERE = b"Exif\0\0"
SECRET = "Lens of Maya, 62.45 N 114.37 W"


def taken(width: int = 900, height: int = 1600, *, kind: str = "JPEG", turned: bool = False) -> bytes:
    """Return a photo as a phone takes it: the upper half red, with a place in its EXIF."""
    image = Image.new("RGB", (width, height), "navy")
    image.paste("red", (0, 0, width, height // 2))
    exif = Image.Exif()
    exif[0x010E] = SECRET
    if turned:
        image = image.rotate(90, expand=True)
        exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, kind, exif=exif, comment=SECRET) if kind == "JPEG" else image.save(out, kind, exif=exif)
    assert SECRET.encode() in out.getvalue()
    return out.getvalue()


def read(uri: str) -> Image.Image:
    """Return the picture in a ``data:`` URI."""
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2], validate=True)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_photo_becomes_a_portrait_without_its_story(kind: str, turned: bool) -> None:
    uri = photos.portrait(taken(kind=kind, turned=turned))
    image = read(uri)
    assert (image.size, image.mode, image.format) == (photos.SIZE, "RGB", "JPEG")
    red, _, blue = image.getpixel((120, 20))  # type: ignore[misc]
    assert red > blue, "the head is up"
    assert SECRET not in base64.b64decode(uri.partition(",")[2]).decode("latin-1")
    assert not image.getexif()
    assert schemas.violations("person", 1, {"portrait": uri}, partial=True) == ()


@pytest.mark.attack("Q08")
def test_a_photo_with_much_in_it_stays_small() -> None:
    noise = Image.effect_noise((700, 900), 120).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    uri = photos.portrait(out.getvalue())
    assert len(base64.b64decode(uri.partition(",")[2])) <= photos.MOST_BYTES


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg onload=alert(1)>", taken()[:300]])
async def test_what_is_no_picture_becomes_an_error_of_its_field(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        photos.portrait(data)
    assert refused.value.code is Code.MALFORMED
    form = Form(files={photos.FILE: data or b"x"})
    await photos.take(form)
    assert form.errors == {photos.FILE: "console.photo_unreadable"}
    assert photos.DRAWN not in form.values


async def test_a_photo_that_comes_back_is_drawn_anew_unless_it_was_made_here() -> None:
    own = photos.portrait(taken())
    form = Form(values={photos.DRAWN: own})
    await photos.take(form, kept=own)
    assert form.values[photos.DRAWN] == own
    planted = "data:image/png;base64," + base64.b64encode(taken(kind="PNG")).decode()
    form = Form(values={photos.DRAWN: planted})
    await photos.take(form, kept=own)
    assert form.values[photos.DRAWN].startswith("data:image/jpeg;")
    for no_picture in ("https://evil.example/me.png", "data:text/html;base64,PGI+", "data:image/png;base64,%%"):
        form = Form(values={photos.DRAWN: no_picture})
        await photos.take(form)
        assert form.errors
        assert photos.DRAWN not in form.values


async def test_a_photo_can_be_left_out_again() -> None:
    form = Form(values={photos.DRAWN: photos.portrait(taken()), photos.DROP: "yes"})
    await photos.take(form)
    assert form.is_ok
    assert not form.typed()
