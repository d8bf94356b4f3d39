"""Attempts that were under way get the end of the authorization that they may come to.

It is set when an attempt is confirmed; before, it was set when it was authorized.
"""

from alembic import op

revision = "0013"
down_revision = "0011"

_SEVEN_DAYS_US = 7 * 24 * 3600 * 1_000_000


def upgrade() -> None:
    op.execute(
        f"UPDATE attempts SET expires_us = moment_us + {_SEVEN_DAYS_US}"  # noqa: S608  # a number
        " WHERE expires_us IS NULL AND phase IN ('assessing', 'awaiting_payer')"
    )


def downgrade() -> None:
    """What an attempt without an end was is not known any more, and an end harms nobody."""
