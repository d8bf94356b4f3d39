"""Topics, declared once: name, key, partitions, retention, compaction.

A key falls into the same partition in every adapter (murmur2 of the key, as Kafka's own clients do).
"""

from dataclasses import dataclass

from events.errors import UnknownTopicError

RECORD_BYTES_MAX = 4 * 1024 * 1024
"""Largest record, key and value together: a model snapshot is about 100 KiB, an event about 2 KiB."""

PARTITIONS = 8
"""Partitions of topics that are split by key: the ceiling of risk workers, far below 64 logical shards."""


@dataclass(frozen=True)
class Topic:
    """One topic. `retention_days` None keeps for good; `compacted` keeps the last record of each key."""

    name: str
    key: str
    partitions: int = PARTITIONS
    retention_days: int | None = None
    compacted: bool = False
    meaning: str = ""


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("assessments", "surrogate of what pays", meaning="payments that wait for a decision"),
        Topic(
            "decisions",
            "surrogate of what pays",
            meaning="the answers, in the requests' partitions and order",
        ),
        Topic("payments", "payment id", meaning="every life-cycle event"),
        Topic("labels", "payment id", meaning="what payments turned out to be"),
        Topic("accounts", "customer surrogate or merchant id", meaning="sign-ins and failures"),
        Topic(
            "controls", "name", partitions=1, compacted=True, meaning="rules, lists, costs, policies, rates"
        ),
        Topic("models", "name@version", partitions=1, compacted=True, meaning="model snapshots"),
        Topic("audit", "actor", partitions=1, meaning="privileged actions and uses of keys"),
        Topic("dead-letters", "topic", partitions=1, meaning="records that could not be read, with why"),
    )
}


def topic_named(name: str) -> Topic:
    """The declaration; raises `UnknownTopicError`."""
    try:
        return TOPICS[name]
    except KeyError:
        raise UnknownTopicError(f"no topic {name!r}; declared are {', '.join(TOPICS)}") from None
