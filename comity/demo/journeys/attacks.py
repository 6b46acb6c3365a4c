"""(g) A replayed presentation, a tampered Disclosure, a wrong audience: each refused with its own code."""

from typing import Any

from comity.demo import cast
from comity.demo.play import Play, refusal_of
from comity.demo.pocket import Pocket, tampered

QUERY_ID = "drivers-licence_sdjwt"
CLAIM = "age_over_19"


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause every answer is honest and sent once."""
    pocket = play.pocket()
    claims = cast.drivers_licence(cast.ELISE, 38, "7001")
    await pocket.take(await play.desk.offer("ca-on/services", "drivers-licence/1", claims))
    await _replay(play, pocket, is_honest=without_cause)
    await _other_request(play, pocket, is_honest=without_cause)
    await _tamper(play, pocket, is_honest=without_cause)
    await _wrong_audience(play, pocket, is_honest=without_cause)


async def _replay(play: Play, pocket: Pocket, *, is_honest: bool) -> None:
    """The same answer twice to one request."""
    started = await play.counter.ask("age-alcohol", place="ca-on")
    asked = await pocket.open(started["link"])
    presentation = pocket.present(asked, [CLAIM])
    await pocket.send(asked, QUERY_ID, presentation)
    play.judge("g.honest", await play.counter.result(started), expected="accepted")
    seen = "done" if is_honest else await refusal_of(pocket.send(asked, QUERY_ID, presentation))
    play.expect("g.replayed", expected="request_already_answered", seen=seen)


async def _other_request(play: Play, pocket: Pocket, *, is_honest: bool) -> None:
    """An answer that was overheard, sent to another request."""
    first = await pocket.open((await play.counter.ask("age-alcohol", place="ca-on"))["link"])
    overheard = pocket.present(first, [CLAIM])
    started = await play.counter.ask("age-alcohol", place="ca-on")
    asked = await pocket.open(started["link"])
    report = await _send(play, pocket, started, asked, pocket.present(asked, [CLAIM]) if is_honest else overheard)
    play.judge("g.overheard", report, expected="nonce_mismatch")


async def _tamper(play: Play, pocket: Pocket, *, is_honest: bool) -> None:
    """A Disclosure that says something else than the issuer signed."""
    started = await play.counter.ask("age-alcohol", place="ca-on")
    asked = await pocket.open(started["link"])
    presentation = pocket.present(asked, [CLAIM])
    sent = presentation if is_honest else tampered(presentation, CLAIM, value=False)
    report = await _send(play, pocket, started, asked, sent)
    play.judge("g.tampered", report, expected="disclosure_unreferenced")


async def _wrong_audience(play: Play, pocket: Pocket, *, is_honest: bool) -> None:
    """An answer made out to somebody else."""
    started = await play.counter.ask("age-alcohol", place="ca-on")
    asked = await pocket.open(started["link"])
    otherwise = {} if is_honest else {"audience": "x509_hash:somebody-else"}
    report = await _send(play, pocket, started, asked, pocket.present(asked, [CLAIM], **otherwise))
    play.judge("g.audience", report, expected="audience_mismatch")


async def _send(play: Play, pocket: Pocket, started: Any, asked: Any, presentation: str) -> dict[str, Any]:
    await pocket.send(asked, QUERY_ID, presentation)
    return await play.counter.result(started)
