"""Counters.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of counter devices and of what they checked."""
    op.create_table(
        "counter_devices",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("relying_party", sa.String(200), nullable=False),
        sa.Column("pairing_hash", sa.String(64), nullable=True, unique=True),
        sa.Column("pairing_until", sa.BigInteger, nullable=True),
        sa.Column("session_hash", sa.String(64), nullable=True, unique=True),
        sa.Column("seen_at", sa.BigInteger, nullable=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("clear_seconds", sa.Integer, nullable=False),
        sa.Column("sound", sa.Boolean, nullable=False),
    )
    op.create_table(
        "counter_checks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("relying_party", sa.String(200), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=True, unique=True),
        sa.Column("means", sa.String(16), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("signal", sa.String(8), nullable=True),
        sa.Column("verdict", sa.String(16), nullable=True),
        sa.Column("code", sa.String(64), nullable=True),
        sa.Column("issuer", sa.String(200), nullable=True),
        sa.Column("sealed_view", sa.LargeBinary, nullable=True),
    )
    op.create_index("counter_checks_by_party", "counter_checks", ["relying_party", "started_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("counter_checks")
    op.drop_table("counter_devices")
