"""Pairing: how a device at a counter is signed in, once, on behalf of one relying party.

Whoever runs the verifier makes a code with ``comity verifier counter add``; the device types it and keeps a cookie
whose SHA-256 alone is stored. A code is good once and for a short time.
"""

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import msgspec
from msgspec import Struct

from comity import base64url
from comity.errors import Code, Denied, Malformed
from comity.ports import Clock
from comity.runtime.database import Database
from verifier import counter_store
from verifier.counter_store import Device

MINUTES_TO_PAIR = 30
IDLE_DAYS = 30
"""A device that asked for nothing in this time has to be paired again."""
CLEAR_SECONDS = 20
MAX_CLEAR_SECONDS = 600
MAX_NAME = 200
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Without I, L, O, U, 0 and 1: people read a code aloud, in two languages."""
_GROUPS, _GROUP = 3, 4
_MAX_ATTEMPTS, _WINDOW_SECONDS = 20, 60.0
_TOUCH_EVERY = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class Attempts:
    """How many wrong codes this process was given lately; twelve letters of thirty leave no room for guessing."""

    monotonic: Callable[[], float] = time.monotonic
    _times: deque[float] = field(default_factory=deque)

    def require_few(self) -> None:
        """Check that few wrong codes came in the last minute.

        Raises:
            Denied: ``too_many_attempts``.
        """
        while self._times and self._times[0] < self.monotonic() - _WINDOW_SECONDS:
            self._times.popleft()
        if len(self._times) >= _MAX_ATTEMPTS:
            raise Denied(Code.TOO_MANY_ATTEMPTS, "too many wrong pairing codes; wait a minute")

    def note(self) -> None:
        """Note a wrong code."""
        self._times.append(self.monotonic())


class Pairing(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        database: where devices are kept.
        clock: the time.
        attempts: wrong codes of late.
    """

    database: Database
    clock: Clock
    attempts: Attempts = msgspec.field(default_factory=Attempts)

    async def add(self, name: str, *, relying_party: str, place: str = "") -> tuple[str, str]:
        """Add a device and return its id and the code that pairs it; the code is kept as a hash only.

        Does not check that there is such a relying party or such a place.

        Raises:
            Malformed: a name has 1 to 200 characters.
        """
        code, now = _code(), self.clock.now()
        device = _device(name, relying_party, place)
        until = now + timedelta(minutes=MINUTES_TO_PAIR)
        await self.database.write(
            partial(counter_store.add_device, device=device, pairing_hash=digest(normal(code)), until=until, at=now)
        )
        return device.id, code

    async def pair(self, code: str) -> tuple[Device, str]:
        """Use up a code and return the device with its new session secret, for the cookie.

        Raises:
            Denied: ``pairing_code_invalid``, or ``too_many_attempts``.
        """
        self.attempts.require_few()
        session, now = _secret(), self.clock.now()
        taken = partial(
            counter_store.pair_device, pairing_hash=digest(normal(code)), session_hash=digest(session), at=now
        )
        device = await self.database.write(taken)
        if device is None:
            self.attempts.note()
            raise Denied(Code.PAIRING_CODE_INVALID, "the code is wrong, was used, or its time is over")
        return device, session

    async def open_demo(self, name: str, *, relying_party: str) -> tuple[Device, str]:
        """Make a device that needs no code: only for demonstrations, which the settings refuse in production."""
        session, device = _secret(), _device(name, relying_party, "")
        await self.database.write(
            partial(counter_store.open_device, device=device, session_hash=digest(session), at=self.clock.now())
        )
        return device, session

    async def resume(self, session: str | None) -> Device:
        """Return the device whose cookie this is.

        Raises:
            Denied: ``not_authenticated``: no cookie, or its device was removed or not seen for 30 days.
        """
        now = self.clock.now()
        found = None
        if session:
            wanted = partial(
                counter_store.find_device, session_hash=digest(session), seen_after=now - timedelta(days=IDLE_DAYS)
            )
            found = await self.database.read(wanted)
        if found is None:
            raise Denied(Code.NOT_AUTHENTICATED, "this device is not signed in as a counter")
        if found.seen_at is not None and now - found.seen_at > _TOUCH_EVERY:
            await self.database.write(partial(counter_store.touch_device, device_id=found.id, at=now))
        return found

    async def change(self, device: Device, *, place: str, clear_seconds: int, sound: bool) -> None:
        """Store what a device set about itself; does not check that the place is one.

        Raises:
            Malformed: a time to clear of less than 0 or more than 600 seconds.
        """
        if not 0 <= clear_seconds <= MAX_CLEAR_SECONDS:
            raise Malformed(Code.MALFORMED, f"the time to clear is 0 to {MAX_CLEAR_SECONDS} seconds")
        changed = partial(
            counter_store.change_device, device_id=device.id, place=place, clear_seconds=clear_seconds, sound=sound
        )
        await self.database.write(changed)

    async def end(self, device_id: str) -> bool:
        """Remove a device: its cookie opens nothing any more. Returns whether there was one."""
        return await self.database.write(partial(counter_store.remove_device, device_id=device_id))

    async def devices(self) -> tuple[Device, ...]:
        """Return every device."""
        return await self.database.read(counter_store.list_devices)


def normal(code: str) -> str:
    """Return a code as it is compared: upper case, without the spaces and hyphens that people type or leave out."""
    return "".join(letter for letter in code.upper() if letter.isalnum())[:64]


def digest(secret: str) -> str:
    """Return the SHA-256 (hexadecimal) under which a secret is kept."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _device(name: str, relying_party: str, place: str) -> Device:
    if not 0 < len(name.strip()) <= MAX_NAME:
        raise Malformed(Code.MALFORMED, f"a counter's name has 1 to {MAX_NAME} characters")
    return Device(
        id=secrets.token_hex(8),
        name=name.strip(),
        relying_party=relying_party,
        place=place,
        clear_seconds=CLEAR_SECONDS,
        sound=False,
        seen_at=None,
    )


def _code() -> str:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def _secret() -> str:
    return base64url.encode(secrets.token_bytes(32))
