"""(d) The City of Toronto signs a “driver's licence” and lists itself for it. Its signature is good; its word is not.

Ontario never gave Toronto that scope, and an accreditation counts only within the scope of every level above it.
"""

import asyncio

from comity.demo import cast
from comity.demo.founding import REGISTRY_REFRESH_SECONDS
from comity.demo.play import Play, refusal_of

GRANT = {"edit": "delegation", "to": "ca-on/toronto", "types": ["business-licence/1", "drivers-licence/1"]}


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause Ontario gives Toronto the scope."""
    if without_cause:
        await play.stage.apply([GRANT])
        await asyncio.sleep(2 * REGISTRY_REFRESH_SECONDS)
    try:
        await _play(play)
    finally:
        if without_cause:
            withdrawn = {"edit": "end_delegation", "to": "ca-on/toronto", "types": ["drivers-licence/1"]}
            await play.stage.apply([withdrawn])


async def _play(play: Play) -> None:
    citizen = await play.citizen()
    claims = cast.drivers_licence(cast.MAYA, 18, "4001")
    offered = await play.desk.offer("ca-on/toronto/services", "drivers-licence/1", claims)
    refused = await refusal_of(citizen.receive(offered))
    play.expect("d.wallet_refuses", expected="credential_refused", seen=refused)
    again = await play.desk.offer("ca-on/toronto/services", "drivers-licence/1", claims)
    kept = await citizen.receive(again, keep_unrecognised=True)
    play.expect("d.kept_unrecognised", expected="False", seen=str(kept[0]["recognised"]))
    selection = {"drivers-licence_sdjwt": kept[0]["id"]}

    report = await play.show(citizen, "drivers-licence-valid", place="ca-on", selection=selection)
    play.judge("d.not_accredited", report, expected="not_accredited_for_type")
    signature = next(c["outcome"] for c in report["credentials"][0]["checks"] if c["name"] == "signature")
    play.expect("d.signature", expected="passed", seen=str(signature))
