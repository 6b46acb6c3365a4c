"""A number for each publication of a status list, so that an older one never replaces a newer one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lists published before have none; the next publication takes the first."""
    op.add_column("status_lists", sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False))
