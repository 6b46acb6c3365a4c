"""The main job, by the very functions that ``comity demo`` plays; and each journey once with its cause removed.

A journey that also passes without its cause would prove nothing: then it must come out as failed, at the step that the
cause is the cause of.
"""

import httpx
import pytest

from comity.demo.founding import Stage
from comity.demo.journeys import JOURNEYS
from comity.demo.play import Play, Step

pytestmark = pytest.mark.xdist_group("journeys")

BREAKS_AT = {
    "a": "demo.a.result",
    "b": "demo.b.suspended",
    "c": "demo.c.two_keys",
    "d": "demo.d.not_accredited",
    "e": "demo.e.unknown",
    "f": "demo.f.toronto",
    "g": "demo.g.tampered",
    "h": "demo.h.cached",
    "i": "demo.i.kept",
    "j": "demo.j.received",
}
"""The step at which each journey must fail once its cause is gone."""


async def played(stage: Stage, letter: str, *, without_cause: bool, patience: float = 60.0) -> list[Step]:
    """Play one journey and return its steps."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        play = Play(stage=stage, client=client, language="fr", tell=lambda _: None, patience=patience)
        try:
            await JOURNEYS[letter](play, without_cause)
        finally:
            await play.close()
        return play.steps


@pytest.mark.parametrize("letter", JOURNEYS)
async def test_a_journey_comes_out_as_it_should(stage: Stage, letter: str) -> None:
    steps = await played(stage, letter, without_cause=False)
    assert steps
    assert [(step.words, step.expected, step.seen) for step in steps if not step.is_as_expected] == []


@pytest.mark.parametrize("letter", JOURNEYS)
async def test_without_its_cause_it_fails(stage: Stage, letter: str) -> None:
    steps = await played(stage, letter, without_cause=True, patience=3.0)
    assert BREAKS_AT[letter] in {step.words for step in steps if not step.is_as_expected}


def test_every_journey_has_its_breaking_point() -> None:
    assert set(BREAKS_AT) == set(JOURNEYS) == set("abcdefghij")
