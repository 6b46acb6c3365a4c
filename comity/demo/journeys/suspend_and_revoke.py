"""(b) An Ontario driver's licence in PEI: accepted, suspended, reinstated, revoked for good; in both formats."""

from typing import Any

from comity.demo import cast
from comity.demo.play import Play, refusal_of

FORMATS = {"dc+sd-jwt": "drivers-licence_sdjwt", "vc+jwt": "drivers-licence_vcjwt"}


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause nobody suspends and nobody revokes."""
    for credential_format, query_id in FORMATS.items():
        await _one_format(play, credential_format, query_id, is_quiet=without_cause)


async def _one_format(play: Play, credential_format: str, query_id: str, *, is_quiet: bool) -> None:
    citizen, said = await play.citizen(), {"format": credential_format}
    claims = cast.drivers_licence(cast.MAYA, 18, "2001")
    kept, offered = await play.issue(
        citizen, "ca-on/services", "drivers-licence/1", claims, formats=[credential_format]
    )
    (issued,) = await play.desk.issued(offered.offer_id)

    async def show() -> dict[str, Any]:
        return await play.show(citizen, "drivers-licence-valid", place="ca-pe", selection={query_id: kept[0]["id"]})

    async def change(verb: str, reason: str) -> None:
        if not is_quiet:
            await play.desk.change(issued["id"], verb, reason)

    play.judge("b.accepted", await show(), expected="accepted", **said)
    await change("suspend", "unpaid_fines")
    await play.until("b.suspended", show, expected="suspended", **said)
    changes = await citizen.look()
    play.expect("b.told", expected="suspended", seen=", ".join(each["now"] for each in changes), **said)
    await change("reinstate", "fines_paid")
    await play.until("b.reinstated", show, expected="accepted", **said)
    await change("revoke", "licence_withdrawn")
    await play.until("b.revoked", show, expected="revoked", **said)
    again = await refusal_of(play.desk.change(issued["id"], "reinstate", "changed_mind"))
    play.expect("b.for_good", expected="status_change_not_allowed", seen=again, **said)
