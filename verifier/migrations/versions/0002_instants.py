"""Instants of 64 bits: on PostgreSQL the first tables held them in 32, which end in January 2038.

SQLite's INTEGER has 64 bits already, and rebuilding a table there would delete what refers to it.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANTS = {"requests": ("created_at", "expires_at", "fetched_at", "answered_at")}


def upgrade() -> None:
    """Widen every instant; PostgreSQL rewrites the tables under a lock."""
    _change(sa.BigInteger())


def downgrade() -> None:
    """Narrow them again; fails, and changes nothing, when an instant after January 2038 is stored."""
    _change(sa.Integer())


def _change(width: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, columns in INSTANTS.items():
        for column in columns:
            op.alter_column(table, column, type_=width)
