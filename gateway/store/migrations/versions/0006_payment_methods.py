"""What pays is a card or another account, and may be kept for the next time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("card_json", new_column_name="instrument_json")
    with op.batch_alter_table("intents") as intents:
        intents.add_column(sa.Column("payment_method_types_json", sa.Text))
        intents.add_column(sa.Column("setup_future_usage", sa.String(11)))
    _create_payment_methods()
    op.create_table(
        "consents",
        sa.Column("payment_method", sa.String(64), primary_key=True),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("usage", sa.String(11), nullable=False),
        sa.Column("accepted_us", sa.BigInteger, nullable=False),
        sa.Column("text_version", sa.String(64)),
        sa.Column("sealed_context", sa.LargeBinary),
        sa.Column("effective_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
    )


def _create_payment_methods() -> None:
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("type", sa.String(10), nullable=False),
        sa.Column("token", sa.String(64)),
        sa.Column("surrogate", sa.String(64)),
        sa.Column("surrogate_digest", sa.LargeBinary(32)),
        sa.Column("provider", sa.String(64)),
        sa.Column("last4", sa.String(4)),
        sa.Column("test_risk", sa.String(8)),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("sealed_handle", sa.LargeBinary),
        sa.Column("customer", sa.String(255)),
        sa.Column("allow_redisplay", sa.String(11), nullable=False),
        sa.Column("metadata_json", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("detached_us", sa.BigInteger),
    )
    for column in ("token", "surrogate_digest", "subject"):
        op.create_index(f"ix_payment_methods_{column}", "payment_methods", [column])
    newest = ["merchant_id", "mode", "customer", "created_us", "id"]
    op.create_index("ix_payment_methods_newest", "payment_methods", newest)


def downgrade() -> None:
    op.drop_table("consents")
    op.drop_table("payment_methods")
    with op.batch_alter_table("intents") as intents:
        intents.drop_column("setup_future_usage")
        intents.drop_column("payment_method_types_json")
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("instrument_json", new_column_name="card_json")
