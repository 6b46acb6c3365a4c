"""``comity serve``: everything at fixed ports, a front door before it, and https under a name when phones take part."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from comity.demo import founding, samples
from comity.demo.certificate import certificate, host_name
from comity.demo.door.app import create_door
from comity.demo.door.house import House
from comity.demo.founding import FIXED_PORTS, Https, Stage
from comity.demo.processes import HOST, free_ports
from comity.demo.run import stopped
from comity.demo.tls import forwarding
from comity.demo.view import View
from comity.demo.wallet_provider import Admission
from comity.runtime.clock import SystemClock
from comity.web import csrf
from comity.web.serving import beside

DOOR, DOOR_PORT = "door", 8100
PLAIN_PORT = 8099
"""Without TLS, for the one file that a phone needs before it can trust anything."""
AUTHORITIES = "demo-ca"


async def serve(folder: Path, view: View, *, host: str = "", admission: Admission | None = None) -> None:
    """Set everything up at the fixed ports and leave it up until the process is told to stop.

    Args:
        folder: everything of this demonstration; made anew. The certificate authority lies beside it and is kept.
        view: tells people.
        host: this machine's name on its network; empty: only this machine, without TLS.
        admission: which wallets the issuer takes; None: any.

    Raises:
        Misconfigured: ``demo_running``, a name that is none, a port that is taken, a set-up command that failed.
        Unreachable: a service did not come up.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(founding.occupied(folder))
        view.say("demo.setting_up", folder=folder)
        door_port, https = DOOR_PORT, None
        if host:
            https = await _https(stack, folder.parent / AUTHORITIES, host)
            door_port = https.ports[DOOR]
        stage = await founding.found(folder, fixed_ports=True, https=https, admission=admission)
        stack.push_async_callback(asyncio.to_thread, stage.stop)
        # The samples are judged by commands that know nothing of the name, and issued to nobody's wallet.
        if https is None and not stage.admission.attested:
            await samples.leave(stage)
        house = house_of(stage)
        key = await asyncio.to_thread(csrf.key_in, folder / DOOR)
        app = create_door(house, public_url=house.urls[DOOR], form_key=key, demo_host=host)
        await stack.enter_async_context(beside(app, HOST, door_port))
        _tell(view, stage, house)
        await stopped()


def house_of(stage: Stage) -> House:
    """Return what the front door says about a stage."""
    made = stage.certificate
    base = f"https://{made.host}:{DOOR_PORT}" if made else f"http://{HOST}:{DOOR_PORT}"
    return House(
        urls={DOOR: base, **stage.urls},
        probes={name: process.url + process.probe for name, process in stage.processes.items()},
        sign_ins=tuple(stage.sign_ins),
        authority=made.authority_file.read_bytes() if made else b"",
        fingerprint=made.fingerprint if made else "",
        plain_url=f"http://{made.host}:{PLAIN_PORT}" if made else "",
    )


async def _https(stack: AsyncExitStack, folder: Path, host: str) -> Https:
    """Listen for phones at the fixed ports, with the certificate of ``host``."""
    made = await asyncio.to_thread(certificate, folder, host_name(host), SystemClock())
    names = (*FIXED_PORTS, DOOR)
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    outer = {{**FIXED_PORTS, DOOR: DOOR_PORT}[name]: port for name, port in ports.items()}
    await stack.enter_async_context(forwarding(outer, made.server_side()))
    await stack.enter_async_context(forwarding({PLAIN_PORT: ports[DOOR]}, None))
    return Https(certificate=made, ports=ports)


def _tell(view: View, stage: Stage, house: House) -> None:
    view.say("demo.staying")
    view.links(house.urls)
    view.say("demo.tokens", operator=stage.operator_token, party=stage.relying_party_token)
    if house.plain_url:
        view.say("demo.trust", url=f"{house.plain_url}/en/trust", fingerprint=house.fingerprint)
