"""A verifier whose certificate has ended: the registry still names it, and nobody can be sure who signs (P21)."""

from datetime import timedelta

import pytest

from comity import x509
from tests.services.wallet.test_requests import refused
from tests.services.wallet.town import NOW, VERIFIER, Ground, running
from verifier import identity
from verifier.keyring import keys_of


def certify_again(ground: Ground, *, until: timedelta) -> None:
    """Give the verifier's key another leaf under its own anchor, and let the registry name it by that."""
    keys = keys_of(ground.verifier_settings())
    old = next(each for each in ground.verifier_entry()["client_ids"] if each.startswith("x509_hash"))
    leaf = x509.issue_leaf(
        name="Request signer",
        uri_san=VERIFIER,
        dns_san="localhost",
        public_jwk=keys.signer(identity.REQUEST).public_jwk,
        anchor=x509.from_base64(keys.chain(identity.ANCHOR)[0]),
        anchor_signer=keys.signer(identity.ANCHOR),
        not_before=NOW - timedelta(days=9),
        not_after=NOW + until,
    )
    keys.save_chain(identity.REQUEST, [x509.to_base64(leaf)])
    gone = {"edit": "remove_verifier", "jurisdiction": "ca-on", "client_id": old}
    ground.apply([gone, {"edit": "verifier", "jurisdiction": "ca-on", "verifier": ground.verifier_entry()}])


@pytest.mark.attack("P21")
@pytest.mark.good_twin("P21")
async def test_a_request_under_a_certificate_that_has_ended_is_refused(ground: Ground) -> None:
    for until, is_good in ((timedelta(seconds=-1), False), (timedelta(days=1), True)):
        certify_again(ground, until=until)
        async with running(ground) as town:
            maya = await town.arrive(f"maya{until.days}")
            await maya.receive(await town.offer())
            started = await town.ask()
            if not is_good:
                await refused(town, maya, started["link"], "certificate_expired")
                continue
            consent = await maya.consent(started["link"])
            assert consent["who"]["known"] is True
