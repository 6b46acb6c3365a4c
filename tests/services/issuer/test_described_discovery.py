"""What is said of metadata and of signing in, and that the service does so."""

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from issuer.api import described_discovery as described
from tests.services.issuer.deployed import ON, Deployed

WELL_KNOWN = {
    "openid-credential-issuer": described.ISSUER_METADATA,
    "oauth-authorization-server": described.SERVER_METADATA,
}


async def test_what_wallets_read_first_is_described_with_an_example(issuer: Deployed) -> None:
    paths = (await issuer.client.get("/openapi.json")).json()["paths"]
    found = {f"/.well-known/{name}/{{path}}" for name in WELL_KNOWN} | {"/{path}/authorize"}
    assert found <= set(paths)
    for path in found:
        said = paths[path]["get"]
        assert said["security"] == []
        named = [each["name"] for each in said["parameters"]]
        assert len(named) == len(set(named))
        assert "path" in named
        assert all("example" in each for each in said["parameters"] if each["in"] == "query")
        for content in said["responses"].get("200", {}).get("content", {}).values():
            Draft202012Validator(content["schema"]).validate(content["example"])
    assert {"303", "400", "404"} <= set(paths["/{path}/authorize"]["get"]["responses"])
    assert "200" not in paths["/{path}/authorize"]["get"]["responses"]


@pytest.mark.parametrize("name", WELL_KNOWN)
async def test_the_documents_are_as_described(issuer: Deployed, name: str) -> None:
    contents: dict[str, Any] = WELL_KNOWN[name]["responses"][200]["content"]
    for media_type, content in contents.items():
        answer = await issuer.client.get(f"/.well-known/{name}/{ON}", headers={"accept": media_type})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        if media_type == "application/json":
            Draft202012Validator(content["schema"]).validate(answer.json())
    nobody = await issuer.client.get(f"/.well-known/{name}/ca-zz/nobody")
    assert nobody.status_code == 404
    (refused,) = WELL_KNOWN[name]["responses"][404]["content"].values()
    Draft202012Validator(refused["schema"]).validate(nobody.json())


async def test_who_comes_without_a_pushed_request_sees_a_page(issuer: Deployed) -> None:
    query = {"client_id": "https://wallet.example", "request_uri": "urn:ietf:params:oauth:request_uri:none"}
    answer = await issuer.client.get(f"/{ON}/authorize", params=query)
    said = described.AUTHORIZE["responses"][answer.status_code]
    assert list(said["content"]) == [answer.headers["content-type"].partition(";")[0]]
