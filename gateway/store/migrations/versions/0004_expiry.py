"""Authorizations and reviews expire, each mode's clock is kept; captured money is given back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("expires_us", sa.BigInteger()))
    op.add_column("reviews", sa.Column("expires_us", sa.BigInteger()))
    # What is authorized or held already ends in seven and in six days, as what this version confirms.
    op.execute("UPDATE attempts SET expires_us = moment_us + 604800000000 WHERE phase = 'authorized'")
    op.execute("UPDATE reviews SET expires_us = opened_us + 518400000000 WHERE closed_us IS NULL")
    op.drop_index("ix_attempts_phase", "attempts")
    op.create_index("ix_attempts_phase", "attempts", ["phase", "expires_us"])
    op.create_index("ix_reviews_due", "reviews", ["mode", "closed_us", "expires_us"])
    op.create_table(
        "clocks",
        sa.Column("mode", sa.String(4), primary_key=True),
        sa.Column("at_us", sa.BigInteger()),
    )
    op.add_column(
        "intents", sa.Column("amount_refunded_minor", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("payment_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    op.create_index("ix_refunds_status", "refunds", ["status", "since_us"])
    op.execute("INSERT INTO clocks (mode) VALUES ('test')")


def downgrade() -> None:
    op.drop_table("refunds")
    op.drop_table("clocks")
    with op.batch_alter_table("intents") as intents:
        intents.drop_column("amount_refunded_minor")
    op.drop_index("ix_reviews_due", "reviews")
    op.drop_index("ix_attempts_phase", "attempts")
    op.create_index("ix_attempts_phase", "attempts", ["phase"])
    with op.batch_alter_table("reviews") as reviews:
        reviews.drop_column("expires_us")
    with op.batch_alter_table("attempts") as attempts:
        attempts.drop_column("expires_us")
