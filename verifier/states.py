"""The states of a request, as types; a transition is a function of the stored row and the time."""

from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from comity.errors import Code, Conflict
from verifier.store import RequestRow


class Requested(Struct, frozen=True, kw_only=True):
    """Waiting for a wallet."""

    name: ClassVar[str] = "requested"
    row: RequestRow


class Fetched(Struct, frozen=True, kw_only=True):
    """A wallet has opened it."""

    name: ClassVar[str] = "fetched"
    row: RequestRow


class Answered(Struct, frozen=True, kw_only=True):
    """It has its verdict; nothing can change it any more."""

    name: ClassVar[str] = "answered"
    row: RequestRow


class Expired(Struct, frozen=True, kw_only=True):
    """Its time ended without an answer."""

    name: ClassVar[str] = "expired"
    row: RequestRow


PresentationRequest = Requested | Fetched | Answered | Expired


def state_of(row: RequestRow, now: datetime) -> PresentationRequest:
    """Return the state in which the request is at ``now``."""
    if row.answered_at is not None:
        return Answered(row=row)
    if row.expires_at <= now:
        return Expired(row=row)
    return Fetched(row=row) if row.fetched_at is not None else Requested(row=row)


def require_open(row: RequestRow, now: datetime) -> Requested | Fetched:
    """Return the state of a request that can still be answered at ``now``.

    Raises:
        Conflict: ``request_already_answered`` or ``request_expired``.
    """
    state = state_of(row, now)
    if isinstance(state, Answered):
        raise Conflict(Code.REQUEST_ALREADY_ANSWERED, "the request was answered already")
    if isinstance(state, Expired):
        raise Conflict(Code.REQUEST_EXPIRED, "the request's time is over")
    return state
