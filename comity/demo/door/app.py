"""The application behind the front door; it knows addresses and demo sign-ins, and nothing about anybody."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar

import httpx
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict
from starlette.requests import Request
from starlette.responses import Response

from comity.demo.door.house import House
from comity.demo.door.steps import BY_COMMAND, JOURNEYS, PATHS
from comity.errors import Code, NotFound
from comity.runtime.settings import ServiceSettings
from comity.web import i18n
from comity.web.app import create_base
from comity.web.pages import Pages
from comity.web.routes import take_over

PROBE_SECONDS = 2.0
VERSION = "0.1.0"
ROLES = ("clerk", "supervisor", "auditor", "admin")


class DoorSettings(ServiceSettings):
    """Settings of the front door; it is started by ``comity serve`` and by nothing else."""

    model_config = SettingsConfigDict(env_prefix="COMITY_DOOR_", frozen=True, extra="forbid")
    service: ClassVar[str] = "door"


def create_door(house: House, *, public_url: str, form_key: bytes, demo_host: str = "") -> FastAPI:
    """Return the application of the front door."""
    settings = DoorSettings(public_url=public_url, demo_host=demo_host)
    app = create_base(settings, title="comity front door", version=VERSION)
    pages = Pages("comity.demo.door", "door", public_url=public_url, form_key=form_key)
    routes = pages.router()

    @routes.get("/")
    async def show(request: Request) -> Response:
        journeys = [(letter, _steps(house, letter, pages.language(request))) for letter in JOURNEYS]
        return pages.render(
            request,
            "door.html",
            house=house,
            faces=_faces(house, pages.language(request)),
            roles={each: i18n.text(f"door.role_{each}", pages.language(request)) for each in ROLES},
            journeys=journeys,
            by_command=BY_COMMAND,
            states=await _states(house.probes),
        )

    @routes.get("/trust")
    async def trust(request: Request) -> Response:
        if not house.authority:
            raise NotFound(Code.NOT_FOUND, "this demonstration has no https and needs no trust")
        return pages.render(request, "trust.html", house=house)

    @app.get("/comity-demo.crt", include_in_schema=False)
    async def authority() -> Response:
        """Return the authority's certificate in the form that phones offer to install."""
        if not house.authority:
            raise NotFound(Code.NOT_FOUND)
        return Response(house.authority, media_type="application/x-x509-ca-cert")

    take_over(app, routes)
    pages.install(app)
    return app


def _faces(house: House, language: str) -> dict[str, str]:
    return {face: f"{house.urls[service]}/{language}{path}" for face, (service, path) in PATHS.items()}


def _steps(house: House, letter: str, language: str) -> list[dict[str, str]]:
    """Return the steps of a journey: what to do, where, and the link."""
    faces = _faces(house, language)
    return [
        {
            "words": i18n.text(f"door.{letter}_{number}", language),
            "where": i18n.text(f"door.to_{face}", language),
            "face": face,
            "href": faces[face],
        }
        for number, face in enumerate(JOURNEYS[letter], start=1)
    ]


async def _states(probes: Mapping[str, str]) -> dict[str, bool]:
    """Ask every service whether it is up; one that does not answer in time is not."""
    async with httpx.AsyncClient(trust_env=False, timeout=PROBE_SECONDS) as client:

        async def is_up(url: str) -> bool:
            try:
                return (await client.get(url)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

        answers = await asyncio.gather(*(is_up(url) for url in probes.values()))
    return dict(zip(probes, answers, strict=True))
