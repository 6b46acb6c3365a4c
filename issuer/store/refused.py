"""Refused requests of wallets: events, and counts (decision record 0036)."""

from comity.runtime.refusals import refusals_tables
from issuer.store.tables import metadata

REFUSALS = refusals_tables(metadata)
