"""Positions in topics as rows: how far the gateway has read and dealt with what it read."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from events.log.port import TopicPartition
from gateway.store.tables import positions


def load_positions(connection: Connection, topic: str) -> dict[int, int]:
    """Partition → the next offset to read, for each partition that was ever kept."""
    query = select(positions.c.partition, positions.c.next_offset).where(positions.c.topic == topic)
    return {row.partition: row.next_offset for row in connection.execute(query)}


def save_positions(connection: Connection, reached: Mapping[TopicPartition, int]) -> None:
    """Keep the next offset of each of these partitions."""
    for (topic, partition), offset in reached.items():
        known = update(positions).where(positions.c.topic == topic, positions.c.partition == partition)
        if not connection.execute(known, {"next_offset": offset}).rowcount:
            row = {"topic": topic, "partition": partition, "next_offset": offset}
            connection.execute(insert(positions), row)
