"""Two who publish a control at the same moment: one of them counts, and who can see it is told."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from events.log.port import Outgoing, Position
from models.controls import Controls
from pipelines.controls.files import Draft
from pipelines.controls.log import in_force, publish
from pipelines.errors import ControlFileError
from tests.memory_log import MemoryLog

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class RacingLog(MemoryLog):
    """A log to which somebody else appends right before us, or right after."""

    def __init__(self, *, theirs_first: bool) -> None:
        super().__init__()
        self._theirs_first: bool | None = theirs_first

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        theirs_first, self._theirs_first = self._theirs_first, None
        if theirs_first:
            self._publish_theirs()
        appended = super().append(records)
        if theirs_first is False:
            self._publish_theirs()
        return appended

    def _publish_theirs(self) -> None:
        other = MemoryLog()
        publish(other, [draft("block")], "theirs.json", NOW, lambda size: b"t" * size)
        super().append([Outgoing(r.topic, r.key, r.value or b"") for r in other.written])


def draft(action: str) -> Draft:
    return Draft(name="mine", kind="rule", body={"action": action, "when": "weekend"})


def actions(controls: Controls) -> list[str]:
    return [rule.action for rule in controls.rules if rule.name == "mine"]


@pytest.mark.parametrize(("theirs_first", "counts"), [(True, "review"), (False, "block")])
def test_the_later_on_the_log_counts_and_who_sees_the_other_is_told(theirs_first: bool, counts: str) -> None:
    log = RacingLog(theirs_first=theirs_first)

    with pytest.raises(ControlFileError, match="weir rules show mine"):
        publish(log, [draft("review")], "ours.json", NOW, lambda size: b"o" * size)

    assert actions(in_force(log)) == [counts]


def test_who_is_told_publishes_again_and_is_in_force() -> None:
    log = RacingLog(theirs_first=False)
    with pytest.raises(ControlFileError):
        publish(log, [draft("review")], "ours.json", NOW, lambda size: b"o" * size)

    (change,) = publish(log, [draft("review")], "ours.json", NOW, lambda size: b"p" * size)

    assert change.version == 2
    assert actions(in_force(log)) == ["review"]
