"""The first tables, and an audit log that only grows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything."""
    _make_audit()
    _make_nonces()
    _make_offers()
    _make_status_lists()
    _make_issuances()
    _make_credentials()
    _make_audit_append_only()


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=43), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )


def _make_nonces() -> None:
    op.create_table(
        "nonces",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_nonces")),
    )
    op.create_index(op.f("ix_nonces_expires_at"), "nonces", ["expires_at"], unique=False)


def _make_offers() -> None:
    op.create_table(
        "offers",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("type_slug", sa.String(length=64), nullable=False),
        sa.Column("type_version", sa.Integer(), nullable=False),
        sa.Column("configuration_ids", sa.Text(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("transaction_code_hash", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("token_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("sealed_claims", sa.LargeBinary(), nullable=True),
        sa.Column("erase_at", sa.BigInteger(), nullable=False),
        sa.Column("record_reference", sa.String(length=200), nullable=True),
        sa.Column("number_index", sa.String(length=64), nullable=True),
        sa.Column("name_index", sa.String(length=64), nullable=True),
        sa.Column("credential_valid_until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_offers_code_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_offers_token_hash")),
    )
    op.create_index(op.f("ix_offers_erase_at"), "offers", ["erase_at"], unique=False)


def _make_status_lists() -> None:
    op.create_table(
        "status_lists",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("allocated", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("published_changes", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("republish_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_lists")),
        sa.UniqueConstraint("authority", "number", name=op.f("uq_status_lists_authority_number")),
    )


def _make_issuances() -> None:
    op.create_table(
        "issuances",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("offer_id", sa.String(length=43), nullable=False),
        sa.Column("configuration_id", sa.String(length=120), nullable=False),
        sa.Column("notification_id", sa.String(length=43), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_issuances_offer_id_offers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuances")),
        sa.UniqueConstraint("notification_id", name=op.f("uq_issuances_notification_id")),
        sa.UniqueConstraint("offer_id", "configuration_id", name=op.f("uq_issuances_offer_id_configuration_id")),
    )


def _make_credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("issuance_id", sa.String(length=43), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("type_slug", sa.String(length=64), nullable=False),
        sa.Column("type_version", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("status_reason", sa.String(length=200), nullable=True),
        sa.Column("status_changed_at", sa.BigInteger(), nullable=True),
        sa.Column("holder_digest", sa.String(length=64), nullable=True),
        sa.Column("record_reference", sa.String(length=200), nullable=True),
        sa.Column("number_index", sa.String(length=64), nullable=True),
        sa.Column("name_index", sa.String(length=64), nullable=True),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["issuance_id"], ["issuances.id"], name=op.f("fk_credentials_issuance_id_issuances")),
        sa.ForeignKeyConstraint(["list_id"], ["status_lists.id"], name=op.f("fk_credentials_list_id_status_lists")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("issuance_id", "position", name=op.f("uq_credentials_issuance_id_position")),
        sa.UniqueConstraint("list_id", "status_index", name=op.f("uq_credentials_list_id_status_index")),
    )
    op.create_index(
        op.f("ix_credentials_authority_name_index"), "credentials", ["authority", "name_index"], unique=False
    )
    op.create_index(
        op.f("ix_credentials_authority_number_index"), "credentials", ["authority", "number_index"], unique=False
    )
    op.create_index(
        op.f("ix_credentials_authority_record_reference"),
        "credentials",
        ["authority", "record_reference"],
        unique=False,
    )
    op.create_index(op.f("ix_credentials_issuance_id"), "credentials", ["issuance_id"], unique=False)
    op.create_index(op.f("ix_credentials_list_id_status"), "credentials", ["list_id", "status"], unique=False)


def _make_audit_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{action.lower()} BEFORE {action} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
    )
