"""Run by Alembic; everything is in :mod:`comity.runtime.migrations`."""

from comity.runtime.migrations import run_environment
from verifier.counter_store import metadata

run_environment(metadata)
