"""Reviews by merchant and mode, newest first."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("ix_reviews_newest", "reviews", ["merchant_id", "mode", "opened_us", "id"])


def downgrade() -> None:
    op.drop_index("ix_reviews_newest", "reviews")
