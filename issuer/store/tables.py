"""The tables of an issuer. Alembic's history in ``issuer/migrations`` makes the same ones."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

offers = Table(
    "offers",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("authority", String(200), nullable=False),
    Column("type_slug", String(64), nullable=False),
    Column("type_version", Integer, nullable=False),
    Column("configuration_ids", Text, nullable=False),  # separated by a space
    Column("batch_size", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # open | approved | redeemed | dead | cancelled
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("transaction_code_hash", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("token_hash", String(64), unique=True),
    Column("token_expires_at", BigInteger),
    Column("token_key", String(43)),  # thumbprint of the key the token is bound to; null = a bearer token
    Column("client_id", String(200)),  # to whom the token was given; null = to an anonymous client
    Column("client_key", String(43)),  # thumbprint of that client's instance key; null = it has none
    Column("sealed_claims", LargeBinary),  # erased at erase_at
    Column("erase_at", BigInteger, nullable=False),
    Column("record_reference", String(200)),
    Column("number_index", String(64)),
    Column("name_index", String(64)),
    Column("credential_valid_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("by_sign_in", Boolean, nullable=False, server_default=false()),  # had by signing in, not by a code
    Column("authorization_id", String(43), index=True),  # the sign-in it came of
    Column("identified_ids", Text),  # configurations that have credential identifiers, separated by a space
    Column("decision", String(16)),  # null = none is needed; waiting | approved | denied
    Column("renews", String(43), index=True),  # the offer whose credentials are issued once more
    Index(None, "erase_at"),
    Index(None, "authority", "created_at"),
    # Few offers are decided about, and the others are not in this one; on PostgreSQL neither, as revision 0012 says (to
    # say it here would load that dialect at every start over SQLite).
    Index(
        "ix_offers_decision",
        "authority",
        "decision",
        "created_at",
        "id",
        sqlite_where=text("decision IS NOT NULL"),
    ),
)

authorizations = Table(
    "authorizations",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("authority", String(200), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("state", String(16), nullable=False),  # pushed | begun | signed_in | granted | redeemed | refused | revoked
    Column("request_hash", String(64), nullable=False, unique=True),
    Column("request", Text, nullable=False),  # as it was pushed
    Column("configuration_ids", Text, nullable=False),
    Column("identified_ids", Text, nullable=False),
    Column("offer_id", String(43), nullable=False),  # what the code gives: an offer of a clerk's, or one made for it
    Column("client_key", String(43)),  # thumbprint of the client's instance key; null = it has none
    Column("dpop_key", String(43)),  # thumbprint of the key the code and refresh tokens are bound to
    Column("browser_hash", String(64)),
    Column("code_hash", String(64), unique=True),
    Column("record_reference", String(200)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("authorization_id", String(43), nullable=False, index=True),
    Column("used_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

issuances = Table(
    "issuances",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("offer_id", String(43), ForeignKey("offers.id"), nullable=False),
    Column("configuration_id", String(120), nullable=False),
    Column("notification_id", String(43), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    Column("event", String(32)),  # the latest; all of them are in the audit log
    Column("signed_by", String(43)),  # thumbprint of the key; null = from before it was written down
    UniqueConstraint("offer_id", "configuration_id"),
)

status_lists = Table(
    "status_lists",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("authority", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("allocated", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("published_changes", BigInteger, nullable=False),  # behind `changes` = to be published (the outbox)
    Column("published_at", BigInteger),
    Column("republish_at", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False, server_default="0"),  # number of the newest publication that was begun
    UniqueConstraint("authority", "number"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(43), primary_key=True),
    Column("issuance_id", String(43), ForeignKey("issuances.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("authority", String(200), nullable=False),
    Column("type_slug", String(64), nullable=False),
    Column("type_version", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("list_id", Integer, ForeignKey("status_lists.id"), nullable=False),
    Column("status_index", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("status_reason", String(200)),
    Column("status_changed_at", BigInteger),
    Column("holder_digest", String(64)),  # erased with the claims
    Column("record_reference", String(200)),
    Column("number_index", String(64)),
    Column("name_index", String(64)),
    Column("issued_at", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    UniqueConstraint("list_id", "status_index"),
    UniqueConstraint("issuance_id", "position"),
    Index(None, "list_id", "status"),
    Index(None, "authority", "record_reference"),
    Index(None, "authority", "number_index"),
    Index(None, "authority", "name_index"),
    Index(None, "authority", "valid_until"),
)

nonces = Table(
    "nonces",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

dpop_proofs = Table(
    "dpop_proofs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

client_proofs = Table(
    "client_proofs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("kid", String(43), primary_key=True),
    Column("authority", String(200), nullable=False),
    Column("period", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),  # the row goes then, and nothing opens old requests
    UniqueConstraint("authority", "period"),
)

deferrals = Table(
    "deferrals",
    metadata,
    Column("offer_id", String(43), ForeignKey("offers.id"), nullable=False),
    Column("configuration_id", String(120), nullable=False),
    Column("holder_digests", Text, nullable=False),  # separated by a space
    Column("sealed_keys", LargeBinary),  # the public holder keys; erased when decided and delivered, or denied
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    PrimaryKeyConstraint("offer_id", "configuration_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("authority", String(200), nullable=False),
    Column("subject", String(43), nullable=False),  # id of an offer or credential, never of a person
    Index(None, "subject"),
    Index(None, "authority", "at"),
    Index(None, "authority", "id"),
)

carried_statuses = Table(  # after a restore: what the published lists say of credentials that have no record
    "carried_statuses",
    metadata,
    Column("list_id", Integer, ForeignKey("status_lists.id"), primary_key=True, autoincrement=False),
    Column("status_index", Integer, primary_key=True, autoincrement=False),
    Column("status", Integer, nullable=False),
)

restorations = Table(
    "restorations",
    metadata,
    Column("epoch", String(43), primary_key=True),  # random; nonces of an earlier epoch hold no longer
    Column("backup_id", String(43), nullable=False),
    Column("backup_at", BigInteger, nullable=False),
    Column("restored_at", BigInteger, nullable=False),
)
