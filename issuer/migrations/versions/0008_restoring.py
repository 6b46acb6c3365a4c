"""What must outlive a restored backup: statuses without a record, and that there was a restore."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "carried_statuses",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"], ["status_lists.id"], name=op.f("fk_carried_statuses_list_id_status_lists")
        ),
        sa.PrimaryKeyConstraint("list_id", "status_index", name=op.f("pk_carried_statuses")),
    )
    op.create_table(
        "restorations",
        sa.Column("epoch", sa.String(length=43), nullable=False),
        sa.Column("backup_id", sa.String(length=43), nullable=False),
        sa.Column("backup_at", sa.BigInteger(), nullable=False),
        sa.Column("restored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_restorations")),
    )
