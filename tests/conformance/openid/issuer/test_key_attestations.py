"""The issuer's module about where holder keys lie, derived from its name (no certification)."""

import pytest

from comity.openid.key_attestation import BASIC
from tests.services.issuer.deployed import Place, running
from tests.services.issuer.test_key_attestations import PROVIDER, Asking, attested, rows
from tests.support.forging import flipped


@pytest.mark.derived("oid4vci-1_0-issuer-fail-invalid-key-attestation-signature")
@pytest.mark.clause("VCI-42")
async def test_invalid_key_attestation_signature(place: Place) -> None:
    async with running(place, **attested(place, key_storage=[BASIC])) as issuer:
        asking = await Asking.begin(issuer)
        before, nonce = await rows(issuer), await issuer.nonce()
        forged = flipped(PROVIDER.key_attestation(asking.one, nonce=nonce))
        answer = await asking.send(jwt=[asking.proof(asking.one, nonce, forged)])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_proof")
        assert await rows(issuer) == before
        assert (await asking.by_proof()).status_code == 200
