"""What is counted, and that nothing that tells of a person is."""

import httpx
import pytest
from fastapi import FastAPI

from comity.web.app import create_base
from tests.unit.web.test_app import LampSettings


@pytest.fixture
async def client() -> httpx.AsyncClient:
    app: FastAPI = create_base(LampSettings(public_url="http://lamp.example"), title="lamp", version="9")

    @app.get("/people/{name}")
    async def show(name: str) -> str:
        if name == "broken":
            raise ValueError(name)
        return name

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://lamp.example")


@pytest.mark.attack("X08")
async def test_requests_are_counted_by_route_and_never_by_address(client: httpx.AsyncClient) -> None:
    for path in ("/people/marguerite", "/people/elise", "/people/broken", "/marguerite-unknown"):
        await client.get(path)
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.text
    assert 'comity_requests_total{method="GET",route="/people/{name}",status="2xx"} 2.0' in text
    assert 'comity_requests_total{method="GET",route="/people/{name}",status="5xx"} 1.0' in text
    assert 'route="unknown",status="4xx"} 1.0' in text
    assert 'comity_info{service="lamp",version="9"} 1.0' in text
    assert "marguerite" not in text
    assert "elise" not in text


@pytest.mark.attack("X08")
async def test_a_made_up_method_makes_no_new_series(client: httpx.AsyncClient) -> None:
    await client.request("MARGUERITE", "/people/x")
    assert "MARGUERITE" not in (await client.get("/metrics")).text
