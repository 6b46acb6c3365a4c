"""Reading QR codes for a page: frames of a camera where the browser cannot read codes itself, and uploaded files.

Images and PDF files are read in memory and kept nowhere.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse

from comity.errors import Code, Conflict, Malformed
from comity.web import parts, pdf, qr
from comity.web.forms import Form
from comity.web.pages import Pages

IMAGE = "image"
MAX_FRAME_BYTES = 2 << 20


async def frame(request: Request, pages: Pages) -> JSONResponse:
    """Answer one frame, sent by ``scan.js``, with ``{"text": …}``; empty when no code is in it.

    Raises:
        Denied: another site sent it.
        Conflict: the page is older than the session: it must be loaded again.
        Malformed: it is no image, or too large.
    """
    form = await pages.form(request, max_bytes=MAX_FRAME_BYTES)
    if not form.is_genuine:
        raise Conflict(Code.CONFLICT, "the page is older than the session; load it again")
    texts = await qr.read_all_async(form.file(IMAGE))
    return JSONResponse({"text": _one(texts)})


async def uploaded(form: Form, name: str = IMAGE) -> str:
    """Return the text of the one QR code in an uploaded image or PDF; what is wrong becomes the field's error.

    Several codes count when each is a part of a code in parts: then they are returned with space between them.
    """
    data = form.file(name)
    if not data:
        form.fail(name, "pages.image_needed")
        return ""
    if pdf.is_pdf(data):
        return await _of_pdf(form, name, data)
    try:
        text = _one(await qr.read_all_async(data))
    except Malformed as error:
        form.fail(name, "pages.image_too_large" if error.code is Code.TOO_LARGE else "pages.image_without_code")
        return ""
    if not text:
        form.fail(name, "pages.image_without_code")
    return text


def _one(texts: Sequence[str]) -> str:
    """Return the one text, or all when they are parts of a code in parts; empty for any other number of codes."""
    return " ".join(texts) if len(texts) == 1 or all(parts.is_part(each) for each in texts) else ""


async def _of_pdf(form: Form, name: str, data: bytes) -> str:
    """Return the text of the one QR code on the first pages."""
    reading = await pdf.read(data)
    text = _one(reading.texts)
    if text:
        return text
    found = "without_code" if not reading.texts else "with_several"
    form.fail(
        name,
        f"pages.pdf_{found if reading.outcome is pdf.Outcome.READ else reading.outcome.value}",
        count=pdf.MOST_PAGES,
    )
    return ""
