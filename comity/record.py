"""Records that are made anew for every token: ``msgspec.Struct``, frozen like every record here, made in C.

A frozen dataclass sets each of its members through a call of its own; over a verification that is a tenth of the whole
(decision record 0040). To change a member in a copy: ``msgspec.structs.replace``.
"""

from collections.abc import Collection

from msgspec import Struct


def printed(record: Struct, *, without: Collection[str]) -> str:
    """Return ``record`` as ``repr`` writes it, without the members that nobody should find in a log."""
    shown = [f"{name}={getattr(record, name)!r}" for name in record.__struct_fields__ if name not in without]
    return f"{type(record).__name__}({', '.join(shown)})"
