"""Runs the steps that Alembic asks for."""

from comity.runtime.migrations import run_environment
from issuer.store import metadata

run_environment(metadata)
