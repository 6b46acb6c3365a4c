"""Refused requests of wallets, counted (decision record 0029)."""

from comity.runtime.refusals import refusals_table
from issuer.store.tables import metadata

refusals = refusals_table(metadata)
