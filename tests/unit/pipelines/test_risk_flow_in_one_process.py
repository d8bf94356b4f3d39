"""The dataflow over a log in memory: stopped, resumed, and stopped again."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from events.clock import SystemClock
from events.codec import decode, encode
from events.errors import LogUnavailableError
from events.log.port import Log, Outgoing, Position
from events.types import DeadLetter, DecisionMade
from models.controls import Control
from models.engine import Engine
from models.state import Bounds
from pipelines.errors import SendError
from pipelines.risk_flow import Parts, run
from pipelines.risk_step import RiskEngine, RiskStep
from pipelines.state_store import StateStore
from tests.memory_log import MemoryLog
from tests.unit.pipelines.standin import START, CountingEngine, asked, assessment


def run_until(
    log: Log,
    home: Path,
    done: Callable[[], bool],
    engine: Callable[[], RiskEngine] = CountingEngine,
    bounds: Bounds | None = None,
) -> None:
    """Run the flow in this thread; stop it when `done`."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            if done():
                stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        new_step = partial(_step, engine)
        run(Parts(log, home, SystemClock(), new_step, bounds=bounds or Bounds()), stop, lambda: None)
    finally:
        stop.set()
        watcher.join()


def _step(engine: Callable[[], RiskEngine]) -> RiskStep:
    return RiskStep(engine())


def decisions(log: MemoryLog) -> list[DecisionMade]:
    kept = [record for number in range(8) for record in log.on("decisions", number)]
    events = [decode(record.value) for record in kept]
    return [event for event in events if isinstance(event, DecisionMade)]


def test_every_assessment_gets_one_decision_in_its_partition_and_order(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(number)) for number in range(300)])

    run_until(log, tmp_path, lambda: len(decisions(log)) == 300)

    for number in range(8):
        answered = [decode(r.value) for r in log.on("decisions", number)]
        asked_for = log.on("assessments", number)
        assert [event.request_offset for event in answered] == [record.offset for record in asked_for]
        assert {event.request_partition for event in answered} <= {number}


def test_a_resumed_flow_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole, parted = MemoryLog(), MemoryLog()
    outgoing = [asked(assessment(number)) for number in range(200)]
    for record in outgoing:
        whole.append([record])
    run_until(whole, tmp_path / "whole", lambda: len(decisions(whole)) == 200)

    parted.append(outgoing[:120])
    run_until(parted, tmp_path / "parted", lambda: len(decisions(parted)) == 120)
    parted.append(outgoing[120:])
    run_until(parted, tmp_path / "parted", lambda: len(decisions(parted)) == 200)

    counted = [max(d.sequence for d in decisions(log)) for log in (whole, parted)]
    assert counted == [200, 200]
    assert len({d.assessment_id for d in decisions(parted)}) == 200


def test_a_flow_that_holds_next_to_nothing_in_memory_decides_as_one_that_holds_all(tmp_path: Path) -> None:
    whole, parted = MemoryLog(), MemoryLog()
    # Of one card, thus in one partition: the order of reading is theirs, whatever comes with one poll.
    asks = [
        asked(assessment(number, card="one", occurred_at=START + timedelta(minutes=number)))
        for number in range(120)
    ]
    whole.append(asks)
    run_until(whole, tmp_path / "whole", lambda: len(decisions(whole)) == 120, Engine)

    for begin, end in ((0, 50), (50, 90), (90, 120)):
        parted.append(asks[begin:end])
        answered = partial(_has_answered, parted, end)
        run_until(parted, tmp_path / "parted", answered, Engine, Bounds(2, 2, 2))

    assert told(parted) == told(whole)


def _has_answered(log: MemoryLog, number: int) -> bool:
    return len(decisions(log)) >= number


def told(log: MemoryLog) -> list[bytes]:
    """What was decided, without when."""
    without = {"id": "", "occurred_at": START, "assessed_at": START}
    return [encode(msgspec.structs.replace(decision, **without)) for decision in decisions(log)]


