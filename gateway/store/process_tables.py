"""Tables of who stands on the store: its home, the API processes, and how far each has read."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from gateway.store.tables import metadata

homes = Table("homes", metadata, Column("id", String(64), primary_key=True))
"""The one home whose store this is, where it is on a server."""

instances = Table(
    "instances",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("beats", BigInteger, nullable=False),
)

positions = Table(
    "instance_positions",
    metadata,
    Column("instance", String(64), primary_key=True),
    Column("topic", String(64), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)
