"""Reading Kafka: assigned partitions from given offsets, no consumer group, no offsets kept by the broker."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Assignment

from events.errors import LogError, LogUnavailableError, LogUnusableError, PositionLostError
from events.log.kafka_names import TopicNames
from events.log.port import Record, TopicPartition

_PROBE_SECONDS = 1.0
_LOST = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}
logger = logging.getLogger(__name__)


class KafkaReader:
    """See `events.log.port.Reader`."""

    def __init__(
        self,
        bootstrap: str,
        names: TopicNames,
        start: Mapping[TopicPartition, int],
        down_seconds_max: float,
    ) -> None:
        self._names = names
        self._down_seconds_max = down_seconds_max
        self._down_since: float | None = None
        self._error: LogError | None = None
        settings = {
            "bootstrap.servers": bootstrap,
            "group.id": "weir",  # the client insists on one; nothing is ever committed under it
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # `earliest` would silently repeat, `latest` silently skip.
            "auto.offset.reset": "error",
            "allow.auto.create.topics": False,
            "fetch.error.backoff.ms": 50,
            "queued.max.messages.kbytes": 16384,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 250,
            "error_cb": self._note,
        }
        self._consumer = Consumer(settings, logger=logger)
        self._assign(start)

    def poll(self, limit: int, wait_seconds: float) -> list[Record]:
        if self._error is not None:
            raise self._error
        first = self._consumer.poll(wait_seconds)
        if first is None:
            self._check_reachable()
            return []
        # `consume` waits for all it is asked for, hence the first alone and the rest without waiting.
        rest = self._consumer.consume(limit - 1, 0) if limit > 1 else []
        records = self._readable([first, *rest])
        if not records and self._error is not None:
            raise self._error
        return records

    def close(self) -> None:
        self._consumer.close()

    def _assign(self, start: Mapping[TopicPartition, int]) -> None:
        for partition, offset in start.items():
            # Kafka's client reads negative offsets as "beginning", "end" and the like.
            if offset < 0:
                self._error = PositionLostError(
                    f"{partition.topic}/{partition.partition} has no offset {offset}"
                )
                return
        self._consumer.assign(
            [
                Assignment(self._names.on_cluster(partition.topic), partition.partition, offset)
                for partition, offset in start.items()
            ]
        )

    def _readable(self, messages: list[Any]) -> list[Record]:
        """The records up to the first permanent error, which the next poll raises."""
        records = []
        for message in messages:
            if message.error() is None:
                records.append(self._record(message))
            elif self._error is None:
                self._error = _permanent(message)
        if records:
            self._down_since = None
        return records

    def _record(self, message: Any) -> Record:
        topic = self._names.declared(message.topic())
        return Record(topic, message.partition(), message.offset(), message.key() or b"", message.value())

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self._down_since is None:
            self._down_since = time.monotonic()
        elif error.fatal():
            self._error = LogUnusableError(f"the Kafka consumer failed for good: {error.str()}")

    def _check_reachable(self) -> None:
        """An idle log looks like one that is out of reach: ask, once it has looked down for too long."""
        if self._down_since is None or time.monotonic() - self._down_since < self._down_seconds_max:
            return
        try:
            self._consumer.list_topics(timeout=_PROBE_SECONDS)
        except KafkaException as error:
            raise LogUnavailableError(f"no Kafka broker can be reached: {error.args[0].str()}") from error
        self._down_since = None


def _permanent(message: Any) -> LogError | None:
    error = message.error()
    if error.code() in _LOST:
        offset = message.offset()
        place = f"{message.topic()}/{message.partition()}"
        at = "" if offset in {None, OFFSET_INVALID} else f" (offset {offset})"
        return PositionLostError(f"{place}: the position asked for{at} is not in the log")
    if error.fatal():
        return LogUnusableError(f"the Kafka consumer failed for good: {error.str()}")
    # What passes by itself (a leader that moves, a broker that restarts) the client retries.
    return None
