"""Whether an attempt's payer is there: who is not is never sent off to be authenticated."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    flag = sa.Column("off_session", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("attempts", flag)


def downgrade() -> None:
    with op.batch_alter_table("attempts") as changed:
        changed.drop_column("off_session")
