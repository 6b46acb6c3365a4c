"""Records: ``msgspec.Struct``, frozen and made by names, in C.

A frozen dataclass sets each of its members through a call of its own, which over a verification is a tenth of the whole
(decision record 0040), and compiles its methods from text when its module is loaded, which over a start is more than
half of what a bare application takes (0042). To change a member in a copy: ``msgspec.structs.replace``.
"""

from typing import Any, ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True, kw_only=True):
    """A record that shows everything but its :attr:`UNPRINTED` members, which nobody should find in a log."""

    UNPRINTED: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        """Write it as any other record is written."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what is shown; Rich, which prints what stands in tracebacks, asks for it in place of ``repr``."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.UNPRINTED]
