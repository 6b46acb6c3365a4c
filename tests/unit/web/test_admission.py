"""A bounded number of requests at one time, an honest *later* for the rest, and health in any case."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from comity.runtime.settings import ServiceSettings
from comity.web.app import create_base


class Lamp:
    """An application whose requests wait for a switch."""

    def __init__(self, most: int) -> None:
        self.on = asyncio.Event()
        settings = ServiceSettings(public_url="http://localhost:1", max_in_flight=most)
        self.app: FastAPI = create_base(settings, title="lamp", version="1")

        @self.app.get("/wait")
        async def wait() -> dict[str, bool]:
            await self.on.wait()
            return {"on": True}

        @self.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError

        @self.app.get("/news")
        async def news() -> StreamingResponse:
            async def lines() -> AsyncIterator[bytes]:
                yield b"data: 1\n\n"
                await self.on.wait()

            return StreamingResponse(lines(), media_type="text/event-stream")

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url="http://localhost:1"
        )


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_too_many_is_told_to_come_back_and_then_served() -> None:
    lamp = Lamp(2)
    async with lamp.client() as client:
        running = [asyncio.create_task(client.get("/wait")) for _ in range(2)]
        await settled()
        refused = await client.get("/wait")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "busy"
        assert refused.headers["x-content-type-options"] == "nosniff"
        lamp.on.set()
        assert [each.status_code for each in await asyncio.gather(*running)] == [200, 200]
        assert (await client.get("/wait")).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
async def test_health_is_answered_when_there_is_no_room(path: str) -> None:
    lamp = Lamp(1)
    async with lamp.client() as client:
        running = asyncio.create_task(client.get("/wait"))
        await settled()
        assert (await client.get("/wait")).status_code == 503
        assert (await client.get(path)).status_code == 200
        lamp.on.set()
        await running


async def test_a_request_that_fails_or_is_cancelled_makes_room() -> None:
    lamp = Lamp(1)
    async with lamp.client() as client:
        for _ in range(3):
            assert (await client.get("/broken")).status_code == 500
        left = asyncio.create_task(client.get("/wait"))
        await settled()
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        lamp.on.set()
        assert (await client.get("/wait")).status_code == 200


async def test_a_page_that_waits_for_news_takes_no_room() -> None:
    lamp = Lamp(1)
    async with lamp.client() as client:
        streams = [asyncio.create_task(client.get("/news")) for _ in range(1)]
        await settled()
        more = asyncio.create_task(client.get("/news"))
        await settled()
        assert not more.done()
        lamp.on.set()
        assert [each.status_code for each in await asyncio.gather(*streams, more)] == [200, 200]
