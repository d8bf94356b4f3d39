"""Merchants' states and settings, what they were paid each day, and their people."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("merchants", sa.Column("status", sa.String(16), nullable=False, server_default="active"))
    op.add_column("merchants", sa.Column("settings_json", sa.Text, nullable=False, server_default="{}"))
    op.add_column("attempts", sa.Column("counted_day", sa.Integer))
    op.create_table(
        "daily_totals",
        sa.Column("merchant_id", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(4), primary_key=True),
        sa.Column("currency", sa.String(3), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("earlier_json", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("locked_until_us", sa.BigInteger),
        sa.Column("disabled_us", sa.BigInteger),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("users")
    op.drop_table("daily_totals")
    op.drop_column("attempts", "counted_day")
    op.drop_column("merchants", "settings_json")
    op.drop_column("merchants", "status")
