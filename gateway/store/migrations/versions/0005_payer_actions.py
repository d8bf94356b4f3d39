"""What a payer has to do, where they come back to, and what is decided of the attempt that waits for them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("intents", sa.Column("return_url", sa.String(2048)))
    op.add_column("intents", sa.Column("next_action_json", sa.Text))
    op.add_column("attempts", sa.Column("decision_json", sa.Text))
    op.add_column("attempts", sa.Column("payer_until_us", sa.BigInteger))


def downgrade() -> None:
    for table, names in (
        ("intents", ("return_url", "next_action_json")),
        ("attempts", ("decision_json", "payer_until_us")),
    ):
        with op.batch_alter_table(table) as batch:
            for name in names:
                batch.drop_column(name)
