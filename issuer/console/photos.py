"""A person's photo at the desk: cut to a portrait and drawn anew, so that nothing of the file but the picture is kept.

Where it was taken, by which device and when (EXIF, XMP), thumbnails and colour profiles all stay behind. A photo that
comes back in a form is drawn anew like any other unless it is the very one that was kept with the session.
"""

import asyncio
import base64
import binascii
import io
from typing import TYPE_CHECKING

import schemas
from comity.credential import CredentialType
from comity.errors import Code, Malformed
from comity.web.forms import Form

if TYPE_CHECKING:
    from PIL import Image

CLAIM = "portrait"
FILE, DRAWN, DROP = "photo_file", "photo", "photo_drop"
"""Fields of the form: what is uploaded, what was made of it, and whether it goes."""
SIZE = (240, 320)
MAX_FORM_BYTES = 9 << 20
MOST_BYTES = 24 << 10
"""What a photo adds to a credential, which phones carry about and show whole."""
_QUALITIES = (82, 70, 55, 40, 25)
_HEAD_IS_ABOVE_THE_MIDDLE = (0.5, 0.4)
_START = "data:image/jpeg;base64,"


def is_wanted(chosen: CredentialType) -> bool:
    """Say whether credentials of a type may show a photo."""
    return CLAIM in schemas.type_schema(chosen.slug, chosen.version)["properties"]


async def take(form: Form, *, kept: str = "") -> None:
    """Make the form's photo what a credential may hold; what is wrong with it becomes the error of its field.

    ``kept`` is a photo that was made here before: that one is taken as it is.
    """
    before = form.values.pop(DRAWN, "")
    if form.flag(DROP):
        form.values.pop(DROP)
        return
    sent = form.file(FILE)
    if not sent and before in {"", kept}:
        form.values |= {DRAWN: before} if before else {}
        return
    try:
        form.values[DRAWN] = await asyncio.to_thread(portrait, sent or _bytes_of(before))
    except Malformed as error:
        form.fail(FILE, "pages.image_too_large" if error.code is Code.TOO_LARGE else "console.photo_unreadable")


def portrait(image: bytes) -> str:
    """Return an image as a ``data:`` URI of a JPEG of :data:`SIZE`, without anything but the picture. Takes a while.

    Raises:
        Malformed: as for :func:`comity.web.pictures.decoded`.
    """
    from PIL import ImageOps  # noqa: PLC0415  (in the thread that draws, not at every start)

    from comity.web import pictures  # noqa: PLC0415

    drawn = ImageOps.fit(pictures.decoded(image, "RGB"), SIZE, centering=_HEAD_IS_ABOVE_THE_MIDDLE)
    drawn.info.clear()  # Pillow would write a comment, a profile or EXIF out again
    written = (_written(drawn, quality) for quality in _QUALITIES)
    small = next((each for each in written if len(each) <= MOST_BYTES), None)
    return _START + base64.b64encode(small or _written(drawn, _QUALITIES[-1])).decode("ascii")


def _written(drawn: "Image.Image", quality: int) -> bytes:
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def _bytes_of(uri: str) -> bytes:
    start, comma, data = uri.partition(",")
    if not comma or not start.startswith("data:image/"):
        raise Malformed(Code.MALFORMED, "this is no picture")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(Code.MALFORMED, "this is no picture") from None
