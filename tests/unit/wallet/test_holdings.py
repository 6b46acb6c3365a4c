"""What is held is shown to queries as it is, also where nobody could read its certificates."""

from comity import base64url, x509
from comity.credential import Format, KeyReference, X5c
from tests.support.world import NOW, PERSON, World
from wallet.holdings import Held, take_apart


def held(world: World, key: KeyReference | None = None) -> Held:
    signed = world.issue(world.bc, Format.DC_SD_JWT, PERSON, key=key)
    return Held(id="1", version=1, received_at=NOW, about={}, signed=signed, credential=take_apart(signed))


def test_it_names_the_authorities_of_its_chain() -> None:
    world = World()
    named = base64url.encode(x509.authority_key_identifier(world.bc.leaf))
    assert held(world).holding().authority_key_ids == (named,)


def test_a_chain_that_cannot_be_read_names_nobody_and_hides_nothing() -> None:
    """A credential of an unknown issuer is kept when the person says so; its chain was never read."""
    holding = held(World(), X5c(chain=("AAAA",))).holding()
    assert holding.authority_key_ids == ()
    assert "family_name" in holding.claims
