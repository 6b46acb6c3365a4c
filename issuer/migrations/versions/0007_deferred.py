"""Decisions that take time, credentials that are issued once more, and keys of encrypted requests."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Offers made before need no decision and renew nothing."""
    op.add_column("offers", sa.Column("decision", sa.String(length=16), nullable=True))
    op.add_column("offers", sa.Column("renews", sa.String(length=43), nullable=True))
    op.create_index(op.f("ix_offers_renews"), "offers", ["renews"], unique=False)
    op.create_table(
        "deferrals",
        sa.Column("offer_id", sa.String(length=43), nullable=False),
        sa.Column("configuration_id", sa.String(length=120), nullable=False),
        sa.Column("holder_digests", sa.Text(), nullable=False),
        sa.Column("sealed_keys", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_deferrals_offer_id_offers")),
        sa.PrimaryKeyConstraint("offer_id", "configuration_id", name=op.f("pk_deferrals")),
    )
    op.create_table(
        "encryption_keys",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("period", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_encryption_keys")),
        sa.UniqueConstraint("authority", "period", name=op.f("uq_encryption_keys_authority_period")),
    )
    op.create_index(op.f("ix_encryption_keys_expires_at"), "encryption_keys", ["expires_at"], unique=False)
