"""Reported labels learned, as the demo counts them from the log."""

from datetime import UTC, datetime
from pathlib import Path

from events.codec import encode
from events.log import open_log
from events.log.port import Outgoing
from events.types import Event, LabelReported, ModelPublished
from operations.learned import Learned

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def matured(number: int) -> LabelReported:
    return LabelReported(
        id=f"m{number}",
        occurred_at=NOW,
        payment_id=f"pi_{number}",
        kind="matured",
        source="horizon",
        fraud=False,
        mode="test",
    )


def snapshot(labels: int) -> ModelPublished:
    return ModelPublished(
        id=f"s{labels}",
        occurred_at=NOW,
        name="champion",
        kind="online",
        version=1,
        learned_to={},
        labels=labels,
        state=b"",
    )


def append(url: str, topic: str, *events: Event) -> None:
    log = open_log(url)
    log.append([Outgoing(topic, event.id.encode(), encode(event)) for event in events])
    log.close()


def test_matured_labels_count_as_learned_by_nobodys_report(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    append(url, "labels", *(matured(number) for number in range(5)))
    append(url, "models", snapshot(5))

    with Learned(url) as learned:
        append(url, "models", snapshot(6))

        assert learned.look() == 1


def test_the_count_never_sinks_while_matured_labels_wait_for_their_snapshot(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"

    with Learned(url) as learned:
        append(url, "models", snapshot(3))
        assert learned.look() == 3

        append(url, "labels", matured(1), matured(2))

        assert learned.look() == 3


def test_what_an_earlier_run_learned_does_not_count(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    append(url, "models", snapshot(7))

    with Learned(url) as learned:
        assert learned.look() == 0
        append(url, "labels", matured(1), matured(2))
        append(url, "models", snapshot(9))

        assert learned.look() == 0
