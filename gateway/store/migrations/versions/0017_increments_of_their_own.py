"""A request's key names the increment that it asked for, and each refusal is kept, not only the latest."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("operation", sa.Integer))
    op.create_table(
        "refused_increments",
        sa.Column("attempt_id", sa.String(80), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("decline_code", sa.String(32), nullable=False),
    )
    op.execute(
        "INSERT INTO refused_increments (attempt_id, number, decline_code)"
        " SELECT id, operations, increment_decline FROM attempts WHERE increment_decline IS NOT NULL"
    )
    op.drop_column("attempts", "increment_decline")


def downgrade() -> None:
    op.add_column("attempts", sa.Column("increment_decline", sa.String(32)))
    op.drop_table("refused_increments")
    op.drop_column("idempotency_keys", "operation")
