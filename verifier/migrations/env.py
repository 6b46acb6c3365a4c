"""Run by Alembic; everything is in :mod:`comity.runtime.alembic_history`."""

from comity.runtime.alembic_history import run_environment
from verifier import counter_store  # noqa: F401  (its tables)
from verifier.bridge_store import metadata

run_environment(metadata)
