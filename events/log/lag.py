"""How far a reader is behind the log, for `/metrics`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from events.errors import LogError
from events.log.port import Log, TopicPartition
from events.metrics import Looked, Rows


def lag_of(log: Log, consumer: str, reached: Callable[[], Mapping[TopicPartition, int]]) -> Looked:
    """Records that a consumer has not read yet, by topic, over its partitions.

    `reached` gives the next offset of each partition, from another thread. Compaction leaves gaps, which
    count as records. While the log is away there is no row.
    """

    def look() -> Rows:
        try:
            return list(_behind(log, consumer, dict(reached())))
        except LogError:
            return []

    return Looked(
        "weir_log_lag_records",
        "Records of a topic that a consumer has not read.",
        ["consumer", "topic"],
        look,
    )


def length_of(log: Log, topic: str) -> Looked:
    """Records that a topic ever took (its offsets' ends together), for one that nobody consumes."""

    def look() -> Rows:
        try:
            return [((topic,), float(sum(log.ends(topic))))]
        except LogError:
            return []

    return Looked("weir_log_end_records", "Records that a topic ever took.", ["topic"], look)


def _behind(
    log: Log, consumer: str, reached: Mapping[TopicPartition, int]
) -> Iterator[tuple[tuple[str, str], float]]:
    behind: Counter[str] = Counter()
    ends = {topic: log.ends(topic) for topic in sorted({place.topic for place in reached})}
    for place, offset in reached.items():
        behind[place.topic] += max(0, ends[place.topic][place.partition] - offset)
    for topic, records in behind.items():
        yield (consumer, topic), float(records)
