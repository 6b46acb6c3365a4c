"""One document names all status lists of an authority (Token Status List §9)."""

import gzip
import json
import shutil

import httpx
import pytest

from comity.status import token_list
from issuer.status_host import StatusHost
from tests.services.issuer.deployed import BC, ON, Deployed


@pytest.fixture
async def host(issuer: Deployed) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=StatusHost(issuer.settings.status_directory, max_age=30))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8105")


@pytest.mark.clause("TSL-8")
async def test_one_document_names_every_list_and_every_list_names_it(issuer: Deployed, host: httpx.AsyncClient) -> None:
    told = (await issuer.client.get(f"/.well-known/oauth-authorization-server/{ON}")).json()
    endpoint = told["status_list_aggregation_endpoint"]
    assert endpoint == f"http://localhost:8105/{ON}/status/lists"
    for encoding in ("identity", "gzip"):
        answer = await host.get(endpoint, headers={"accept-encoding": encoding})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json() == {"status_lists": [f"http://localhost:8105/{ON}/status/{n}" for n in (1, 2)]}
    answer = await host.get(endpoint)
    assert (await host.get(endpoint, headers={"if-none-match": answer.headers["etag"]})).status_code == 304
    for uri in answer.json()["status_lists"]:
        token = token_list.open((await host.get(uri)).text)
        assert (token.uri, token.payload["status_list"]["aggregation_uri"]) == (uri, endpoint)
    assert (await host.get(f"/{BC}/status/lists")).json()["status_lists"][0].endswith(f"/{BC}/status/1")


@pytest.mark.clause("TSL-8")
async def test_the_aggregation_follows_the_folder_and_comes_back_when_it_is_lost(issuer: Deployed) -> None:
    folder, publisher = issuer.settings.status_directory / ON / "status", issuer.deployment.publisher
    (folder / "lists").write_bytes(b'{"status_lists":[]}')
    (folder / "lists.gz").unlink()
    await publisher.publish_due()
    assert (folder / "lists").read_bytes() == gzip.decompress((folder / "lists.gz").read_bytes())
    before = (folder / "lists").stat().st_mtime_ns
    await publisher.publish_due()  # nothing to do
    assert (folder / "lists").stat().st_mtime_ns == before
    shutil.copytree(folder / "2", folder / "7")  # published by another process
    await publisher.publish_due()
    assert json.loads((folder / "lists").read_bytes())["status_lists"][-1] == f"http://localhost:8105/{ON}/status/7"
