"""Two producers behind one port: confluent-kafka (dataflows) and kafka-python (the gateway).

Both wait for all in-sync replicas, are idempotent (a retry is never appended twice), and let the key choose
the partition by murmur2. What is not acknowledged in time is given up, yet may still arrive: who appends it
again does so under the same event id. confluent-kafka may give up a record of a call and append later ones.
"""

import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from kafka import KafkaProducer
from kafka.errors import KafkaError as PythonKafkaError

from events.errors import LogError, LogUnavailableError, LogUnusableError
from events.log.kafka_names import TopicNames
from events.log.kafka_topics import BATCH_OVERHEAD_BYTES
from events.log.port import Outgoing, Position
from events.topics import RECORD_BYTES_MAX

_REQUEST_BYTES_MAX = RECORD_BYTES_MAX + BATCH_OVERHEAD_BYTES
_SERVING_SECONDS = 0.1
_CLOSING_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Sender(Protocol):
    """Sends records, in order, and waits for their acknowledgements."""

    def send(self, records: Sequence[Outgoing], deadline: float) -> list[Position]:
        """The records' positions; raises `LogUnavailableError` at `deadline` (monotonic seconds)."""
        ...

    def close(self) -> None:
        """Give the connections back; what is not acknowledged by then is given up."""
        ...


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
            "message.max.bytes": _REQUEST_BYTES_MAX,
            # Below the caller's own limit, so that the producer mostly gives up before its caller does.
            "message.timeout.ms": int(append_seconds_max * 800),
            "socket.timeout.ms": max(500, int(append_seconds_max * 500)),
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
        except PythonKafkaError as error:
            self._abandon(producer)
            raise LogUnavailableError(f"Kafka did not take the records: {type(error).__name__}") from error
        return [Position(self._names.declared(each.topic), each.partition, each.offset) for each in sent]

    def close(self) -> None:
        if self._producer is not None:
            _end(self._producer)

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
        threading.Thread(target=_end, args=(producer,), name="kafka-ending", daemon=True).start()

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
                max_request_size=_REQUEST_BYTES_MAX,
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
        except PythonKafkaError as error:
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
    except PythonKafkaError as error:
        logger.warning("a Kafka producer did not close: %s", type(error).__name__)
