"""Pictures that people send: opened with limits, and turned the way they were taken."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from comity.errors import Code, Malformed

MAX_IMAGE_BYTES = 8 << 20
MAX_PIXELS = 25_000_000
_TYPES = ("PNG", "JPEG", "WEBP")


def decoded(data: bytes, mode: str) -> Image.Image:
    """Return a PNG, JPEG or WebP in a ``mode`` of Pillow's (``L``, ``RGB``), upright; its size is looked at first.

    A small file can unfold into gigabytes (catalogue Q08). Call it in a thread.

    Raises:
        Malformed: ``malformed``: not such an image; ``too_large``: too many bytes or pixels.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise Malformed(Code.TOO_LARGE, "the image is larger than allowed")
    try:
        with Image.open(io.BytesIO(data), formats=_TYPES) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Malformed(Code.TOO_LARGE, "the image has more pixels than allowed")
            return ImageOps.exif_transpose(image).convert(mode)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Malformed(Code.TOO_LARGE, "the image has more pixels than allowed") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise Malformed(Code.MALFORMED, "the image is not a readable PNG, JPEG or WebP") from None
