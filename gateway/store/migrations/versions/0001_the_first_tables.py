"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "merchants",
    "api_keys",
    "subject_keys",
    "surrogates",
    "subject_surrogates",
    "tokens",
    "intents",
    "attempts",
    "reviews",
    "labels",
    "outbox",
    "positions",
)


def upgrade() -> None:
    _people()
    _tokens()
    _intents()
    _attempts()
    _reports()


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)


def _people() -> None:
    op.create_table(
        "merchants",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("category", sa.String(4)),
        sa.Column("country", sa.String(2)),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("ending", sa.String(4), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("ix_api_keys_merchant_id", "api_keys", ["merchant_id"])

    op.create_table(
        "subject_keys",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )

    op.create_table(
        "surrogates",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )

    op.create_table(
        "subject_surrogates",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("subject", "digest"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("surrogate_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("bin", sa.String(8), nullable=False),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("brand", sa.String(32), nullable=False),
        sa.Column("funding", sa.String(8), nullable=False),
        sa.Column("issuer_country", sa.String(2)),
        sa.Column("exp_month", sa.Integer(), nullable=False),
        sa.Column("exp_year", sa.Integer(), nullable=False),
        sa.Column("test_risk", sa.String(8)),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tokens_surrogate_digest", "tokens", ["surrogate_digest"])


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("capture_method", sa.String(9), nullable=False),
        sa.Column("amount_capturable_minor", sa.BigInteger(), nullable=False),
        sa.Column("amount_received_minor", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(64)),
        sa.Column("customer", sa.String(255)),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("sealed_context", sa.LargeBinary()),
        sa.Column("outcome_json", sa.Text()),
        sa.Column("last_error_json", sa.Text()),
        sa.Column("review_id", sa.String(64)),
        sa.Column("cancellation_reason", sa.String(32)),
        sa.Column("canceled_us", sa.BigInteger()),
        sa.Column("not_assessed", sa.Boolean(), nullable=False),
        sa.Column("late_block_after_capture", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_intents_newest", "intents", ["merchant_id", "mode", "created_us", "id"])
    op.create_index("ix_intents_subject", "intents", ["subject"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("moment_us", sa.BigInteger(), nullable=False),
        sa.Column("card_json", sa.Text(), nullable=False),
        sa.Column("context_json", sa.Text(), nullable=False),
        sa.Column("test_risk", sa.String(8)),
        sa.Column("assessed", sa.Boolean()),
        sa.Column("decision_id", sa.String(64)),
        sa.Column("approval_code", sa.String(16)),
        sa.Column("network_reference", sa.String(64)),
        sa.Column("capture_minor", sa.BigInteger()),
        sa.Column("ended_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("payment_id", "number"),
    )
    op.create_index("ix_attempts_phase", "attempts", ["phase"])

    op.create_table(
        "reviews",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger()),
        sa.Column("closed_reason", sa.String(32)),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_reviews_payment_id", "reviews", ["payment_id"])


def _reports() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("fraud", sa.Boolean()),
        sa.Column("reported_us", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("payment_id", "kind", "source", "ordinal"),
    )

    op.create_table(
        "outbox",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )

    op.create_table(
        "positions",
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
