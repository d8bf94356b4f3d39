"""Sending with kafka-python; what it promises is in `events.log.kafka_senders`."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from events.errors import LogUnavailableError
from events.log.kafka_names import TopicNames
from events.log.kafka_senders import REQUEST_BYTES_MAX
from events.log.port import Outgoing, Position

_CLOSING_SECONDS = 5.0
"""A producer's thread ends in milliseconds, but later on a busy machine or over a request under way."""
logger = logging.getLogger(__name__)


class PythonSender:
    """Sends with kafka-python, which has its own thread for deliveries.

    A producer that gave up on a record is replaced: kafka-python 3.0 then waits for good for the record's
    sequence number, although the broker has long come back.
    """

    def __init__(self, bootstrap: str, names: TopicNames, append_seconds_max: float) -> None:
        self._names = names
        self._bootstrap = bootstrap
        self._append_seconds_max = append_seconds_max
        self._making = threading.Lock()
        self._ending: list[threading.Thread] = []
        self._producer: KafkaProducer | None = self._made(append_seconds_max)

    def send(self, records: Sequence[Outgoing], deadline: float) -> list[Position]:
        producer = self._usable(deadline)
        try:
            waiting = [
                producer.send(
                    self._names.on_cluster(record.topic),
                    record.value,
                    record.key,
                    partition=record.partition,
                )
                for record in records
            ]
            sent = [each.get(timeout=max(0.0, deadline - time.monotonic())) for each in waiting]
        except KafkaError as error:
            self._abandon(producer)
            raise LogUnavailableError(f"Kafka did not take the records: {type(error).__name__}") from error
        return [Position(self._names.declared(each.topic), each.partition, each.offset) for each in sent]

    def close(self) -> None:
        if self._producer is not None:
            self._abandon(self._producer)
        deadline = time.monotonic() + _CLOSING_SECONDS
        for ending in self._ending:
            ending.join(max(0.0, deadline - time.monotonic()))

    def _usable(self, deadline: float) -> KafkaProducer:
        if not self._making.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise LogUnavailableError("no Kafka broker can be reached")
        try:
            if self._producer is None:
                self._producer = self._made(max(0.1, deadline - time.monotonic()))
            return self._producer
        finally:
            self._making.release()

    def _abandon(self, producer: KafkaProducer) -> None:
        with self._making:
            if self._producer is not producer:
                return
            self._producer = None
            # Apart, so that the caller hears in time: ending may take seconds.
            ending = threading.Thread(target=_end, args=(producer,), name="kafka-ending", daemon=True)
            ending.start()
            self._ending = [*(each for each in self._ending if each.is_alive()), ending]

    def _made(self, seconds_max: float) -> KafkaProducer:
        within_ms = int(self._append_seconds_max * 1000)
        clients: list[Any] = []

        def noted(**settings: Any) -> Any:
            clients.append(KafkaProducer.DEFAULT_CONFIG["kafka_client"](**settings))
            return clients[-1]

        try:
            return KafkaProducer(
                bootstrap_servers=self._bootstrap.split(","),
                acks="all",
                enable_idempotence=True,
                max_request_size=REQUEST_BYTES_MAX,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=int(seconds_max * 1000),
                delivery_timeout_ms=within_ms * 8 // 10,
                request_timeout_ms=within_ms * 3 // 10,
                max_block_ms=within_ms * 5 // 10,
                retry_backoff_ms=50,
                reconnect_backoff_ms=50,
                reconnect_backoff_max_ms=250,
                kafka_client=noted,
            )
        except KafkaError as error:
            # A constructor that fails leaves its client, with its sockets, to the garbage collector.
            for client in clients:
                client.close()
            raise LogUnavailableError(f"no Kafka broker can be reached: {type(error).__name__}") from error


def _end(producer: KafkaProducer) -> None:
    """Close without waiting for what cannot be sent.

    `close` alone first waits for every record, and raises where one is stuck, with its thread still running.
    """
    producer._sender.force_close()
    producer._sender.join(_CLOSING_SECONDS)
    try:
        producer.close(timeout=_CLOSING_SECONDS)
    except KafkaError as error:
        logger.warning("a Kafka producer did not close: %s", type(error).__name__)
