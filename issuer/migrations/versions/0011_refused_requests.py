"""Refused requests of wallets, one by one, up to so many of a kind within an hour.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # where INTEGER has 64 bits anyway


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "refused_requests",
        sa.Column("id", _INSTANT, autoincrement=True, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_requests")),
    )
    op.create_index("ix_refused_requests_at", "refused_requests", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("refused_requests")
