"""One credential in the hand of whoever asks, judged against an installation's registry and caches."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from comity.errors import Code
from comity.ports import Clock, Fetcher
from comity.runtime.evidence import EvidenceShell
from comity.runtime.http import GuardedFetcher
from comity.runtime.installation import Installation
from comity.runtime.registry_client import RegistryClient
from comity.runtime.status_cache import StatusCache
from comity.verification.checks import Result
from comity.verification.credential import Demand
from comity.verification.evidence import NotObtained, Obtained
from comity.verification.presentation import verify_held
from comity.verification.status import BITSTRING_LIST_TYPE, TOKEN_LIST_TYPE, StatusDemand

PRESENT = timedelta(seconds=60)
"""A demand dated less than this ago is about now."""


async def judge(
    encoded: str,
    expected_format: str,
    *,
    demand: Demand,
    against: Installation,
    clock: Clock,
    status: StatusDemand | None = None,
) -> Result:
    """Verify ``encoded`` as of ``demand.at``; hosts are asked, and the caches stand in for those that do not answer.

    The clock tells the real time, by which copies age. When ``demand.at`` lies in the past, status lists are left out:
    those of that day are not kept, and today's say nothing about it. The verdict is then undetermined at best.

    Raises:
        Unreachable: ``registry_unavailable``, the registry was never seen and does not answer.
        Malformed: ``registry_…``, what it serves cannot be used and nothing better was ever seen.
        Misconfigured: the root file, or a cache, cannot be used.
    """
    async with GuardedFetcher(clock, allow_loopback_http=against.allow_loopback_http) as fetcher:
        snapshot = await registry_client(against, fetcher, clock).refresh()
        is_past = demand.at < clock.now() - PRESENT
        cache = (_WithoutLists if is_past else StatusCache)(Path(against.status_cache), fetcher, clock)
        outcome = verify_held(
            encoded,
            demand=demand,
            status=status or StatusDemand(),
            snapshot=snapshot,
            expected_format=expected_format,
        )
        return await EvidenceShell(cache).settle(outcome)


def registry_client(against: Installation, fetcher: Fetcher, clock: Clock) -> RegistryClient:
    """Return the reader of the installation's registry.

    Raises:
        Misconfigured: the root file cannot be used.
    """
    root, cache = Path(against.registry_root_file), Path(against.registry_cache)
    return RegistryClient(against.registry_url, root, cache, fetcher=fetcher, clock=clock)


class _WithoutLists(StatusCache):
    """Documents, but no status lists."""

    async def get(self, uri: str, accept: Sequence[str], max_age_seconds: int | None = None) -> Obtained | NotObtained:
        if {TOKEN_LIST_TYPE, BITSTRING_LIST_TYPE}.intersection(accept):
            return NotObtained(code=Code.STATUS_UNAVAILABLE, detail="status lists of that day are not kept")
        return await super().get(uri, accept, max_age_seconds)
