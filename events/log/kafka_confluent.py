"""Sending with confluent-kafka; what it promises is in `events.log.kafka_senders`."""

import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from events.errors import LogError, LogUnavailableError, LogUnusableError
from events.log.kafka_names import TopicNames
from events.log.kafka_senders import REQUEST_BYTES_MAX
from events.log.port import Outgoing, Position

_SERVING_SECONDS = 0.1
_SILENCE_SECONDS_MAX = 2.5
"""A broker that says nothing for so long is connected to anew, however long the caller would wait."""
logger = logging.getLogger(__name__)


class ConfluentSender:
    """Sends with confluent-kafka; one thread serves the deliveries of all that send."""

    def __init__(self, bootstrap: str, names: TopicNames, append_seconds_max: float) -> None:
        self._names = names
        settings = {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 0,
            "message.max.bytes": REQUEST_BYTES_MAX,
            # Below the caller's own limit, so that the producer mostly gives up before its caller does.
            "message.timeout.ms": int(append_seconds_max * 800),
            "socket.timeout.ms": int(1000 * min(max(0.5, append_seconds_max / 2), _SILENCE_SECONDS_MAX)),
            "retry.backoff.ms": 50,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 250,
        }
        self._producer = Producer(settings, logger=logger)
        self._closing = threading.Event()
        self._server = threading.Thread(target=self._serve, name="kafka-deliveries", daemon=True)
        self._server.start()

    def send(self, records: Sequence[Outgoing], deadline: float) -> list[Position]:
        awaited = _Deliveries(len(records), self._names)
        for index, record in enumerate(records):
            self._hand_over(record, partial(awaited.delivered, index), deadline)
        return awaited.positions(deadline)

    def close(self) -> None:
        self._closing.set()
        self._server.join()
        self._producer.flush(_SERVING_SECONDS)

    def _hand_over(self, record: Outgoing, delivered: Any, deadline: float) -> None:
        chosen = {} if record.partition is None else {"partition": record.partition}
        while True:
            try:
                self._producer.produce(
                    self._names.on_cluster(record.topic),
                    value=record.value,
                    key=record.key,
                    on_delivery=delivered,
                    **chosen,
                )
            except BufferError:
                if time.monotonic() >= deadline:
                    raise LogUnavailableError("the Kafka producer's queue is full") from None
                time.sleep(0.001)
            except KafkaException as error:
                raise _in_words(error.args[0]) from error
            else:
                return

    def _serve(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(_SERVING_SECONDS)


class _Deliveries:
    """The acknowledgements of one call, put together by the serving thread."""

    def __init__(self, count: int, names: TopicNames) -> None:
        self._names = names
        self._positions: list[Position | None] = [None] * count
        self._remaining = count
        self._error: KafkaError | None = None
        self._all_known = threading.Event()

    def delivered(self, index: int, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._error = self._error or error
        else:
            topic = self._names.declared(message.topic())
            self._positions[index] = Position(topic, message.partition(), message.offset())
        self._remaining -= 1
        if self._remaining == 0:
            self._all_known.set()

    def positions(self, deadline: float) -> list[Position]:
        if not self._all_known.wait(max(0.0, deadline - time.monotonic())):
            raise LogUnavailableError("Kafka did not acknowledge in time")
        if self._error is not None:
            raise _in_words(self._error)
        return [position for position in self._positions if position is not None]


def _in_words(error: KafkaError) -> LogError:
    if error.fatal():
        # The producer refuses everything from now on: only a new process helps.
        return LogUnusableError(f"the Kafka producer failed for good: {error.str()}")
    return LogUnavailableError(f"Kafka did not take the records: {error.str()}")
