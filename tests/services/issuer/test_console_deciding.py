"""The console decides about offers that were made to be decided later (decision record 0025)."""

from typing import Any

from tests.services.issuer.clerks import employ, hidden, sign_in, words
from tests.services.issuer.deployed import BC, PERSON, Deployed


async def decision_of(issuer: Deployed, offer: dict[str, Any]) -> Any:
    shown = await issuer.client.get(f"/api/v1/offers/{offer['offer_id']}", headers=issuer.as_role("clerk"))
    return shown.json()["decision"]


async def test_a_supervisor_approves_or_denies_once(issuer: Deployed) -> None:
    await employ(issuer)
    supervisor = await sign_in(issuer, "supervisor")
    assert "Nothing waits" in words(await supervisor.get("/approvals"))
    for wish, decision, told in (("approve", "approved", "Approved:"), ("deny", "denied", "Denied:")):
        await issuer.offer(record_reference="decided at once")
        offer = await issuer.offer(decide_later=True, record_reference=f"file-{wish}")
        page = await supervisor.get("/approvals")
        assert f"file-{wish}" in words(page)
        assert "decided at once" not in words(page)
        fields = hidden(page.text) | {"wish": wish}
        assert fields["offer"] == offer["offer_id"]
        assert told in words(await supervisor.send("/approvals/offers", fields))
        assert await decision_of(issuer, offer) == decision
        other = {"approve": "deny", "deny": "approve"}[wish]
        late = await supervisor.send("/approvals/offers", fields | {"wish": other})
        assert "decided or ended meanwhile" in words(late)
        assert await decision_of(issuer, offer) == decision
    assert "Nothing waits" in words(await supervisor.get("/approvals"))


async def test_another_authoritys_offer_is_not_theirs_to_decide(issuer: Deployed) -> None:
    await employ(issuer)
    supervisor = await sign_in(issuer, "supervisor")
    own = await issuer.offer(decide_later=True)
    foreign = await issuer.offer(role="bc", authority=BC, claims=PERSON, decide_later=True)
    page = await supervisor.get("/approvals")
    assert foreign["offer_id"] not in page.text
    fields = hidden(page.text) | {"wish": "approve"}
    refused = await supervisor.send("/approvals/offers", fields | {"offer": foreign["offer_id"]})
    assert refused.status_code == 404
    assert (await supervisor.send("/approvals/offers", fields)).status_code == 200
    assert await decision_of(issuer, own) == "approved"
