"""Citizens, key slots, tries, sessions, sealed records.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the five tables."""
    op.create_table(
        "citizens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("created_at", sa.Integer, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("name_digest", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("waits_until", sa.Integer, nullable=False),
        sa.Column("last_at", sa.Integer, nullable=False),
    )
    op.create_table(
        "slots",
        sa.Column("citizen", sa.String(64), sa.ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("citizen", "kind"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("citizen", sa.String(64), sa.ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("ends_at", sa.Integer, nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("citizen", sa.String(64), sa.ForeignKey("citizens.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("citizen", "kind", "id"),
    )


def downgrade() -> None:
    """Drop the five tables."""
    for table in ("records", "sessions", "slots", "attempts", "citizens"):
        op.drop_table(table)
