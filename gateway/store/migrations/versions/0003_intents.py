"""Idempotency keys; publishable API keys; what an intent says of itself; charges."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _of_intents() -> list[sa.Column[Any]]:
    return [
        sa.Column("confirmation_method", sa.String(9), nullable=False, server_default="automatic"),
        sa.Column("description", sa.String(1000)),
        sa.Column("statement_descriptor", sa.String(22)),
        sa.Column("capture_delay_hours", sa.Integer),
        sa.Column("capture_due_us", sa.BigInteger),
    ]


def _of_attempts() -> list[sa.Column[Any]]:
    return [
        sa.Column("capture_is_final", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("operations", sa.Integer, nullable=False, server_default="0"),
        sa.Column("increment_decline", sa.String(32)),
    ]


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("merchant_id", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(4), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("resource", sa.String(80), nullable=False),
        sa.Column("attempt", sa.Integer),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("claimed_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("sealed_body", sa.LargeBinary),
    )
    op.create_index("ix_idempotency_keys_resource", "idempotency_keys", ["resource"])
    op.create_index("ix_idempotency_keys_claimed_us", "idempotency_keys", ["claimed_us"])
    op.add_column("api_keys", sa.Column("publishable", sa.Boolean, nullable=False, server_default=sa.false()))
    for column in _of_intents():
        op.add_column("intents", column)
    op.create_index("ix_intents_capture_due_us", "intents", ["capture_due_us"])
    for column in _of_attempts():
        op.add_column("attempts", column)
    _charges()


def _charges() -> None:
    op.create_table(
        "charges",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("outcome_json", sa.Text),
        sa.Column("error_json", sa.Text),
    )
    op.create_index("ix_charges_payment_id", "charges", ["payment_id"])
    op.create_index("ix_charges_newest", "charges", ["merchant_id", "mode", "created_us", "id"])
    op.execute(
        "INSERT INTO charges (id, payment_id, number, merchant_id, mode, amount_minor, created_us) "
        "SELECT 'ch_' || substr(attempts.id, 4), payment_id, number, merchant_id, mode, amount_minor, "
        "moment_us FROM attempts JOIN intents ON intents.id = attempts.payment_id"
    )


def downgrade() -> None:
    op.drop_table("charges")
    with op.batch_alter_table("attempts") as batch:
        for column in _of_attempts():
            batch.drop_column(column.name)
    op.drop_index("ix_intents_capture_due_us", "intents")
    with op.batch_alter_table("intents") as batch:
        for column in _of_intents():
            batch.drop_column(column.name)
    with op.batch_alter_table("api_keys") as batch:
        batch.drop_column("publishable")
    op.drop_table("idempotency_keys")
