"""The ways in which people have their pages shown: colours, contrast, a palette of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict


class Media(TypedDict):
    """What Playwright's ``emulate_media`` takes."""

    color_scheme: Literal["light", "dark"]
    contrast: Literal["more", "no-preference"]
    forced_colors: Literal["active", "none"]


def _media(
    scheme: Literal["light", "dark"],
    *,
    contrast: Literal["more", "no-preference"] = "no-preference",
    forced: Literal["active", "none"] = "none",
) -> Media:
    return {"color_scheme": scheme, "contrast": contrast, "forced_colors": forced}


PLAIN = _media("light")
MORE = {"contrast-light": _media("light", contrast="more"), "contrast-dark": _media("dark", contrast="more")}
FORCED = {
    "forced-light": _media("light", contrast="more", forced="active"),
    "forced-dark": _media("dark", contrast="more", forced="active"),
}
_EACH: Mapping[str, Media] = {"light": PLAIN, "dark": _media("dark")}
_STARK: Mapping[str, Media] = {"contrast-light": MORE["contrast-light"], "forced-dark": FORCED["forced-dark"]}
PICTURED: Mapping[str, Mapping[str, Media]] = {"phone": {**_EACH, **_STARK}, "desktop": _EACH}
"""In which looks ``make screenshots`` keeps a page, by window; each by the name that its picture carries."""

NOT_TOLD = (Path(__file__).parent / "stark.js").read_text(encoding="utf-8")
"""What the page is asked where colours are forced: what is not seen there, or not told apart."""
