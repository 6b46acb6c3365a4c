"""Access tokens that are bound to a key, and proofs that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tokens given out before stay bearer tokens: they have no key."""
    op.add_column("offers", sa.Column("token_key", sa.String(length=43), nullable=True))
    op.create_table(
        "dpop_proofs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_dpop_proofs")),
    )
    op.create_index(op.f("ix_dpop_proofs_expires_at"), "dpop_proofs", ["expires_at"], unique=False)
