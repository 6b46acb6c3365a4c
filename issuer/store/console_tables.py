"""The tables behind the clerk's console; Alembic's revision ``0006_console`` makes the same ones."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from issuer.store.tables import metadata

clerks = Table(
    "clerks",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("name", String(60), nullable=False, unique=True),
    Column("authority", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
)

clerk_sessions = Table(
    "clerk_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("clerk_id", String(43), ForeignKey("clerks.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("sealed_draft", LargeBinary),  # a form that was filled in and is being reviewed
    Column("sealed_search", LargeBinary),  # what was last searched for: personal, so sealed, and gone with the session
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("credential_id", String(43), ForeignKey("credentials.id"), nullable=False, index=True),
    Column("open_for", String(43), unique=True),  # the credential while it is not settled: one at a time
    Column("authority", String(200), nullable=False),
    Column("state", String(16), nullable=False),  # waiting | undoable | done | refused | undone
    Column("reason", String(200), nullable=False),
    Column("previous_status", Integer, nullable=False),
    Column("asked_by", String(100), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", BigInteger),
    Column("final_at", BigInteger),
    Index(None, "authority", "state"),
    Index(None, "state", "final_at"),
)

bulk_jobs = Table(
    "bulk_jobs",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("authority", String(200), nullable=False),
    Column("type_slug", String(64), nullable=False),
    Column("type_version", Integer, nullable=False),
    Column("file_digest", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),  # checked | running | done
    Column("created_by", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("erase_at", BigInteger, nullable=False, index=True),
    UniqueConstraint("authority", "type_slug", "type_version", "file_digest"),
)

bulk_rows = Table(
    "bulk_rows",
    metadata,
    Column("job_id", String(43), ForeignKey("bulk_jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # as the spreadsheet counts: the first row below the header is 2
    Column("state", String(16), nullable=False),  # ready | refused | repeated | offered
    Column("problems", Text, nullable=False),  # lines "claim: rule"; never a value
    Column("sealed_cells", LargeBinary),  # erased at the job's erase_at
    Column("row_digest", String(64), nullable=False, index=True),
    Column("offer_id", String(43), ForeignKey("offers.id")),
)

once = Table(
    "once",
    metadata,
    Column("key_digest", String(64), primary_key=True),
    Column("body_digest", String(64), nullable=False),
    Column("subject", String(43), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
