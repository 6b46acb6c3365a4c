"""The good twin of every negative test in this folder."""

import pytest

from comity.credential import Format
from comity.verification.checks import ORDER, CheckName, Outcome, Verdict
from tests.support.world import LICENCE, PERSON, World

BOTH = pytest.mark.parametrize("credential_format", list(Format))


@BOTH
def test_a_good_presentation_is_accepted_with_every_check_told(world: World, credential_format: Format) -> None:
    held = world.issue(world.on, credential_format, LICENCE)
    result = world.verify(world.present(held))
    assert result.verdict is Verdict.ACCEPTED, result.all_checks
    told = [check.name for check in result.credentials[0].checks]
    assert told == [name for name in ORDER if name not in {CheckName.QUERY, CheckName.POLICY}]
    assert {check.outcome for check in result.all_checks} == {Outcome.PASSED}


def test_only_what_was_chosen_leaves(world: World) -> None:
    held = world.issue(world.bc, Format.DC_SD_JWT, PERSON)
    result = world.verify(world.present(held, ("age_over_18",)))
    assert result.claims() == {"": ({"age_over_18": True},)}


@BOTH
def test_a_held_credential_is_judged_without_proof_and_says_so(world: World, credential_format: Format) -> None:
    held = world.issue(world.bc, credential_format, PERSON)
    result = world.verify(held.encoded, demand=world.demand(holder=None, place=None))
    assert result.verdict is Verdict.ACCEPTED
    assert result.credentials[0].check(CheckName.HOLDER_BINDING).code == "held_without_proof"
    assert result.credentials[0].check(CheckName.RECOGNISED_IN_PLACE).code == "not_required"
