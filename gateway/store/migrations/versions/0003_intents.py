"""Idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


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


def downgrade() -> None:
    op.drop_table("idempotency_keys")
