"""The log on Apache Kafka: topics made as declared, acks from all in-sync replicas, readers by position."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as Assignment
from confluent_kafka.admin import AdminClient, OffsetSpec

from events.crash import crash_point, declare
from events.errors import LogUnavailableError
from events.log.admission import admitted, declared
from events.log.kafka_names import TopicNames
from events.log.kafka_reader import KafkaReader
from events.log.kafka_senders import Sender
from events.log.kafka_topics import prepare_topics
from events.log.port import Durability, Outgoing, Position, TopicPartition
from events.topics import topic_named

declare(
    {
        "log.kafka.sending": "the records have not left the process",
        "log.kafka.acknowledged": "the records are in the log; whoever appended them does not know it yet",
    }
)

_RETRY_SECONDS = 0.05
_OPENING_SECONDS_MAX = 5.0
"""One try to look at the topics: a request that goes to a broker which has just died takes all of it."""
_TRIES, _TRY_SECONDS_MAX = 5, 1.0
"""Times that offsets are asked for, at least, and how long at most: see above."""
logger = logging.getLogger(__name__)


class KafkaLog:
    """See `events.log.port.Log`."""

    def __init__(
        self,
        bootstrap: str,
        names: TopicNames,
        make_sender: Callable[[str, TopicNames, float], Sender],
        *,
        append_seconds_max: float,
        create: bool = True,
    ) -> None:
        self._bootstrap = bootstrap
        self._names = names
        self._append_seconds_max = append_seconds_max
        settings = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 250}
        self._admin = AdminClient(settings, logger=logger)
        self._durability = self._opened(create=create)
        self._sender = make_sender(bootstrap, names, append_seconds_max)

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        deadline = time.monotonic() + self._append_seconds_max
        for record in records:
            admitted(record)
        crash_point("log.kafka.sending")
        positions = self._sender.send(records, deadline) if records else []
        crash_point("log.kafka.acknowledged")
        return positions

    def reader(self, start: Mapping[TopicPartition, int]) -> KafkaReader:
        for partition in start:
            declared(partition)
        return KafkaReader(self._bootstrap, self._names, start, self._append_seconds_max)

    def starts(self, topic: str) -> list[int]:
        return self._offsets(topic, OffsetSpec.earliest())

    def ends(self, topic: str) -> list[int]:
        return self._offsets(topic, OffsetSpec.latest())

    @property
    def durability(self) -> Durability:
        return self._durability

    def close(self) -> None:
        self._sender.close()

    def _opened(self, *, create: bool) -> Durability:
        deadline = time.monotonic() + self._append_seconds_max
        while True:
            try_until = min(deadline, time.monotonic() + _OPENING_SECONDS_MAX)
            try:
                return prepare_topics(self._admin, self._names, try_until, create=create)
            except LogUnavailableError:
                # Where nothing is to be made, a topic that is missing will be missing.
                if not create or time.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    def _offsets(self, topic: str, which: OffsetSpec) -> list[int]:
        name = self._names.on_cluster(topic)
        asked = {Assignment(name, number): which for number in range(topic_named(topic).partitions)}
        deadline = time.monotonic() + self._append_seconds_max
        try_seconds = min(_TRY_SECONDS_MAX, self._append_seconds_max / _TRIES)
        while True:
            try:
                return _offsets_now(self._admin, asked, try_seconds)
            except LogUnavailableError:
                if time.monotonic() >= deadline:
                    raise
            self._learn_the_leaders(name, deadline)

    def _learn_the_leaders(self, name: str, deadline: float) -> None:
        """The client keeps asking a leader of before (or its epoch) until it is told to look again."""
        time.sleep(_RETRY_SECONDS)
        try:
            self._admin.list_topics(name, timeout=max(0.1, deadline - time.monotonic()))
        except KafkaException as error:
            raise LogUnavailableError(f"no Kafka broker can be reached: {error.args[0].str()}") from error


def _offsets_now(admin: AdminClient, asked: dict[Assignment, OffsetSpec], seconds_max: float) -> list[int]:
    try:
        answers = admin.list_offsets(asked, request_timeout=seconds_max)
        offsets = [answers[partition].result().offset for partition in asked]
    except KafkaException as error:
        raise LogUnavailableError(f"Kafka gave no offsets: {error.args[0].str()}") from error
    if min(offsets) < 0:
        # A partition whose leader has just died has no offset in the answer, and no error either.
        raise LogUnavailableError("Kafka gave no offsets of some partitions")
    return offsets
