"""What is made of measured flows, and that the CPU of a service is that of all its processes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.check import committed
from benchmarks.flow_client import repeat
from benchmarks.flows import Measured, cpu_seconds, percentile, rows, table

RUN = Measured(
    what="issuance", database="PostgreSQL", workers=1, per_second=31.0, p50_ms=200, p99_ms=390, cpu_ms=20, failed=0
)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_percentiles_are_values_that_came(share: float, value: float) -> None:
    assert percentile([float(each) for each in range(1, 101)], share) == value


def test_two_workers_are_compared_with_one() -> None:
    found = [RUN, replace(RUN, workers=2, cpu_ms=22), replace(RUN, database="SQLite")]
    (row,) = rows(found)
    assert row.ratio == pytest.approx(1.1)
    assert rows([RUN]) == []


def test_the_table_tells_every_run_and_is_not_read_as_ratios() -> None:
    told = table([RUN, replace(RUN, failed=3)], "Busy.")
    assert "| issuance | PostgreSQL | 1 | 31.0 | 200 | 390 | 20.0 | 3 |" in told
    assert committed(told) == {}


def test_cpu_of_a_process_holds_that_of_its_children() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\n"
    wait = "print(1, flush=True)\ninput()"
    child = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {busy + wait!r}]).wait()"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert cpu_seconds(process.pid) >= 0.25
        process.communicate(b"\n")
    assert cpu_seconds(os.getpid()) > 0


async def test_every_flow_is_counted_and_a_failure_is_told() -> None:
    numbers = iter(range(10))

    async def flow() -> None:
        if next(numbers) == 4:
            raise ValueError("no")

    seconds, took, failed = await repeat(flow, flows=10, at_once=3)
    assert (len(took), failed) == (10, 1)
    assert seconds >= 0
