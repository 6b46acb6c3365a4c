"""Refused requests of wallets, one by one, up to so many of a kind within an hour.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # where INTEGER has 64 bits anyway


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "refused_requests",
        sa.Column("id", _INSTANT, primary_key=True, autoincrement=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
    )
    op.create_index("ix_refused_requests_at", "refused_requests", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("refused_requests")
