"""(j) Élise signs in at British Columbia’s own pages, without a clerk; her wallet has the credential, and renews it."""

from typing import Any
from urllib.parse import urlsplit

from comity.demo import cast
from comity.demo.browser import Browser
from comity.demo.play import Play, refusal_of
from comity.openid.authorization import parse_parameters

SCOPE = "person.1.sdjwt"
NAME = "Élise Gagné-O’Brien"


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause she does not agree at the issuer."""
    citizen = await play.citizen()
    issuer = f"{play.stage.urls['issuer']}/{cast.SIGN_IN_AT}"
    url = await citizen.begin_sign_in(issuer, SCOPE)
    play.expect("j.asked", expected="client_id, request_uri", seen=", ".join(sorted(_names(url))))
    browser = Browser(client=citizen.client)
    brought = await browser.brings_back(url, NAME, answer="refuse" if without_cause else "agree")
    stranger = await play.citizen()
    stolen = await refusal_of(stranger.finish_sign_in(brought))
    play.expect("j.stolen", expected="state_mismatch", seen=stolen)
    kept: list[dict[str, Any]] = []

    async def take() -> None:
        kept.extend(await citizen.finish_sign_in(brought))

    play.expect("j.received", expected="done", seen=await refusal_of(take()))
    if not kept:
        return
    renewed = await citizen.renew(kept[0]["id"])
    is_another = renewed["id"] != kept[0]["id"] and renewed["recognised"]
    play.expect("j.renewed", expected="True", seen=str(is_another))
    report = await play.show(citizen, "age-alcohol", place="ca-on")
    play.judge("j.shown", report, expected="accepted")


def _names(url: str) -> set[str]:
    return set(parse_parameters(urlsplit(url).query))
