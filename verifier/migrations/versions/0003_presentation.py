"""What one request asks beyond its policy, and the browser that started it.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # where INTEGER has 64 bits anyway


def upgrade() -> None:
    """Add the columns; requests from before have neither particulars nor a browser of their own."""
    op.add_column("requests", sa.Column("sealed_particulars", sa.LargeBinary, nullable=True))
    op.add_column("requests", sa.Column("browser_hash", sa.String(64), nullable=True))
    op.add_column("requests", sa.Column("returned_at", _INSTANT, nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("returned_at", "browser_hash", "sealed_particulars"):
        op.drop_column("requests", name)
