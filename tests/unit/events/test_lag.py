"""How far a reader is behind the log, as a scrape sees it."""

from events.errors import LogUnavailableError
from events.log.lag import lag_of, length_of
from events.log.port import Outgoing, TopicPartition
from events.metrics import Looked
from tests.memory_log import MemoryLog


class AwayLog(MemoryLog):
    def ends(self, topic: str) -> list[int]:
        raise LogUnavailableError("the broker is away")


def rows(looked: Looked) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in looked.collect()
        for sample in family.samples
    }


def test_lag_is_what_stands_between_a_reader_and_the_ends_of_its_partitions() -> None:
    log = MemoryLog()
    log.append([Outgoing("labels", b"k", b"{}", number % 2) for number in range(5)])
    log.append([Outgoing("payments", b"k", b"{}", 0)])
    reached = {
        TopicPartition("labels", 0): 1,
        TopicPartition("labels", 1): 0,
        TopicPartition("payments", 0): 1,
    }

    assert rows(lag_of(log, "learning", lambda: reached)) == {
        ("learning", "labels"): 4.0,
        ("learning", "payments"): 0.0,
    }


def test_a_log_that_is_away_shows_no_lag_instead_of_none() -> None:
    assert rows(lag_of(AwayLog(), "risk", lambda: {TopicPartition("labels", 0): 0})) == {}
    assert rows(length_of(AwayLog(), "dead-letters")) == {}


def test_the_length_of_a_topic_is_what_it_ever_took() -> None:
    log = MemoryLog()
    log.append([Outgoing("dead-letters", b"labels", b"{}", 0)] * 3)

    assert rows(length_of(log, "dead-letters")) == {("dead-letters",): 3.0}
