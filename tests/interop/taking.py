"""What several modules begin with: a credential of Élise's in a foreign wallet."""

from dataclasses import dataclass
from typing import Any

from comity import base64url, strict_json
from comity.demo import cast
from comity.demo.clients import Offered
from comity.demo.play import Play
from tests.interop.peers import Peers

BC = "ca-bc/services"
ELISE = cast.person(cast.ELISE, 38)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A credential, and the key that it is bound to."""

    credential: str
    key: dict[str, Any]


async def offered(play: Play, wanted: str = "dc+sd-jwt", *, batch: int = 1) -> Offered:
    return await play.desk.offer(BC, "person/1", ELISE, formats=[wanted], batch=batch)


async def taken(play: Play, peers: Peers, wanted: str = "dc+sd-jwt") -> Taken:
    offer = await offered(play, wanted)
    took = await peers("receive", offer=offer.link, txCode=offer.transaction_code)
    assert took.get("failed") is None, took
    return Taken(credential=took["credentials"][0], key=took["keys"][0])


def payload(credential: str) -> dict[str, Any]:
    """Read what a JWT, or the JWT in front of a SD-JWT, says."""
    return strict_json.parse_object(base64url.decode(credential.split("~", maxsplit=1)[0].split(".")[1]))


def header(encoded: str) -> dict[str, Any]:
    return strict_json.parse_object(base64url.decode(encoded.split(".", maxsplit=1)[0]))
