"""Requests.

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
    """Create the table of requests."""
    op.create_table(
        "requests",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("transaction_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("relying_party", sa.String(200), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("flow", sa.String(16), nullable=False),
        sa.Column("same_holder", sa.Boolean, nullable=False),
        sa.Column("client_id", sa.String(2048), nullable=False),
        sa.Column("nonce", sa.String(128), nullable=False),
        sa.Column("state", sa.String(128), nullable=False),
        sa.Column("response_mode", sa.String(32), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary, nullable=True),
        sa.Column("redirect_uri", sa.Text, nullable=True),
        sa.Column("response_code_hash", sa.String(64), nullable=True),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("fetched_at", sa.Integer, nullable=True),
        sa.Column("answered_at", sa.Integer, nullable=True),
        sa.Column("verdict", sa.String(16), nullable=True),
        sa.Column("codes", sa.Text, nullable=True),
        sa.Column("sealed_report", sa.LargeBinary, nullable=True),
    )
    op.create_index("requests_by_answer", "requests", ["answered_at"])


def downgrade() -> None:
    """Drop the table of requests."""
    op.drop_table("requests")
