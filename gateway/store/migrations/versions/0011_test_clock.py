"""How often test mode's clock was reset, so that running processes see that it went back."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("clocks", sa.Column("resets", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("clocks") as clocks:
        clocks.drop_column("resets")
