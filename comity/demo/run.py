"""The demo from beginning to end: set up, play every journey, tell, clean up."""

import asyncio
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from comity.demo import founding, samples
from comity.demo.clients import Refused
from comity.demo.founding import Stage
from comity.demo.journeys import JOURNEYS
from comity.demo.play import Play, Step
from comity.demo.view import View
from comity.errors import ComityError

CLIENT_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of the demo: by journey, whether it passed, and its steps."""

    passed: dict[str, bool] = field(default_factory=dict)
    steps: dict[str, Sequence[Step]] = field(default_factory=dict)


async def play(stage: Stage, view: View, language: str, letters: Iterable[str] = tuple(JOURNEYS)) -> Outcome:
    """Play the journeys called ``letters``, one after the other, and return what came of each."""
    outcome = Outcome()
    async with httpx.AsyncClient(trust_env=False, timeout=CLIENT_SECONDS) as client:
        for letter in letters:
            view.journey(letter)
            acts = Play(stage=stage, client=client, language=language, tell=view.step)
            try:
                await JOURNEYS[letter](acts, False)
                is_passed = bool(acts.steps) and all(step.is_as_expected for step in acts.steps)
            except (ComityError, Refused, httpx.HTTPError) as error:
                view.failed(letter, str(error))
                is_passed = False
            finally:
                await acts.close()
            outcome.passed[letter], outcome.steps[letter] = is_passed, acts.steps
    return outcome


async def demo(folder: Path, view: View, language: str, *, stay: bool) -> Outcome:
    """Set everything up anew in ``folder``, play, and stop every process, whatever happens.

    With ``stay`` the services stay up after the last journey until the process is told to stop.

    Raises:
        Misconfigured: ``demo_running``; a set-up command that failed.
        Unreachable: a service did not come up.
    """
    with founding.occupied(folder):
        view.say("demo.setting_up", folder=folder)
        stage = await founding.found(folder)
        try:
            view.settings(settings_of(stage))
            view.legend()
            outcome = await play(stage, view, language)
            view.summary(outcome.passed)
            view.say("cli.samples_left", file=_short(await samples.leave(stage)))
            if stay:
                await _stay(stage, view)
            return outcome
        finally:
            await asyncio.to_thread(stage.stop)


def settings_of(stage: Stage) -> list[str]:
    """Return the settings of every service as the demo chose them; tokens and keys are in files, not in settings."""
    return [
        f"{name}={value}"
        for service in ("issuer", "wallet", "verifier")
        for name, value in stage.settings(service).items()
    ]


def _short(path: Path) -> Path:
    """Return ``path`` as it is typed from the current folder, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


async def _stay(stage: Stage, view: View) -> None:
    view.say("demo.staying")
    view.links(stage.urls)
    view.say("demo.tokens", operator=stage.operator_token, party=stage.relying_party_token)
    await stopped()


async def stopped() -> None:
    """Return when this process is asked to end."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, asked.set)
    await asked.wait()