def test_unreadable_records_go_to_the_dead_letters_and_nothing_else_is_lost(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(1)), Outgoing("assessments", b"card1", b"{broken"), asked(assessment(2))])
    log.append([Outgoing("controls", b"x", b"\xff"), asked(assessment(3, currency="ZZZ"))])

    run_until(log, tmp_path, lambda: len(log.on("dead-letters", 0)) == 3)

    refused = [decode(record.value) for record in log.on("dead-letters", 0)]
    assert {(letter.topic, letter.reason) for letter in refused if isinstance(letter, DeadLetter)} == {
        ("assessments", "the record is not a JSON object with a type and a version"),
        ("controls", "the record is not a JSON object with a type and a version"),
        ("assessments", "the currency is unknown"),
    }
    assert {decision.payment_id for decision in decisions(log)} == {"pi_1", "pi_2"}


def stored(home: Path, row: str, value: bytes) -> None:
    """Put a row into the state of the flow that ended."""
    with contextlib.closing(StateStore(home / "state" / "state.sqlite")) as store:
        store.write({row: value})
        store.commit(msgspec.structs.replace(store.point, version=store.version + 1))


def test_a_stored_rule_that_this_build_refuses_is_logged_and_the_flow_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = MemoryLog()
    log.append([asked(assessment(1))])
    run_until(log, tmp_path, lambda: len(decisions(log)) == 1, Engine)
    body = {"action": "block", "when": "a_feature_of_another_build > 1", "words": "strange"}
    strange = Control(name="strange", kind="rule", version=4, body=body)
    stored(tmp_path, "engine/control/strange", msgspec.msgpack.encode(strange))
    log.append([asked(assessment(2))])

    run_until(log, tmp_path, lambda: len(decisions(log)) == 2, Engine)

    assert "strange, version 4" in caplog.text
    assert "a_feature_of_another_build" in caplog.text


@pytest.mark.parametrize("row", ["engine/card/card1", "seen/some-event"])
def test_a_state_with_a_row_that_this_build_cannot_read_is_set_aside_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, row: str
) -> None:
    log = MemoryLog()
    log.append([asked(assessment(1))])
    run_until(log, tmp_path, lambda: len(decisions(log)) == 1, Engine)
    stored(tmp_path, row, b"\x01")
    log.append([asked(assessment(8))])

    run_until(log, tmp_path, lambda: len(decisions(log)) == 2, Engine)

    assert "Run the build that wrote it" in caplog.text
    assert "The flow makes its state again from the log" in caplog.text
    assert f"The old one was moved to {tmp_path / 'state.unusable'}" in caplog.text
    assert (tmp_path / "state.unusable" / "state.sqlite").exists()
    assert sorted(decision.payment_id for decision in decisions(log)) == ["pi_1", "pi_8"]
    with contextlib.closing(StateStore(tmp_path / "state" / "state.sqlite")) as store:
        assert store.get(row) != b"\x01"


def test_a_duplicated_assessment_is_answered_once_also_after_a_restart(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(1)), asked(assessment(1)), asked(assessment(2))])
    run_until(log, tmp_path, lambda: len(decisions(log)) == 2)

    log.append([asked(assessment(2)), asked(assessment(3))])
    run_until(log, tmp_path, lambda: len(decisions(log)) == 3)

    assert sorted(decision.payment_id for decision in decisions(log)) == ["pi_1", "pi_2", "pi_3"]


def test_a_log_that_refuses_replies_stops_the_flow_and_a_restart_sends_them(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(number)) for number in range(50)])
    log.refusing = True
    with pytest.raises(SendError, match="replies could not be sent"):
        run_until(log, tmp_path, lambda: False)

    log.refusing = False
    run_until(log, tmp_path, lambda: len(decisions(log)) == 50)

    assert len({decision.assessment_id for decision in decisions(log)}) == 50


class TearingLog(MemoryLog):
    """Fails as Kafka may: later records of the call are appended, earlier ones given up."""

    tearing = False

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        if not self.tearing:
            return super().append(records)
        super().append(records[len(records) // 2 :])
        raise LogUnavailableError("the first half timed out")


def test_a_failed_append_that_left_later_replies_leaves_no_request_unanswered(tmp_path: Path) -> None:
    log = TearingLog()
    log.append([asked(assessment(number)) for number in range(50)])
    log.tearing = True
    with pytest.raises(SendError, match="replies could not be sent"):
        run_until(log, tmp_path, lambda: False)
    assert 0 < len(decisions(log)) < 50

    log.tearing = False
    log.append([asked(assessment(50))])
    run_until(log, tmp_path, lambda: "pi_50" in {decision.payment_id for decision in decisions(log)})

    assert sorted(decision.sequence for decision in decisions(log)) == list(range(1, 52))
