"""Authorizations by signing in, and the refresh tokens that come of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Offers made before are had by their pre-authorized code, and have no credential identifiers."""
    op.add_column("offers", sa.Column("by_sign_in", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("offers", sa.Column("authorization_id", sa.String(length=43), nullable=True))
    op.add_column("offers", sa.Column("identified_ids", sa.Text(), nullable=True))
    op.create_index(op.f("ix_offers_authorization_id"), "offers", ["authorization_id"], unique=False)
    op.create_table(
        "authorizations",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("configuration_ids", sa.Text(), nullable=False),
        sa.Column("identified_ids", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.String(length=43), nullable=False),
        sa.Column("client_key", sa.String(length=43), nullable=True),
        sa.Column("dpop_key", sa.String(length=43), nullable=True),
        sa.Column("browser_hash", sa.String(length=64), nullable=True),
        sa.Column("code_hash", sa.String(length=64), nullable=True),
        sa.Column("record_reference", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorizations")),
        sa.UniqueConstraint("request_hash", name=op.f("uq_authorizations_request_hash")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_authorizations_code_hash")),
    )
    op.create_index(op.f("ix_authorizations_expires_at"), "authorizations", ["expires_at"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("authorization_id", sa.String(length=43), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index(op.f("ix_refresh_tokens_authorization_id"), "refresh_tokens", ["authorization_id"], unique=False)
    op.create_index(op.f("ix_refresh_tokens_expires_at"), "refresh_tokens", ["expires_at"], unique=False)
