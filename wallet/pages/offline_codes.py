"""The codes in parts that a copy without network may show at a counter, drawn while there is a network (record 0043).

A code is the issuer's signed credential with as many facts as the person allowed, and no holder's proof: whoever reads
it knows that an authority said so, and not who shows it. A counter's answer to it is never green.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from comity.credential import Format
from comity.errors import Malformed
from comity.formats import sd_jwt
from comity.web import i18n, parts, qr, shown_text
from wallet.holdings import Held
from wallet.pages import cards

_MARK_LENGTH = 22


class Tells(StrEnum):
    """How much codes tell: ``least`` is the facts that are a yes, and the name that a counter compares."""

    NOTHING = "nothing"
    LEAST = "least"
    MOST = "most"


def mark(held: Sequence[Held], tells: Tells) -> str:
    """Return what names these codes and tells nothing of them: codes of the same mark are not drawn again."""
    told = "\0".join([tells.value, *(each.signed.encoded for each in held)])
    return hashlib.sha256(told.encode()).hexdigest()[:_MARK_LENGTH]


def draw(held: Sequence[Held], tells: Tells) -> list[dict[str, Any] | None]:
    """Return the code of each card, None for a card that has none. Takes some 15 ms a part: never on the event loop.

    ``frames`` are the parts as (size, bits) of :class:`comity.web.qr.Bitmap`, ``facts`` the labels of what they tell,
    by language.
    """
    return [_code(each, tells) for each in held]


def _code(held: Held, tells: Tells) -> dict[str, Any] | None:
    facts = _facts(held, tells)
    if not facts:
        return None
    try:
        frames = [qr.bitmap(each) for each in parts.cut(_with(held, facts))]
    except Malformed:  # longer than a camera is held for
        return None
    labels = {
        language: [shown_text.harmless(held.label(name, language)) for name in facts]
        for language in sorted(i18n.LANGUAGES)
    }
    return {"frames": [(each.size, each.bits) for each in frames], "facts": labels}


def _facts(held: Held, tells: Tells) -> list[str]:
    """Return which claims a code would tell, in the card's order; none when there is to be no code."""
    there = cards.in_order(held)
    if tells is Tells.NOTHING:
        return []
    if held.processed.format is Format.VC_JWT:  # tells everything or nothing
        whole = tells is Tells.MOST and not any(cards.is_picture(value) for _, value in there)
        return [name for name, _ in there] if whole else []
    if tells is Tells.LEAST:
        facts = {name for name, value in there if value is True and name in held.processed.disclosable}
        chosen = facts | set(cards.NAME) if facts else facts
    else:
        chosen = {name for name, value in there if not cards.is_picture(value)}
    return [name for name, _ in there if name in chosen | held.processed.always_disclosed] if chosen else []


def _with(held: Held, facts: list[str]) -> str:
    """Return the credential with the Disclosures of ``facts`` alone; a ``vc+jwt`` as it is."""
    credential = held.credential.opened.credentials[0]
    if credential.format is Format.VC_JWT:
        return held.signed.encoded
    chosen = sd_jwt.choose(held.processed.disclosed, [(name,) for name in facts])
    return sd_jwt.combine(credential.jws.encoded, [each for each in credential.disclosures if each in chosen])
