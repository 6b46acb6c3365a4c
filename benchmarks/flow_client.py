"""The load client of ``benchmarks/flows.py``, a process of its own: reads what to do, and tells what it took.

Every flow makes new keys and new requests; what a wallet keeps (metadata) is read once. It shares the machine's cores
with the services, so that flows a second say as much of it as of them; CPU of the services is measured apart.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from comity import strict_json
from comity.demo.clients import Counter, Desk, Offered, answer_of
from comity.demo.pocket import Pocket
from comity.keys import KeySigner
from comity.openid import dpop, key_proof
from comity.openid.issuance.offer import CredentialOffer, OfferReference, parse_link
from comity.runtime.clock import SystemClock

Flow = Callable[[], Awaitable[None]]
AUTHORITY, TYPE = "ca-on/services", "drivers-licence/1"
POLICY, QUERY, DISCLOSED = "drivers-licence-valid", "drivers-licence_sdjwt", ["class", "expires_on"]


def issuance(client: httpx.AsyncClient, asked: dict[str, Any]) -> Flow:
    """From the clerk's call to the credential: offer, its document, token, nonce, credential, each token DPoP-bound."""
    issuer = f"{asked['issuer']}/{AUTHORITY}"
    clerk = {"authorization": f"Bearer {asked['operator_token']}"}
    wanted = {"authority": AUTHORITY, "type": TYPE, "claims": asked["claims"], "transaction_code": False}

    async def flow() -> None:
        made = answer_of(await client.post(f"{asked['issuer']}/api/v1/offers", json=wanted, headers=clerk))
        reference = parse_link(made["link"])
        if not isinstance(reference, OfferReference):
            raise AssertionError("offers are given by reference")
        offer = CredentialOffer.parse(answer_of(await client.get(reference.url)))
        given = await client.post(f"{issuer}/nonce")
        nonce, own, key, bound = answer_of(given)["c_nonce"], given.headers[dpop.NONCE_HEADER], *_keys()
        code = offer.pre_authorized.code if offer.pre_authorized else ""
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code", "pre-authorized_code": code}
        url, now = f"{issuer}/token", SystemClock().now
        proven = dpop.build(bound, method="POST", url=url, at=now(), nonce=own)
        token = answer_of(await client.post(url, data=form, headers={dpop.HEADER: proven}))["access_token"]
        proof = key_proof.build(key, audience=issuer, nonce=nonce, issued_at=now())
        url = f"{issuer}/credential"
        proven = dpop.build(bound, method="POST", url=url, at=now(), nonce=own, access_token=token)
        body = {"credential_configuration_id": offer.configuration_ids[0], "proofs": {"jwt": [proof]}}
        headers = {"authorization": f"DPoP {token}", dpop.HEADER: proven}
        if not answer_of(await client.post(url, json=body, headers=headers))["credentials"]:
            raise AssertionError("no credential came")

    return flow


def _keys() -> tuple[KeySigner, KeySigner]:
    return KeySigner.generate(), KeySigner.generate()


async def presentation(client: httpx.AsyncClient, asked: dict[str, Any]) -> Flow:
    """From the relying party's call to its result: request, request object, encrypted answer, report."""
    desk = Desk(client=client, url=asked["issuer"], token=asked["operator_token"])
    pocket = Pocket(client=client, key=KeySigner.generate())
    offered: Offered = await desk.offer(AUTHORITY, TYPE, asked["claims"])
    await pocket.take(offered)
    counter = Counter(client=client, url=asked["verifier"], token=asked["relying_party_token"])

    async def flow() -> None:
        started = await counter.ask(POLICY, place="ca-on")
        request = await pocket.open(started["link"])
        await pocket.send(request, QUERY, pocket.present(request, DISCLOSED))
        if (await counter.result(started))["verdict"] != "accepted":
            raise AssertionError("the measured presentation must be accepted")

    return flow


async def repeat(flow: Flow, *, flows: int, at_once: int) -> tuple[float, list[float], int]:
    """Run a flow many times, some at once; return the seconds in all, the milliseconds of each, and the failures."""
    left, took, failed = iter(range(flows)), list[float](), 0

    async def visitor() -> None:
        nonlocal failed
        for _ in left:
            begun = time.monotonic()
            try:
                await flow()
            except Exception:  # noqa: BLE001  (whatever it was, it is counted, and the table says so)
                failed += 1
            took.append((time.monotonic() - begun) * 1000)

    begun = time.monotonic()
    await asyncio.gather(*(visitor() for _ in range(at_once)))
    return time.monotonic() - begun, took, failed


async def main() -> None:
    """Warm up, say so, wait for the word to begin, and tell what came."""
    asked = strict_json.parse_object(sys.stdin.readline().encode())
    limits = httpx.Limits(max_connections=asked["at_once"])
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client:
        flow = issuance(client, asked) if asked["what"] == "issuance" else await presentation(client, asked)
        await repeat(flow, flows=asked["warm"], at_once=asked["at_once"])
        print("warm", flush=True)
        sys.stdin.readline()
        seconds, took, failed = await repeat(flow, flows=asked["flows"], at_once=asked["at_once"])
    told = {"seconds": round(seconds, 3), "took": [round(each, 3) for each in took], "failed": failed}
    print(strict_json.serialise(told).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
