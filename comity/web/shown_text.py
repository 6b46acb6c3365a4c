"""Text of other people on our pages: what it says stays, what makes it look like something else goes (catalogue W)."""

import re

_DECEIVING = re.compile(
    "["
    "\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c"  # direction overrides, embeddings, isolates, marks
    "\u200b\u2060\ufeff\u00ad\u180e"  # no width, no meaning
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # annotations and tags
    "\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # controls but tab and line feed
    "]"
)


def harmless(text: str) -> str:
    """Return ``text`` without characters that only change how its neighbours look.

    Joiners (U+200C, U+200D) stay: Persian, Arabic and Indic names are spelt with them. Right-to-left letters stay too;
    templates put names of other people into ``<bdi>``.
    """
    return _DECEIVING.sub("", text)
