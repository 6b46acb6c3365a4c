"""The national simulator runs, in its small mode, and its queue loses nothing."""

from random import Random

from benchmarks import nation
from benchmarks.nation import SMALL, Nation, report, simulate, traffic


def test_the_small_mode_reports_everything() -> None:
    text = report(SMALL)
    assert "500,000 credentials in 6 lists" in text
    assert "storm of 2,000" in text
    assert text.count("verifiers, read every") == 6


def test_every_revocation_is_published_and_none_before_it_was_made() -> None:
    queue = simulate(SMALL, [0.05], events=1000, seconds=600.0, random=Random(1))
    assert len(queue.delays) == 1000
    assert queue.delays[0] >= 0.05
    assert queue.delays[-1] <= 2 * (SMALL.gather_seconds + 0.05 * SMALL.lists)
    assert queue.written <= 1000
    assert abs(queue.cpu_seconds - 0.05 * queue.written) < 1e-6


def test_a_publisher_that_is_too_slow_shows() -> None:
    slow = simulate(SMALL, [30.0], events=100, seconds=60.0, random=Random(1))
    assert nation.at_share(slow.delays, 0.99) > 60


def test_traffic_grows_with_verifiers_and_falls_with_ttl() -> None:
    built = nation.Built(seconds=[0.05], token_bytes=[10_000], all_bytes=30_000, revoked=1)
    queue = simulate(SMALL, [0.05], events=100, seconds=600.0, random=Random(1))
    often, seldom = traffic(SMALL, built, queue, 300), traffic(SMALL, built, queue, 3600)
    more = traffic(Nation(people=100_000, list_size=1 << 17, verifiers=1000), built, queue, 300)
    assert often[0] > seldom[0]
    assert more[0] == 2 * often[0]
