"""Authorizations and reviews expire, each mode's clock is kept."""

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
    op.execute("INSERT INTO clocks (mode) VALUES ('test')")


def downgrade() -> None:
    op.drop_table("clocks")
    op.drop_index("ix_reviews_due", "reviews")
    op.drop_index("ix_attempts_phase", "attempts")
    op.create_index("ix_attempts_phase", "attempts", ["phase"])
    with op.batch_alter_table("reviews") as reviews:
        reviews.drop_column("expires_us")
    with op.batch_alter_table("attempts") as attempts:
        attempts.drop_column("expires_us")
