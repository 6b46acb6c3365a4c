"""The claims path pointer of OpenID4VP, for JSON credentials (OpenID4VP 1.0 §7.1; profile DQ-2).

There are three path functions in the standards and they differ; this is only one of them. The claims paths of
OpenID4VCI metadata and of SD-JWT VC type metadata are not processed by this.
"""

from collections.abc import Mapping
from typing import Any

from comity.dcql.query import Path

Place = tuple[str | int, ...]
"""A path without wildcards: exactly one place in one credential."""


def select(path: Path, root: Mapping[str, Any]) -> dict[Place, Any]:
    """Return every element that ``path`` selects in the credential ``root``, by its place; empty on any error.

    The standard tells "abort with an error" from an element that is not there; both mean that the claim is not in
    the credential, so both give an empty result. Time is linear in the part of the credential that is visited.
    """
    selected: dict[Place, Any] = {(): root}  # step 1
    for part in path:  # step 2
        following = _step(part, selected)
        if following is None:
            return {}
        selected = following
    return selected  # step 3: nothing selected is an error


def _step(part: str | int | None, selected: dict[Place, Any]) -> dict[Place, Any] | None:
    """Apply one part of the path to everything selected; None when the standard says "abort"."""
    container = Mapping if isinstance(part, str) else list
    if not all(isinstance(element, container) for element in selected.values()):
        return None  # a name in something that is no object, an index or null in something that is no array
    if part is None:  # every element of every array
        return {(*at, n): each for at, element in selected.items() for n, each in enumerate(element)}
    if isinstance(part, str):  # objects without the member drop out
        return {(*at, part): element[part] for at, element in selected.items() if part in element}
    # arrays that are too short drop out
    return {(*at, part): element[part] for at, element in selected.items() if part < len(element)}
