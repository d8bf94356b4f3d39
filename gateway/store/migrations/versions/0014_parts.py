"""Parts that issuers approve: whether an intent keeps them, and of how much an attempt's may be one."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    flag = sa.Column("partial_authorization", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("intents", flag)
    op.add_column("attempts", sa.Column("asked_minor", sa.BigInteger))


def downgrade() -> None:
    for table, column in (("attempts", "asked_minor"), ("intents", "partial_authorization")):
        with op.batch_alter_table(table) as changed:
            changed.drop_column(column)
