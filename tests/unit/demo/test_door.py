"""The front door: both languages, the faces and their demo sign-ins, and what a phone needs before it trusts."""

import html
import re

import httpx
import pytest

from comity.demo.cast import office
from comity.demo.door.app import create_door
from comity.demo.door.house import House, SignIn
from comity.demo.door.steps import BY_COMMAND, JOURNEYS
from comity.demo.journeys import JOURNEYS as PLAYED

URLS = {
    "door": "https://laptop.local:8100",
    **{
        name: f"https://laptop.local:{port}"
        for name, port in (("issuer", 8101), ("wallet", 8102), ("verifier", 8103), ("registry", 8104), ("status", 8105))
    },
}
PEI = "ca-pe/services"
AUTHORITY = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def visiting(house: House, url: str = URLS["door"]) -> httpx.AsyncClient:
    app = create_door(house, public_url=url, form_key=bytes(32), demo_host="laptop.local")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=url)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_page_leads_to_every_face(language: str) -> None:
    account = SignIn(face="console", name="amira", password="for the demo only", role="supervisor", office=office(PEI))
    house = House(urls=URLS, probes={"issuer": "http://localhost:9/healthz"}, sign_ins=(account,))
    async with visiting(house) as client:
        page = await client.get(f"/{language}/")
        for link in (
            f"https://laptop.local:8101/{language}/",
            f"https://laptop.local:8102/{language}/",
            f"https://laptop.local:8103/{language}/counter",
            f"https://laptop.local:8103/{language}/developers",
        ):
            assert f'href="{link}"' in page.text
        assert page.text.count("amira") == 2, "beside the button, and in the list of names"
        assert page.text.count(account.password) == 2
        assert office(PEI)[language] in html.unescape(page.text), "who visits reads whose desk it is"
        assert "badge-bad" in page.text, "a service that does not answer is told as such"
        assert "strict-transport-security" not in page.headers, "a laptop's name outlives its demonstration"
        assert (await client.get(f"/{language}/trust")).status_code == 404


def test_every_journey_is_told() -> None:
    assert sorted((*JOURNEYS, *BY_COMMAND)) == sorted(PLAYED)


async def test_a_phone_gets_the_certificate_and_the_words() -> None:
    house = House(urls=URLS, probes={}, authority=AUTHORITY, fingerprint="AA:BB", plain_url="http://laptop.local:8099")
    async with visiting(house) as client:
        served = await client.get("/comity-demo.crt")
        assert (served.content, served.headers["content-type"]) == (AUTHORITY, "application/x-x509-ca-cert")
        for language in ("en", "fr"):
            page = await client.get(f"/{language}/trust")
            assert "AA:BB" in page.text
            assert re.search(r'href="https://laptop\.local:8100/(en|fr)/"', page.text)
