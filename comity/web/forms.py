"""What people type: read with limits, shown again as it was typed, never lost to an error.

A handler reads a form once, asks for its fields, and looks at :attr:`Form.is_ok`:

    form = await pages.form(request)
    name = form.text("name", most=100)
    if not form.is_ok:
        return pages.render(request, "sign_up.html", status=422, form=form)

A field that is missing or too long is an error beside the field and in the summary at the top of the page; a form that
was drawn for another session (it lay open too long) is one error at the top, and sending it again is enough.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from comity import base64url
from comity.errors import Code, Malformed
from comity.web.body import is_within, media_type

TOKEN = "form_token"
ONCE = "form_once"
MAX_FORM_BYTES = 1 << 20
MAX_FIELDS = 200
MAX_TEXT = 10_000
_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_OURS = frozenset({TOKEN, ONCE})


@dataclass(slots=True, kw_only=True)
class Form:
    """One form as it was sent, and what is wrong with it.

    Attributes:
        values: what was typed, by field; the last one where a field is sent several times.
        lists: the same with every value, for boxes that are ticked.
        files: what was uploaded, by field; empty bytes where no file was chosen.
        errors: by field, the key of the sentence that says what is wrong; ``""`` is the form as a whole.
        counts: by field, the number that such a sentence tells.
        is_genuine: whether it was drawn by us for this browser and session.
    """

    values: dict[str, str] = field(default_factory=dict, repr=False)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    errors: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    is_genuine: bool = True

    @property
    def is_ok(self) -> bool:
        """Whether nothing was found wrong so far."""
        return not self.errors

    @property
    def once(self) -> str:
        """A value drawn with the form: the same when the very same form is sent twice (a key of idempotency)."""
        return self.values.get(ONCE, "")

    def text(self, name: str, *, is_needed: bool = True, most: int = MAX_TEXT) -> str:
        """Return what was typed into ``name``, without space around it; what is wrong with it becomes its error."""
        value = self.values.get(name, "").strip()
        if not value and is_needed:
            self.fail(name, "pages.field_needed")
        elif len(value) > most:
            self.fail(name, "pages.field_too_long")
        return value

    def secret(self, name: str, *, is_needed: bool = True) -> str:
        """Return a passphrase exactly as it was typed."""
        value = self.values.get(name, "")
        if not value and is_needed:
            self.fail(name, "pages.field_needed")
        return value

    def choice(self, name: str, among: Iterable[str], *, is_needed: bool = True) -> str:
        """Return which of ``among`` was chosen; empty when none was."""
        value = self.text(name, is_needed=is_needed)
        if value and value not in among:
            self.fail(name, "pages.field_not_offered")
            return ""
        return value

    def flag(self, name: str) -> bool:
        """Say whether a box was ticked."""
        return bool(self.values.get(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every value of ``name``: the boxes of a group that were ticked."""
        return self.lists.get(name, ())

    def file(self, name: str) -> bytes:
        """Return what was uploaded as ``name``; empty when nothing was."""
        return self.files.get(name, b"")

    def fail(self, name: str, key: str, *, count: int = 0) -> None:
        """Note that ``name`` is wrong, in the words of ``key`` for ``count``; the first thing found stays."""
        if name not in self.errors:
            self.errors[name], self.counts[name] = key, count

    def typed(self) -> Mapping[str, str]:
        """Return what a person typed or chose, without the form's own fields."""
        return {name: value for name, value in self.values.items() if name not in _OURS}


def new_once() -> str:
    """Return a fresh value for the field :data:`ONCE`."""
    return base64url.encode(secrets.token_bytes(12))


async def read(request: Request, *, max_bytes: int = MAX_FORM_BYTES) -> Form:
    """Return the form in the body of ``request``; whose it is, is not checked here.

    More than :data:`MAX_FORM_BYTES` may be sent as files only.

    Raises:
        Malformed: ``too_large``; ``unsupported_media_type``; ``malformed``: not a form, too many fields, a NUL.
    """
    if media_type(request) not in _TYPES:
        raise Malformed(Code.UNSUPPORTED_MEDIA_TYPE, "this is not a form")
    declared = request.headers.get("content-length", "0")
    if not is_within(declared, max_bytes):
        raise Malformed(Code.TOO_LARGE, "the form is larger than allowed")
    try:
        sent = await request.form(max_files=4, max_fields=MAX_FIELDS, max_part_size=max_bytes)
    except HTTPException:
        raise Malformed(Code.MALFORMED, "the form cannot be read") from None
    form = Form()
    for name, value in sent.multi_items():
        if isinstance(value, UploadFile):
            form.files[name] = await value.read()
            await value.close()
            continue
        if "\0" in name or "\0" in value:
            raise Malformed(Code.MALFORMED, "the form holds a NUL character")
        form.values[name] = value
        form.lists[name] = (*form.lists.get(name, ()), value)
    if sum(len(each) for group in form.lists.values() for each in group) > min(max_bytes, MAX_FORM_BYTES):
        raise Malformed(Code.TOO_LARGE, "the form is larger than allowed")
    return form
