"""Tables of the operational store, in types that SQLite and PostgreSQL share.

Times are integer microseconds since 1970 UTC (business time), amounts integer minor units, JSON is text.
No table has a column for a card number, a security code or a key in the clear.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    column,
    false,
    true,
)

metadata = MetaData()

# SQLite only numbers rows by itself where the type is its own INTEGER.
_Serial = BigInteger().with_variant(Integer(), "sqlite")


def _where_there_is(prefix: str, name: str) -> Index:
    """An index of what most rows do not have."""
    there = column(name).is_not(None)
    return Index(f"{prefix}_{name}", name, sqlite_where=there, postgresql_where=there)


merchants = Table(
    "merchants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("category", String(4)),
    Column("country", String(2)),
    Column("status", String(16), nullable=False, server_default="active"),
    Column("settings_json", Text, nullable=False, server_default="{}"),
    Column("created_us", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("merchant_id", String(64), nullable=False),
    Column("mode", String(4), nullable=False),
    # Argon2id, the latest and those that it may not be again.
    Column("password", String(255), nullable=False),
    Column("earlier_json", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until_us", BigInteger),
    Column("disabled_us", BigInteger),
    Column("created_us", BigInteger, nullable=False),
)

daily_totals = Table(
    "daily_totals",
    metadata,
    Column("merchant_id", String(64), primary_key=True),
    Column("mode", String(4), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("amount_minor", BigInteger, nullable=False),
    Index("ix_daily_totals_day", "mode", "day"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("merchant_id", String(64), nullable=False, index=True),
    Column("mode", String(4), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("publishable", Boolean, nullable=False, default=False, server_default=false()),
    Column("ending", String(4), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("merchant_id", String(64), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("surrogate_digest", LargeBinary(32), nullable=False, index=True),
    Column("bin", String(8), nullable=False),
    Column("last4", String(4), nullable=False),
    Column("brand", String(32), nullable=False),
    Column("funding", String(8), nullable=False),
    Column("issuer_country", String(2)),
    Column("exp_month", Integer, nullable=False),
    Column("exp_year", Integer, nullable=False),
    Column("test_risk", String(8)),
    Column("created_us", BigInteger, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("merchant_id", String(64), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("status", String(32), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("capture_method", String(9), nullable=False),
    Column("amount_capturable_minor", BigInteger, nullable=False, default=0),
    Column("amount_received_minor", BigInteger, nullable=False, default=0),
    Column("token", String(64)),
    Column("customer", String(255)),
    Column("confirmation_method", String(9), nullable=False, default="automatic", server_default="automatic"),
    Column("description", String(1000)),
    Column("statement_descriptor", String(22)),
    Column("capture_delay_hours", Integer),
    # Until it is captured, or will not be any more.
    Column("capture_due_us", BigInteger, index=True),
    Column("metadata_json", Text, nullable=False),
    Column("payment_method_types_json", Text),
    Column("setup_future_usage", String(11)),
    Column("partial_authorization", Boolean, nullable=False, default=False, server_default=false()),
    Column("subject", String(64), nullable=False, index=True),
    Column("sealed_context", LargeBinary),
    Column("sealed_receipt_email", LargeBinary),
    # Its keyed hash, for searches.
    Column("receipt_email_digest", LargeBinary(32)),
    Column("outcome_json", Text),
    Column("last_error_json", Text),
    Column("review_id", String(64)),
    Column("cancellation_reason", String(32)),
    Column("canceled_us", BigInteger),
    Column("return_url", String(2048)),
    Column("next_action_json", Text),
    Column("not_assessed", Boolean, nullable=False, default=False),
    Column("amount_refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("refund_owed", Boolean, nullable=False, default=False, server_default=false()),
    Column("attempts", Integer, nullable=False, default=0),
    Column("sequence", Integer, nullable=False, default=0),
    Column("version", Integer, nullable=False, default=0),
    Column("created_us", BigInteger, nullable=False),
    Index("ix_intents_newest", "merchant_id", "mode", "created_us", "id"),
    *(_where_there_is("ix_intents", name) for name in ("customer", "token", "receipt_email_digest")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("payment_id", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("moment_us", BigInteger, nullable=False),
    Column("instrument_json", Text, nullable=False),
    Column("context_json", Text, nullable=False),
    Column("test_risk", String(8)),
    Column("off_session", Boolean, nullable=False, default=False, server_default=false()),
    Column("assessed", Boolean),
    Column("decision_id", String(64)),
    Column("approval_code", String(16)),
    Column("network_reference", String(64)),
    Column("capture_minor", BigInteger),
    Column("capture_is_final", Boolean, nullable=False, default=True, server_default=true()),
    Column("operations", Integer, nullable=False, default=0, server_default="0"),
    # When the capture or void that is owed, or was, began: its name is older than that.
    Column("ended_us", BigInteger),
    Column("counted_day", Integer),
    # What the issuer may approve a part of.
    Column("asked_minor", BigInteger),
    Column("decision_json", Text),
    Column("payer_until_us", BigInteger),
    # The instance that drives it on.
    Column("owner", String(64), nullable=False, server_default=""),
    # When the authorization ends that nobody captures or voids.
    Column("expires_us", BigInteger),
    UniqueConstraint("payment_id", "number"),
    Index("ix_attempts_phase", "phase", "expires_us"),
)

refused_increments = Table(
    "refused_increments",
    metadata,
    Column("attempt_id", String(80), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("decline_code", String(32), nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("payment_id", String(64), nullable=False, index=True),
    Column("merchant_id", String(64), nullable=False),
    Column("mode", String(4), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("closed_reason", String(32)),
    # When it ends unless somebody closes it.
    Column("expires_us", BigInteger),
    Index("ix_reviews_newest", "merchant_id", "mode", "opened_us", "id"),
    Index("ix_reviews_due", "mode", "closed_us", "expires_us"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("payment_id", String(64), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Index("ix_refunds_status", "status", "since_us"),
)

labels = Table(
    "labels",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("payment_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("fraud", Boolean),
    Column("reported_us", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    UniqueConstraint("payment_id", "kind", "source", "ordinal"),
)

clocks = Table(
    "clocks",
    metadata,
    Column("mode", String(4), primary_key=True),
    Column("at_us", BigInteger),
    # Grows with each reset, so that running processes follow it back.
    Column("resets", Integer, nullable=False, server_default="0"),
)

subject_keys = Table(
    "subject_keys",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

surrogates = Table(
    "surrogates",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("surrogate", String(64), nullable=False),
)

subject_surrogates = Table(
    "subject_surrogates",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("topic", String(64), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    # Without it SQLite gives the number of a deleted last row again, which the relay has already passed.
    sqlite_autoincrement=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("merchant_id", String(64), primary_key=True),
    Column("mode", String(4), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("resource", String(80), nullable=False, index=True),
    Column("attempt", Integer),
    Column("operation", Integer),
    Column("at_us", BigInteger, nullable=False),
    # Of the wall clock: callers send again by that, whatever a test clock says.
    Column("claimed_us", BigInteger, nullable=False, index=True),
    Column("status", Integer),
    Column("sealed_body", LargeBinary),
)
