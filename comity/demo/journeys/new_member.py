"""(i) Nova Scotia joins while everything runs; later its mandate ends, kept first, then lost. No restart anywhere."""

from typing import Any

from comity.demo import cast
from comity.demo.founding import admit
from comity.demo.play import Play

AUTHORITY = cast.NOVA_SCOTIA.authority


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause the mandate never ends."""
    citizen = await play.citizen()
    kept, _ = await play.issue(
        citizen,
        AUTHORITY,
        "drivers-licence/1",
        cast.drivers_licence(cast.ARJUN, 30, "9001"),
        keep_unrecognised=True,
    )
    selection = {"drivers-licence_sdjwt": kept[0]["id"]}

    async def show() -> dict[str, Any]:
        return await play.show(citizen, "drivers-licence-valid", place="ca-on", selection=selection)

    play.judge("i.before", await show(), expected="issuer_unknown")
    await admit(play.stage, cast.NOVA_SCOTIA)
    try:
        await play.until("i.admitted", show, expected="accepted")
        await _end_mandate(play, "keep", is_quiet=without_cause)
        await play.until("i.kept", show, expected="withdrawn_keeps_effect")
        await _end_mandate(play, "lose", is_quiet=without_cause)
        await play.until("i.lost", show, expected="issuer_withdrawn")
    finally:
        await play.stage.apply([{"edit": "remove_issuer", "authority": AUTHORITY}])


async def _end_mandate(play: Play, effect: str, *, is_quiet: bool) -> None:
    if is_quiet:
        return
    edit = {
        "edit": "withdraw",
        "authority": AUTHORITY,
        "type": "drivers-licence/1",
        "on": play.today(),
        "effect": effect,
        "reason": "mandate_ended",
    }
    await play.stage.apply([edit])
