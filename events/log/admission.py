"""What may be appended, checked before anything is written: the topic, the partition, the size."""

from events.errors import RecordTooLargeError, UnknownTopicError
from events.log.partitioner import partition_of
from events.log.port import Outgoing, TopicPartition
from events.topics import RECORD_BYTES_MAX, topic_named


def admitted(record: Outgoing) -> TopicPartition:
    """Where the record goes; raises `UnknownTopicError` or `RecordTooLargeError`."""
    topic = topic_named(record.topic)
    size_bytes = len(record.key) + len(record.value or b"")
    if size_bytes > RECORD_BYTES_MAX:
        raise RecordTooLargeError(f"a record for {topic.name} has {size_bytes} bytes, {RECORD_BYTES_MAX} fit")
    if record.partition is None:
        return TopicPartition(topic.name, partition_of(record.key, topic.partitions))
    return declared(TopicPartition(topic.name, record.partition))


def declared(partition: TopicPartition) -> TopicPartition:
    """The same partition, if it is declared; raises `UnknownTopicError`."""
    if not 0 <= partition.partition < topic_named(partition.topic).partitions:
        raise UnknownTopicError(f"{partition.topic} has no partition {partition.partition}")
    return partition
