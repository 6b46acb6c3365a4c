"""Gathering a code in parts at the counter: by the camera's script all at once, by a handheld scanner one by one."""

from comity.errors import Malformed
from comity.web import parts
from comity.web.forms import Form
from comity.web.parts import Gathered
from comity.web.scan import MAX_CHARACTERS

FIELD = "gathered"
"""Hidden field with the parts that were read so far, with space between them: the page remembers, and nothing else."""


def add(form: Form, text: str) -> Gathered | None:
    """Return what the parts in ``text`` come to with those of the form, which then holds them all.

    Parts of another code begin anew. None when they cannot be parts of one code: that is the form's error, and nothing
    is kept.
    """
    before = form.text(FIELD, is_needed=False, most=MAX_CHARACTERS).split()
    newest = text.split()
    same = [each for each in before if each.split(":")[:2] == newest[-1].split(":")[:2]]
    together = list(dict.fromkeys([*same, *newest]))
    form.values[FIELD] = form.values["text"] = ""
    try:
        gathered = parts.gather(together)
    except Malformed:
        form.fail("text", "counter.scan_parts_wrong")
        return None
    if gathered.text is None:
        form.values[FIELD] = " ".join(together)
    return gathered
