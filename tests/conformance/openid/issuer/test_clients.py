"""The issuer's modules about who the wallet is (client attestation), derived from their names (no certification)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from comity.keys import KeySigner
from tests.services.issuer.deployed import NOW, PUBLIC_URL, Deployed, Place, running
from tests.services.issuer.test_clients import PROVIDER, STRANGER, Wallet, rows, trusting
from tests.support.forging import flipped


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place, **trusting(place)) as deployed:
        yield deployed


async def refused(issuer: Deployed, **defect: Any) -> None:
    """A token request with ``defect`` is refused and uses nothing up; the same wallet without it gets its token."""
    wallet, offer = Wallet(issuer), await issuer.offer()
    attested = defect.pop("attestation", None)
    if attested is not None:
        defect["attestation"] = attested(wallet.instance)
    answer = await wallet.redeem(offer, await wallet.headers(**defect))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_attestation"), answer.text
    assert await rows(issuer) == (0, 0)
    assert (await wallet.redeem(offer)).status_code == 200


@pytest.mark.derived("oid4vci-1_0-issuer-fail-invalid-client-attestation-signature")
async def test_invalid_client_attestation_signature(issuer: Deployed) -> None:
    await refused(issuer, attestation=lambda instance: flipped(PROVIDER.attestation(instance)))


@pytest.mark.clause("WA-1", "WA-2")
async def test_an_attester_that_nobody_trusts(issuer: Deployed) -> None:
    await refused(issuer, attestation=STRANGER.attestation)


@pytest.mark.derived("oid4vci-1_0-issuer-fail-invalid-client-attestation-pop-signature")
async def test_invalid_client_attestation_pop_signature(issuer: Deployed) -> None:
    wallet, offer = Wallet(issuer), await issuer.offer()
    attestation, (name, proof) = await wallet.headers()
    answer = await wallet.redeem(offer, [attestation, (name, flipped(proof))])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_attestation")
    assert (await wallet.redeem(offer)).status_code == 200


@pytest.mark.derived("oid4vci-1_0-issuer-fail-mismatched-client-attestation-pop-key")
@pytest.mark.clause("WA-3")
async def test_mismatched_client_attestation_pop_key(issuer: Deployed) -> None:
    await refused(issuer, signer=KeySigner.generate())


@pytest.mark.derived("oid4vci-1_0-issuer-fail-client-attestation-exp-in-past")
async def test_client_attestation_exp_in_past(issuer: Deployed) -> None:
    await refused(issuer, attestation=lambda instance: PROVIDER.attestation(instance, NOW - timedelta(hours=3)))


@pytest.mark.derived("oid4vci-1_0-issuer-fail-client-attestation-no-sub")
async def test_client_attestation_without_sub(issuer: Deployed) -> None:
    await refused(issuer, attestation=lambda instance: PROVIDER.attestation(instance, payload={"sub": ...}))


@pytest.mark.derived("oid4vci-1_0-issuer-fail-client-attestation-pop-wrong-aud")
async def test_client_attestation_pop_wrong_aud(issuer: Deployed) -> None:
    await refused(issuer, payload={"aud": f"{PUBLIC_URL}/elsewhere"})
