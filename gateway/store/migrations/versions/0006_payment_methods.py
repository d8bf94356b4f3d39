"""What pays is a card or another account."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("card_json", new_column_name="instrument_json")


def downgrade() -> None:
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("instrument_json", new_column_name="card_json")
