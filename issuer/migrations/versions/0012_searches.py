"""What was read through and not searched for: offers that wait for a decision, pages of the audit log, files under way.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes; few offers are decided about, and the others are not in theirs."""
    op.create_index(
        "ix_offers_decision",
        "offers",
        ["authority", "decision", "created_at", "id"],
        sqlite_where=sa.text("decision IS NOT NULL"),
        postgresql_where=sa.text("decision IS NOT NULL"),
    )
    op.create_index("ix_audit_authority_id", "audit", ["authority", "id"])
    op.create_index("ix_bulk_jobs_state", "bulk_jobs", ["state"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_bulk_jobs_state", "bulk_jobs")
    op.drop_index("ix_audit_authority_id", "audit")
    op.drop_index("ix_offers_decision", "offers")
