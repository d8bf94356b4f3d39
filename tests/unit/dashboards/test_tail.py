"""What follows the log goes on, whatever happens to it."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.live_view import LiveView
from dashboards.tail import Tail
from events.codec import encode
from events.log import open_log
from events.log.port import Outgoing
from events.types import Event
from tests.unit.dashboards.flowing import question

PATIENCE_SECONDS = 30.0


class StumblingView(LiveView):
    """Fails at the first event that it is given, as no view should."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.stumbled = False

    def take(self, event: Event, now_seconds: float, *, live: bool = True) -> None:
        if not self.stumbled:
            self.stumbled = True
            raise ZeroDivisionError
        self.taken.append(event.id)
        super().take(event, now_seconds, live=live)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_an_error_that_nobody_foresaw_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    log = open_log(url)
    event = question(1)
    log.append([Outgoing("assessments", b"pi", encode(event))])
    view = StumblingView()
    tail = Tail(url, view)

    with caplog.at_level(logging.ERROR):
        tail.start()
        until(lambda: view.taken == [event.id])
        tail.stop()

    assert tail.reachable
    assert "ZeroDivisionError" in caplog.text
    assert "tried again" in caplog.text
    log.close()
