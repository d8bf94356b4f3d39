"""Positions in topics as rows: how far each instance has read and dealt with what it read."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from events.log.port import TopicPartition
from gateway.store.by_key import ByKey, fetch
from gateway.store.process_tables import positions

_POSITIONS = ByKey(positions, "instance", "topic", "partition")


def load_positions(connection: Connection, instance: str, topic: str) -> dict[int, int]:
    """Partition → the next offset to read, for each partition that the instance ever kept."""
    query = select(positions.c.partition, positions.c.next_offset).where(
        positions.c.instance == instance, positions.c.topic == topic
    )
    return {row.partition: row.next_offset for row in connection.execute(query)}


def save_positions(connection: Connection, instance: str, reached: Mapping[TopicPartition, int]) -> None:
    """Keep the next offset of each of these partitions."""
    fetch(connection, [_POSITIONS.wanted(instance, *place) for place in reached])
    for (topic, partition), offset in reached.items():
        row = {"instance": instance, "topic": topic, "partition": partition, "next_offset": offset}
        is_known = _POSITIONS.find(connection, instance, topic, partition) is not None
        (_POSITIONS.update if is_known else _POSITIONS.insert)(connection, row)
