"""Several API processes on one store: who they are, whose each attempt is, and how far each has read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "instances",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("attempts", sa.Column("owner", sa.String(64), server_default="", nullable=False))
    op.create_table(
        "instance_positions",
        sa.Column("instance", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instance", "topic", "partition"),
    )
    # Nobody has the empty name: the first to start takes over what it had.
    op.execute(
        "INSERT INTO instance_positions (instance, topic, partition, next_offset) "
        "SELECT '', topic, partition, next_offset FROM positions"
    )
    op.drop_table("positions")


def downgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    # What one process has yet to read is read again by all.
    op.execute(
        "INSERT INTO positions (topic, partition, next_offset) "
        "SELECT topic, partition, MIN(next_offset) FROM instance_positions GROUP BY topic, partition"
    )
    op.drop_table("instance_positions")
    with op.batch_alter_table("attempts") as attempts:
        attempts.drop_column("owner")
    op.drop_table("instances")
