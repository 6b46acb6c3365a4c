"""Which of two forms a client prefers (RFC 9110 §12.5.1)."""

import re

_WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)\Z")


def prefers(accept: str, wanted: str, other: str) -> bool:
    """Tell whether an ``Accept`` header names the media type ``wanted``, and before or with more weight than ``other``.

    A wildcard never stands for ``wanted``: who does not name it gets what everybody can read.
    """
    weights: dict[str, tuple[float, int]] = {}
    for position, entry in enumerate(accept.split(",")):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        found = [match for part in parameters if (match := _WEIGHT.match(part))]
        weights.setdefault(media, (float(found[0][1]) if found else 1.0, -position))
    named = weights.get(wanted, (0.0, 0))
    rivals = [weights[each] for each in (other, "application/*", "*/*") if each in weights]
    return named[0] > 0 and all(named >= rival for rival in rivals)
