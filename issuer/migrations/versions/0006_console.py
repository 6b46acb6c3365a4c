"""What the clerk's console remembers: clerks, their sessions, revocations under way, files of many rows."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = (
    ("offers", ("authority", "created_at")),
    ("credentials", ("authority", "valid_until")),
    ("audit", ("subject",)),
    ("audit", ("authority", "at")),
)
"""On tables that were there before."""


def upgrade() -> None:
    """Make the tables and the indexes that the lists of the console read by."""
    _make_clerks()
    _make_revocations()
    _make_bulk()
    op.create_table(
        "once",
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=43), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_digest", name=op.f("pk_once")),
    )
    _index("once", "expires_at")
    for table, columns in _INDEXES:
        _index(table, *columns)


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def _make_clerks() -> None:
    op.create_table(
        "clerks",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clerks")),
        sa.UniqueConstraint("name", name=op.f("uq_clerks_name")),
    )
    op.create_table(
        "clerk_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("clerk_id", sa.String(length=43), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed_draft", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_search", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["clerk_id"], ["clerks.id"], name=op.f("fk_clerk_sessions_clerk_id_clerks")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_clerk_sessions")),
    )
    _index("clerk_sessions", "clerk_id")


def _make_revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("credential_id", sa.String(length=43), nullable=False),
        sa.Column("open_for", sa.String(length=43), nullable=True),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("previous_status", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("final_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name=op.f("fk_revocations_credential_id_credentials")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
        sa.UniqueConstraint("open_for", name=op.f("uq_revocations_open_for")),
    )
    _index("revocations", "credential_id")
    _index("revocations", "authority", "state")
    _index("revocations", "state", "final_at")


def _make_bulk() -> None:
    op.create_table(
        "bulk_jobs",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("type_slug", sa.String(length=64), nullable=False),
        sa.Column("type_version", sa.Integer(), nullable=False),
        sa.Column("file_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("erase_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_jobs")),
        sa.UniqueConstraint(
            "authority",
            "type_slug",
            "type_version",
            "file_digest",
            name=op.f("uq_bulk_jobs_authority_type_slug_type_version_file_digest"),
        ),
    )
    _index("bulk_jobs", "erase_at")
    op.create_table(
        "bulk_rows",
        sa.Column("job_id", sa.String(length=43), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("sealed_cells", sa.LargeBinary(), nullable=True),
        sa.Column("row_digest", sa.String(length=64), nullable=False),
        sa.Column("offer_id", sa.String(length=43), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["bulk_jobs.id"], name=op.f("fk_bulk_rows_job_id_bulk_jobs")),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_bulk_rows_offer_id_offers")),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_bulk_rows")),
    )
    _index("bulk_rows", "row_digest")
