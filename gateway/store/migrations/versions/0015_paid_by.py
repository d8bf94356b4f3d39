"""Charges keep what was named to pay: of a card that is kept for a customer not its token."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("charges", sa.Column("payment_method", sa.String(64)))


def downgrade() -> None:
    with op.batch_alter_table("charges") as charges:
        charges.drop_column("payment_method")
