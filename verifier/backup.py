"""How a verifier's database is backed up, and what a restore makes true (decision record 0030).

In a backup are verdicts and their codes, nothing else: no open request, which may have been answered since, and no
report, which is erased after minutes. So there is nothing to settle. A relying party that asks for a request which the
backup does not know is told that there is none; nothing is ever accepted because of a restore.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from comity.runtime.backup import Manifest, Rows, Scheme
from verifier.store import metadata, requests

PLAN: Mapping[str, Rows] = {
    "requests": Rows(
        only=requests.c.answered_at.is_not(None),
        without=frozenset({"sealed_key", "sealed_report", "redirect_uri", "response_code_hash"}),
    )
}


def scheme(*, url: str) -> Scheme:
    """Return the scheme of one installation."""
    return Scheme(package="verifier", url=url, metadata=metadata, plan=PLAN, needs={}, notes=dict, settle=_nothing)


def _nothing(_connection: Connection, _manifest: Manifest, _now: int) -> Mapping[str, int]:
    return {}
