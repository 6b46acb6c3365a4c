"""Runs the steps that Alembic asks for."""

from comity.runtime.alembic_history import run_environment
from issuer.store import metadata

run_environment(metadata)
