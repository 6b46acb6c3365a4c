"""(c) Two credentials of two jurisdictions, bound to one holder key, in one answer; and a twin with two keys."""

from comity.demo import cast
from comity.demo.play import Play


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause the twin too has one key for both."""
    report = await _both(play, share_key=True)
    play.judge("c.one_key", report, expected="accepted")
    twin = await _both(play, share_key=without_cause)
    play.judge("c.two_keys", twin, expected="holder_keys_differ")


async def _both(play: Play, *, share_key: bool) -> dict[str, object]:
    citizen = await play.citizen()
    licence, _ = await play.issue(
        citizen, "ca-on/services", "drivers-licence/1", cast.drivers_licence(cast.ELISE, 38, "3001")
    )
    first = licence[0]["id"]
    terms = {"same_key_as": first} if share_key else {}
    served, _ = await play.issue(
        citizen, "ca-bc/services", "serving-it-right/1", cast.serving_it_right(cast.ELISE, "3002"), **terms
    )
    selection = {"serving-it-right_sdjwt": served[0]["id"], "drivers-licence_sdjwt": first}
    return await play.show(citizen, "server-and-person", place="ca-bc", selection=selection, same_holder=True)
