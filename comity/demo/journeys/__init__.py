"""The journeys of the main job, one file each.

Each is a function of the play and of ``without_cause``: with it, the cause of the journey's outcome is taken away (no
tampering, no withdrawal, no missing scope …) while everything that is expected stays the same, so that the journey has
to come out as failed. A journey that passes either way would prove nothing (``tests/journeys``).
"""

from collections.abc import Awaitable, Callable, Mapping

from comity.demo.journeys import (
    age_rules,
    attacks,
    new_member,
    one_holder,
    rogue_city,
    selective_disclosure,
    sign_in,
    status_host_down,
    suspend_and_revoke,
    unknown_issuer,
)
from comity.demo.play import Play

Journey = Callable[[Play, bool], Awaitable[None]]

JOURNEYS: Mapping[str, Journey] = {
    "a": selective_disclosure.run,
    "b": suspend_and_revoke.run,
    "c": one_holder.run,
    "d": rogue_city.run,
    "e": unknown_issuer.run,
    "f": age_rules.run,
    "g": attacks.run,
    "h": status_host_down.run,
    "i": new_member.run,
    "j": sign_in.run,
}
"""Every journey by its letter."""
