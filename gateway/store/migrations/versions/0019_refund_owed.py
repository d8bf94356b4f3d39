"""The mark of a payment whose money has to go back is named after that, not after one of three reasons."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("ALTER TABLE intents RENAME COLUMN late_block_after_capture TO refund_owed")


def downgrade() -> None:
    op.execute("ALTER TABLE intents RENAME COLUMN refund_owed TO late_block_after_capture")
