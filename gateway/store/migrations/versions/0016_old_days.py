"""Old days are found by an index, not among those of all merchants."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_index("ix_daily_totals_day", "daily_totals", ["mode", "day"])


def downgrade() -> None:
    op.drop_index("ix_daily_totals_day", "daily_totals")
