"""What the demo leaves behind is judged as the README says, also when no service answers any more."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from comity import formats
from comity.demo import samples
from comity.demo.founding import Stage
from comity.errors import Code
from comity.runtime import held, installation
from comity.runtime.clock import SystemClock
from comity.verification.checks import Result
from comity.verification.credential import Demand

EXPECTED: dict[str, tuple[Code, ...]] = {
    "person.sdjwt": (),
    "licence.vcjwt": (),
    "licence-revoked.sdjwt": (Code.REVOKED,),
    "licence-of-a-city.sdjwt": (Code.NOT_ACCREDITED_FOR_TYPE,),
    "tampered.sdjwt": (Code.DISCLOSURE_UNREFERENCED,),
}


@pytest.mark.xdist_group("journeys")
def test_samples_are_judged_without_any_service(stage: Stage) -> None:
    begin = asyncio.run(samples.leave(stage))
    # Plain http is not let out, so nobody can be asked: as if every service were stopped.
    alone = replace(installation.load(stage.folder.parent), allow_loopback_http=False)
    assert {path.name for path in begin.parent.iterdir()} == set(EXPECTED)
    assert {path.name: judged(path, alone).codes for path in begin.parent.iterdir()} == EXPECTED
    assert judged(begin, alone).claims()[""][0]["family_name"] == "Gagné-O’Brien"


def judged(path: Path, against: installation.Installation) -> Result:
    encoded = path.read_text(encoding="ascii").strip()
    demand = Demand(at=SystemClock().now(), place=against.place, holder=None)
    return asyncio.run(held.judge(encoded, formats.of(encoded), demand=demand, against=against, clock=SystemClock()))
