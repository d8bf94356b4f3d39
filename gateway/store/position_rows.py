"""Positions in topics as rows: how far each instance has read and dealt with what it read."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from events.log.port import TopicPartition
from gateway.store.process_tables import positions


def load_positions(connection: Connection, instance: str, topic: str) -> dict[int, int]:
    """Partition → the next offset to read, for each partition that the instance ever kept."""
    query = select(positions.c.partition, positions.c.next_offset).where(
        positions.c.instance == instance, positions.c.topic == topic
    )
    return {row.partition: row.next_offset for row in connection.execute(query)}


def save_positions(connection: Connection, instance: str, reached: Mapping[TopicPartition, int]) -> None:
    """Keep the next offset of each of these partitions."""
    for (topic, partition), offset in reached.items():
        key = {"instance": instance, "topic": topic, "partition": partition}
        known = update(positions).where(*(positions.c[name] == value for name, value in key.items()))
        if not connection.execute(known, {"next_offset": offset}).rowcount:
            connection.execute(insert(positions), {**key, "next_offset": offset})
