"""What OpenAPI says about each service, turned into requests: none of them may end in a server error.

The three services run in one process, as in every test of this folder; schemathesis makes the cases, our own client
sends them, with and without the token that opens the door.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings

from tests.services.wallet.town import ISSUER, VERIFIER, WALLET, Town

EXAMPLES = 6
SERVICES = {"issuer": ISSUER, "verifier": VERIFIER, "wallet": WALLET}
_LEFT_OPEN = {"text/event-stream"}
_SECONDS = 10.0


def operations_of(app: FastAPI) -> list[Any]:
    """Return every operation that the service describes."""
    schema: Any = schemathesis.openapi.from_dict(app.openapi())
    return [found.ok() for found in schema.get_all_operations()]


def sent(case: Any, base: str) -> httpx.Request:
    """Return a case as the request that a client of ours sends."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url=base)).prepare()
    headers = [(name, value) for name, value in prepared.headers.items() if name.lower() != "content-length"]
    body: Any = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return httpx.Request(str(prepared.method), str(prepared.url), headers=dict[str, Any](headers), content=body)


def verifier_of(town: Town) -> FastAPI:
    """Return the verifier's application."""
    found = town.net.hosts[VERIFIER]
    assert isinstance(found, FastAPI)
    return found


def fuzz(operation: Any, base: str, answer: Callable[[httpx.Request], httpx.Response]) -> list[str]:
    """Return what went wrong behind one operation."""
    wrong: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def judge(case: Any) -> None:
        try:
            request = sent(case, base)
        except (ValueError, httpx.InvalidURL, requests.RequestException):
            return  # no client can send it
        response = answer(request)
        if response.status_code >= 500:
            wrong.append(f"{request.method} {request.url.path}: {response.status_code} {response.text[:200]}")

    judge()
    return wrong


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_no_request_ends_in_a_server_error(town: Town, service: str) -> None:
    apps: Mapping[str, FastAPI] = {
        "issuer": town.issuer_app,
        "verifier": verifier_of(town),
        "wallet": town.wallet_app,
    }
    app, base, loop = apps[service], SERVICES[service], asyncio.get_running_loop()
    tokens = {"issuer": town.ground.tokens["operator"], "verifier": town.ground.tokens["party"]}
    authorization = f"Bearer {tokens.get(service, 'nothing')}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base, timeout=_SECONDS) as client:

        def answer(request: httpx.Request) -> httpx.Response:
            request.headers.setdefault("authorization", authorization)
            return asyncio.run_coroutine_threadsafe(client.send(request), loop).result(_SECONDS)

        operations = operations_of(app)
        assert len(operations) >= 8, "the service describes what it does"
        for operation in operations:
            assert await asyncio.to_thread(fuzz, operation, base, answer) == []


async def test_the_verifier_describes_every_body_and_answer_with_an_example(town: Town) -> None:
    document = verifier_of(town).openapi()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            success = next(about["responses"][each] for each in ("200", "201") if each in about["responses"])
            for described in (success, *([about["requestBody"]] if method == "post" else [])):
                contents = described["content"].values()
                assert any("example" in each or each["schema"].get("format") == "binary" for each in contents), path
