"""Refused protocol requests, counted by the hour."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # where INTEGER has 64 bits anyway


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "refusals",
        sa.Column("hour", _INSTANT, nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("error", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("first_at", _INSTANT, nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("times", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hour", "scope", "endpoint", "error", "code", name=op.f("pk_refusals")),
    )
