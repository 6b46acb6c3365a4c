"""Run by Alembic; everything is in :mod:`comity.runtime.alembic_history`."""

from comity.runtime.alembic_history import run_environment
from verifier.counter_store import metadata

run_environment(metadata)
