"""(e) An issuer that no registry knows: refused as such, and nobody is asked anything about it."""

from comity.demo import cast
from comity.demo.play import Play


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause the issuer is British Columbia."""
    authority = "ca-bc/services" if without_cause else cast.STRANGER
    citizen = await play.citizen()
    kept, _ = await play.issue(citizen, authority, "person/1", cast.person(cast.ELISE, 38), keep_unrecognised=True)
    report = await play.show(citizen, "age-alcohol", place="ca-on", selection={"person_sdjwt": kept[0]["id"]})
    play.judge("e.unknown", report, expected="issuer_unknown")
    (credential,) = report["credentials"]
    asked = [check["facts"].get("lists") for check in credential["checks"] if check["facts"].get("lists")]
    play.expect("e.no_fetch", expected="0", seen=str(len(asked)))
    signature = next(check for check in credential["checks"] if check["name"] == "signature")
    play.expect("e.not_run", expected="not_run", seen=signature["outcome"])
