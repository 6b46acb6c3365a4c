"""What a verification asks for from outside, and what it is handed back.

The core never fetches. It returns :class:`Needs`; the shell obtains what is wanted (from a cache or the network) and
calls ``resume``. At most two rounds happen: DID documents, then status lists.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from comity.errors import Code

T = TypeVar("T")


class NeedKind(StrEnum):
    """Kinds of document; the shell keeps them by different rules."""

    DID_DOCUMENT = "did_document"
    STATUS_LIST = "status_list"


class Need(Struct, frozen=True, kw_only=True):
    """One document wanted.

    Attributes:
        url: where it is.
        kind: what it is.
        accept: media types to ask for.
        max_age_seconds: a copy older than this is to be re-validated; None leaves it to the document's own ttl.
    """

    url: str
    kind: NeedKind
    accept: tuple[str, ...]
    max_age_seconds: int | None = None


class Source(StrEnum):
    """How a document came to hand."""

    FETCHED = "fetched"
    REVALIDATED = "revalidated"
    CACHED = "cached"
    """Young enough to be used without asking."""
    CACHED_HOST_DOWN = "cached_host_down"
    """It should have been re-validated, but its host did not answer."""


class Obtained(Struct, frozen=True, kw_only=True):
    """One document in hand.

    Attributes:
        body: its bytes as served.
        fetched_at: when the origin last confirmed these bytes.
        source: how it came to hand.
        newest_issued_at: the latest ``iat`` ever accepted from this URL, by which a rolled-back list is told; None
            when none was seen before.
    """

    body: bytes
    fetched_at: datetime
    source: Source
    newest_issued_at: datetime | None = None


class NotObtained(Struct, frozen=True, kw_only=True):
    """A document that could not be had, and why."""

    code: Code
    detail: str = ""


Evidence = Mapping[str, Obtained | NotObtained]
"""What was obtained, by URL."""


class Needs(Struct, Generic[T], frozen=True, kw_only=True):
    """The computation waits for documents; ``resume`` continues it with them."""

    wanted: tuple[Need, ...]
    resume: "Callable[[Evidence], Needs[T] | T]"
