"""Whose store it is: a database on a server belongs to one home."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0012"


def upgrade() -> None:
    op.create_table("homes", sa.Column("id", sa.String(64), primary_key=True))


def downgrade() -> None:
    op.drop_table("homes")
