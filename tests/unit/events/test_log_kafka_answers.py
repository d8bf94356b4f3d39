"""What is made of a cluster's answers where its brokers do not agree yet, or one of them has died.

A cluster of three was seen to answer so; `Brokers` stands for it, since the tests start one broker.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigEntry, OffsetSpec

from events.errors import LogUnavailableError
from events.log.kafka import _offsets_now
from events.log.kafka_topics import _configs

UNHEARD = KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
REFUSED = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))


class Told(NamedTuple):
    """What a partition's leader says."""

    offset: int


class Brokers:
    """Answers of an `AdminClient`, one after the other; the last for good."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def describe_configs(self, resources: Iterable[Any], request_timeout: float) -> dict[Any, Any]:
        del request_timeout
        return dict.fromkeys(resources, self._next())

    def list_offsets(self, asked: Iterable[Any], request_timeout: float) -> dict[Any, Any]:
        del request_timeout
        return {partition: self._next() for partition in asked}

    def _next(self) -> "Future[Any]":
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        future: Future[Any] = Future()
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future


def configs(brokers: Any, seconds: float) -> dict[str, dict[str, str]]:
    return _configs(brokers, ["payments"], time.monotonic() + seconds)


def offsets(brokers: Any) -> list[int]:
    asked = {TopicPartition("payments", number): OffsetSpec.latest() for number in range(2)}
    return _offsets_now(brokers, asked, 1.0)


def test_topics_that_a_broker_has_not_heard_of_are_asked_for_again() -> None:
    brokers = Brokers(UNHEARD, UNHEARD, {"retention.ms": ConfigEntry("retention.ms", "-1")})

    assert configs(brokers, 60.0) == {"payments": {"retention.ms": "-1"}}


def test_topics_that_no_broker_hears_of_are_reported_at_the_deadline() -> None:
    with pytest.raises(LogUnavailableError, match="cannot be described"):
        configs(Brokers(UNHEARD), 0.2)


def test_another_refusal_is_reported_at_once() -> None:
    with pytest.raises(LogUnavailableError, match="cannot be described"):
        configs(Brokers(REFUSED, {}), 60.0)


def test_an_offset_that_a_dead_leader_cannot_tell_is_not_made_up() -> None:
    assert offsets(Brokers(Told(7), Told(0))) == [7, 0]
    with pytest.raises(LogUnavailableError, match="gave no offsets"):
        offsets(Brokers(Told(7), Told(OFFSET_INVALID)))
