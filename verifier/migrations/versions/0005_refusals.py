"""Refused answers and requests of wallets, counted by the hour.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # where INTEGER has 64 bits anyway


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "refusals",
        sa.Column("hour", _INSTANT, primary_key=True, autoincrement=False),
        sa.Column("scope", sa.String(200), primary_key=True),
        sa.Column("endpoint", sa.String(64), primary_key=True),
        sa.Column("error", sa.String(64), primary_key=True),
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("first_at", _INSTANT, nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("times", _INSTANT, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("refusals")
