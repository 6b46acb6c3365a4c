"""What every page of the counter has: its device, its place, its presets, and how things are worded."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

import schemas
from comity.errors import Code, NotFound
from comity.trust.places import PROVINCES_AND_TERRITORIES
from comity.web import csrf, i18n
from comity.web.pages import Pages
from verifier import presets
from verifier.counter_store import Device
from verifier.deployment import Deployment
from verifier.presets import Preset

COOKIE = "comity_counter"
_DAYS_30 = 30 * 86_400
FALLBACK_PLACE = "ca-on"
MAX_FORM_BYTES = 9 << 20
"""A photo of a code is the largest thing that is sent here."""


class Face(Struct, frozen=True, kw_only=True):
    """The counter's pages and what they work with."""

    deployment: Deployment
    pages: Pages

    async def device(self, request: Request) -> Device:
        """Return the device that asks.

        Raises:
            Denied: ``not_authenticated``: it is not signed in.
        """
        return await self.deployment.pairing.resume(request.cookies.get(COOKIE))

    def place(self, device: Device) -> str:
        """Return the place of use: the device's, else the installation's."""
        return device.place or self.deployment.settings.place or FALLBACK_PLACE

    def presets(self, device: Device) -> tuple[Preset, ...]:
        """Return what the device can ask in its place."""
        return presets.of_place(self.place(device), self.deployment.journal.own)

    def question(self, policy: str, place: str, language: str) -> dict[str, Any]:
        """Return a preset in words: what the button says, what it is for, what is asked."""
        return question(presets.find(policy, place, self.deployment.journal.own), policy, place, language)

    def demo_party(self) -> str:
        """Return the relying party of the demonstration.

        Raises:
            NotFound: this installation is none.
        """
        if not self.deployment.settings.demo_counter:
            raise NotFound(Code.NOT_FOUND, "there is no demonstration here")
        return self.deployment.settings.demo_counter

    def sign_in(self, response: Response, session: str) -> None:
        """Hand out the session: readable by no script, sent by no foreign page."""
        response.set_cookie(
            COOKIE,
            session,
            max_age=_DAYS_30,
            httponly=True,
            samesite="strict",
            secure=self.pages.public_url.startswith("https://"),
            path="/",
        )


def open_face(deployment: Deployment) -> Face:
    """Make the counter's pages."""
    settings = deployment.settings
    pages = Pages(
        "verifier.counter",
        "counter",
        public_url=settings.public_url,
        form_key=csrf.key_in(settings.data_folder),
        session_cookie=COOKIE,
        sign_in="/counter/sign-in",
        max_form_bytes=MAX_FORM_BYTES,
        extra=lambda _: {"demo": settings.demo_counter, "device_name": device_name},
    )
    return Face(deployment=deployment, pages=pages)


def device_name(device: Device, language: str) -> str:
    """Return what a device is called; one of a demonstration got its name from us, in the language it was opened in."""
    ours = {i18n.text("counter.demo_device", each) for each in i18n.LANGUAGES}
    return i18n.text("counter.demo_device", language) if device.name in ours else device.name


def place_name(place: str, language: str) -> str:
    """Return the name of a province or territory."""
    return i18n.pick(schemas.age_rules()["names"].get(place, {"en": place}), language)


def places(language: str) -> list[tuple[str, str]]:
    """Return every province and territory with its name, by name."""
    return sorted(((each, place_name(each, language)) for each in PROVINCES_AND_TERRITORIES), key=lambda each: each[1])


def question(preset: Preset | None, policy: str, place: str, language: str) -> dict[str, Any]:
    """Return a preset in words; of one that is no longer there, as in a history, what is left to say."""
    words = _own_words(preset.words, language) if preset and preset.words else _words(preset, policy, place, language)
    how = "own" if preset and preset.words else "combined" if preset and preset.is_combined else "any"
    return {
        "policy": policy,
        "option": (policy, f"{words['title']} – {words['about']}"),
        "group": preset.group if preset else presets.GROUPS.get(policy, presets.OWN),
        **words,
        "asked": [_asked(each, language) for each in preset.asked] if preset else [],
        "how": i18n.text(f"counter.asked_{how}", language),
    }


def _own_words(words: presets.Words, language: str) -> dict[str, str]:
    found = {"title": words.title, "about": words.about, "met": words.met}
    return {name: i18n.pick(each, language) for name, each in found.items()}


def _words(preset: Preset | None, policy: str, place: str, language: str) -> dict[str, str]:
    if policy not in presets.GROUPS:
        return {"title": policy, "about": "", "met": policy}
    key = f"counter.preset.{policy.replace('-', '_')}"
    values = {"age": preset.age if preset else "", "place": place_name(place, language)}
    return {name: i18n.text(f"{key}.{name}", language, **values) for name in ("title", "about", "met")}


def value_in_words(value: Any, language: str) -> str:
    """Return a claim's value for people."""
    if isinstance(value, bool):
        return i18n.text("counter.yes" if value else "counter.no", language)
    try:
        return i18n.date(datetime.strptime(str(value), "%Y-%m-%d").date(), language)  # noqa: DTZ007  (a day, no instant)
    except ValueError:
        return str(value)


def _asked(each: presets.Asked, language: str) -> dict[str, Any]:
    return {"type": each.type_name(language), "labels": list(each.labels(language))}


def wallet_links(face: Face, link: str, language: str) -> dict[str, str]:
    """Return where a person on this very device goes with a request's link: an installed wallet, and a hosted one."""
    hosted = face.deployment.settings.wallet_url
    opened = f"{hosted}/{language}/open?{link.partition('?')[2]}" if hosted and link else ""
    return {"installed": link, "hosted": opened}
