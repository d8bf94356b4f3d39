"""Where a receipt goes, sealed and found by its keyed hash; and indexes that lead searches."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0008"

_SEARCHED = ("customer", "token", "receipt_email_digest")


def upgrade() -> None:
    op.add_column("intents", sa.Column("sealed_receipt_email", sa.LargeBinary))
    op.add_column("intents", sa.Column("receipt_email_digest", sa.LargeBinary(32)))
    for column in _SEARCHED:
        there = sa.text(f"{column} IS NOT NULL")
        name = f"ix_intents_{column}"
        op.create_index(name, "intents", [column], sqlite_where=there, postgresql_where=there)


def downgrade() -> None:
    for column in _SEARCHED:
        op.drop_index(f"ix_intents_{column}", "intents")
    with op.batch_alter_table("intents") as intents:
        intents.drop_column("receipt_email_digest")
        intents.drop_column("sealed_receipt_email")
