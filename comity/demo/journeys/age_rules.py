"""(f) One 18-year-old, three places, one rule table: the place of use decides, not the place of issue."""

from comity.demo import cast
from comity.demo.play import Play

VISITS = (
    ("toronto", "age-alcohol", "ca-on", "age_requirement_not_met"),
    ("calgary", "age-alcohol", "ca-ab", "accepted"),
    ("montreal", "age-cannabis", "ca-qc", "age_requirement_not_met"),
)
"""Alberta and Québec are places here, not members of the federation."""


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause the person is 30."""
    years = 30 if without_cause else 18
    citizen = await play.citizen()
    kept, _ = await play.issue(
        citizen, "ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.MAYA, years, "6001")
    )
    for name, policy, place, expected in VISITS:
        selection = {"drivers-licence_sdjwt": kept[0]["id"]}
        report = await play.show(citizen, policy, place=place, selection=selection)
        play.judge(f"f.{name}", report, expected=expected)
