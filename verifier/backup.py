"""How a verifier's database is backed up, and what a restore makes true (decision record 0026).

In a backup are verdicts and their codes, and the history of counters, nothing else: no open request, which may have
been answered since, no verdict that the coming back of a browser could still turn, and no report or view, which is
erased after minutes. Counters are paired again, for a device may have been removed since. So there is nothing to
settle. Websites of the bridge come back without secrets and shut, since one may have been removed since: the operator
renews each (`comity verifier client renew`); their salts come back, so that nobody becomes somebody else there. No
sign-in and no code comes back. A relying party that asks for a request which the backup does not know is told that
there is none; nothing is ever accepted because of a restore.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from comity.runtime.backup import NOTHING, Manifest, Rows, Scheme
from comity.verification.checks import Verdict
from verifier.bridge_store import clients
from verifier.counter_store import checks
from verifier.store import metadata, requests

PLAN: Mapping[str, Rows] = {
    "requests": Rows(
        only=requests.c.answered_at.is_not(None)
        & (
            requests.c.browser_hash.is_(None)
            | requests.c.returned_at.is_not(None)
            | (requests.c.verdict == Verdict.REJECTED.value)
        ),
        without=frozenset(
            {
                "sealed_key",
                "sealed_report",
                "sealed_particulars",
                "redirect_uri",
                "response_code_hash",
                "browser_hash",
            }
        ),
    ),
    "refusals": Rows(),
    "refused_requests": Rows(),
    "counter_devices": NOTHING,
    "webhook_endpoints": NOTHING,  # one may have been removed since; whoever still wants to be told is added anew
    "webhook_deliveries": NOTHING,  # what was sent since would be sent again
    clients.name: Rows(without=frozenset({"secret_hash", "enabled_at"})),
    "bridge_sign_ins": NOTHING,  # a code may have been redeemed since
    "bridge_assertions": NOTHING,  # they live for minutes, and no code comes back that they could redeem
    "counter_checks": Rows(only=checks.c.ended_at.is_not(None), without=frozenset({"sealed_view"})),
}


def scheme(*, url: str) -> Scheme:
    """Return the scheme of one installation."""
    return Scheme(package="verifier", url=url, metadata=metadata, plan=PLAN, needs={}, notes=dict, settle=_nothing)


def _nothing(_connection: Connection, _manifest: Manifest, _now: int) -> Mapping[str, int]:
    return {}
