"""A place may recognise a credential for one purpose and not for another (check 8)."""

from msgspec.structs import replace

from comity.credential import Format
from comity.verification.checks import CheckName, Verdict
from tests.support.world import PERSON, World

RULE = {"jurisdiction": "ca-bc", "type": "person/1", "accept": False, "purpose": "age-alcohol"}


def test_a_rule_for_one_purpose_binds_only_that_purpose(world: World) -> None:
    world.documents["ca-on/recognition.json"] = {"narrow": [RULE]}
    presentation = world.present(world.issue(world.bc, Format.DC_SD_JWT, PERSON))
    verdicts = {}
    for purpose in ("age-alcohol", "age-cannabis"):
        demand = replace(world.demand(place="ca-on"), purpose=purpose)
        result = world.verify(presentation, demand=demand)
        verdicts[purpose] = result.verdict, result.credentials[0].check(CheckName.RECOGNISED_IN_PLACE).code
    assert verdicts["age-alcohol"] == (Verdict.REJECTED, "not_recognised_in_place")
    assert verdicts["age-cannabis"][0] is Verdict.ACCEPTED
