"""(h) The status host stops: a fresh copy still does, and that is said; a verifier that has none cannot tell."""

import shutil
from dataclasses import replace
from typing import Any

from comity.demo import cast
from comity.demo.play import Play
from comity.demo.processes import HOST, Process, free_ports


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause the host goes on serving."""
    citizen = await play.citizen()
    kept, _ = await play.issue(
        citizen, "ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.ELISE, 38, "8001")
    )
    selection = {"drivers-licence_sdjwt": kept[0]["id"]}

    async def show() -> dict[str, Any]:
        return await play.show(citizen, "drivers-licence-valid", place="ca-on", selection=selection)

    play.judge("h.host_up", await show(), expected="accepted")
    host = play.stage.processes["status"]
    if not without_cause:
        host.stop()
    newcomer = _newcomer(play)
    try:
        await play.until("h.cached", show, expected="status_from_cache")
        newcomer.start()
        await newcomer.wait_ready(play.client)
        counter = replace(play.counter, url=newcomer.url)
        started = await counter.ask("drivers-licence-valid", place="ca-on")
        await citizen.agree(await citizen.consent(started["link"]), selection)
        report = await counter.result(started)
        play.judge("h.newcomer", report, expected="status_unavailable")
        play.expect("h.verdict", expected="undetermined", seen=str(report["verdict"]))
    finally:
        newcomer.stop()
        if not without_cause:
            host.start()
            await host.wait_ready(play.client)


def _newcomer(play: Play) -> Process:
    """Return a verifier with the same keys and a new data folder."""
    stage, folder = play.stage, play.stage.folder / "newcomer"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(stage.folder / "verifier" / "keys", folder / "keys")
    (port,) = free_ports(1)
    url = f"http://{HOST}:{port}"
    settings = stage.settings("verifier") | {"VERIFIER_DATA_DIR": str(folder), "VERIFIER_PUBLIC_URL": url}
    return Process(
        name="newcomer",
        url=url,
        arguments=["verifier", "serve", "--host", HOST, "--port", str(port)],
        settings=settings,
        log=stage.folder / "logs" / "newcomer.log",
    )
