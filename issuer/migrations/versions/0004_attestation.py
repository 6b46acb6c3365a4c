"""Which client a token was given to, and proofs of clients that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tokens given out before were given to anonymous clients."""
    op.add_column("offers", sa.Column("client_id", sa.String(length=200), nullable=True))
    op.add_column("offers", sa.Column("client_key", sa.String(length=43), nullable=True))
    op.create_table(
        "client_proofs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_client_proofs")),
    )
    op.create_index(op.f("ix_client_proofs_expires_at"), "client_proofs", ["expires_at"], unique=False)
