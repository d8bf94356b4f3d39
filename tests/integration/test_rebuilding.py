"""What a flow leaves on disk is of one moment, wherever it is killed, and made again if it cannot be used."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from events.codec import encode
from events.log import open_log
from events.log.port import Log, Outgoing, Record
from events.types import ControlChanged, ModelPublished
from pipelines.delivery import delivered
from pipelines.order import COMPACTED, OrderJournal
from pipelines.risk_step import RiskStep
from pipelines.state_store import POINT, Point, StateStore
from tests.e2e import crash_plan
from tests.integration.flow_process import ROOT, FlowProcess, counted, records_of, wait_for
from tests.integration.test_risk_flow_recovery import check_exactly_once
from tests.unit.pipelines.standin import START, CountingEngine, asked, assessment

RISK_POINTS = [name for name in sorted(crash_plan.declared()) if name.startswith("risk.")]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = open_log(f"sqlite:///{tmp_path}/log/log.sqlite")
    yield opened
    opened.close()


def start(folder: Path, crash_at: str = "", log: str = "log") -> FlowProcess:
    arguments = (str(folder / "risk"), f"sqlite:///{folder}/{log}/log.sqlite", "0.1")
    errors = folder / "errors.log"
    return FlowProcess("tests.integration.standin_risk", *arguments, errors=errors, crash_at=crash_at)


def store_of(folder: Path) -> StateStore:
    return StateStore(folder / "risk" / "state" / "state.sqlite")


def model(version: int) -> Outgoing:
    event = ModelPublished(
        id=f"model-{version}", occurred_at=START, name="champion", kind="online", version=version,
        learned_to={}, labels=version, state=b"",
    )  # fmt: skip
    return Outgoing("models", b"champion", encode(event))


def control(version: int) -> Outgoing:
    body = {"currency": "EUR", "minor": version}
    event = ControlChanged(
        id=f"control-{version}", occurred_at=START, name="limit", kind="costs", version=version, body=body
    )
    return Outgoing("controls", b"limit", encode(event))


def payments(log: Log, begin: int, end: int, *, changes: bool = False) -> None:
    """Payments in one append, with `changes` a model and a control behind each tenth."""
    sent: list[Outgoing] = []
    for number in range(begin, end):
        sent.append(asked(assessment(number)))
        if changes and number % 10 == 0:
            sent += [model(1 + number // 10), control(1 + number // 10)]
    log.append(sent)


def state_at(folder: Path, log: Log, point: Point) -> tuple[dict[str, bytes], dict[str, int]]:
    """Rows and positions of a flow that took in exactly the batches up to the point, in their order."""
    topics = ("controls", "models", "assessments")
    read = {record.position: record for topic in topics for record in records_of(log, topic)}
    step, positions = RiskStep(CountingEngine()), dict.fromkeys(point.positions, 0)
    with closing(OrderJournal(folder / "risk" / "order")) as journal:
        for batch in journal.after(0):
            if batch.number > point.batch:
                break
            records: list[Record] = []
            kept = {record.position: record for record in batch.kept}
            for topic, partition, first, last in batch.runs:
                found = kept if topic in COMPACTED else read
                places = [place for place in found if place[:2] == (topic, partition)]
                records += [found[place] for place in sorted(places) if first <= place[2] <= last]
                positions[f"{topic}/{partition}"] = last + 1
            step.handle([delivered(record) for record in records], START)
    return {key: value for key, value in step.changed_rows().items() if value is not None}, positions


@pytest.mark.parametrize("point", RISK_POINTS)
def test_a_kill_at_each_point_leaves_rows_offsets_models_and_controls_of_one_moment(
    tmp_path: Path, log: Log, point: str
) -> None:
    # Batches are many within an epoch of 0.1 s, versions one.
    passing = 4 if point.startswith("risk.state.") else 40
    payments(log, 0, 20, changes=True)
    with start(tmp_path, crash_at=f"{point}:{passing}") as flow:
        assert flow.wait_until_ready()
        for number in range(20, 620, 5):
            payments(log, number, number + 5, changes=True)
            time.sleep(0.01)
        assert flow.wait() == -signal.SIGKILL, f"{point} was not passed {passing} times"

    with closing(store_of(tmp_path)) as store:
        left, rows = store.point, dict(store.rows())

    assert left.version > 0
    assert (rows, dict(left.positions)) == state_at(tmp_path, log, left)
    assert {"engine/models", "engine/controls"} <= rows.keys()


def flipped(where: Callable[[bytes], int]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "risk" / "state" / "state.sqlite"
        content = bytearray(path.read_bytes())
        at = where(bytes(content))
        content[at : at + 8] = bytes(255 - byte for byte in content[at : at + 8])
        path.write_bytes(content)

    return damage


def of_a_later_build(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "risk" / "state" / "state.sqlite")) as connection, connection:
        connection.execute("UPDATE about SET value = 99 WHERE name = 'format'")


def cut_short(folder: Path) -> None:
    os.truncate(folder / "risk" / "state" / "state.sqlite", 5000)


def gone(folder: Path) -> None:
    shutil.rmtree(folder / "risk" / "state")


DAMAGES: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "its beginning": (flipped(lambda _: 0), "is damaged (file is not a database)"),
    "where it stood": (
        flipped(lambda content: content.index(POINT.encode()) + 20),
        "is damaged (a row is not",
    ),
    "a row": (flipped(lambda content: content.index(b"seen/") + 40), "is damaged ("),
    "a later build": (of_a_later_build, "has format 99, this build reads"),
    "the half of it": (cut_short, "is damaged ("),
    "all of it": (gone, None),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_state_that_cannot_be_used_says_so_and_is_made_again_with_each_answer_given_once(
    tmp_path: Path, log: Log, damage: str
) -> None:
    payments(log, 0, 120)
    with start(tmp_path) as flow:
        wait_for(lambda: counted(log, "decisions") == 120)
        assert flow.stop() == 0
    do, says = DAMAGES[damage]
    do(tmp_path)
    payments(log, 120, 150)

    with start(tmp_path) as flow:
        wait_for(lambda: counted(log, "decisions") >= 150)
        assert flow.stop() == 0

    check_exactly_once(log, 150)
    with closing(store_of(tmp_path)) as store:
        assert (dict(store.rows()), dict(store.point.positions)) == state_at(tmp_path, log, store.point)
    if says is not None:
        told = (tmp_path / "errors.log").read_text()
        assert says in told
        assert "The flow makes its state again from the log. The old one was moved to" in told
        assert (tmp_path / "risk" / "state.unusable" / "state.sqlite").exists()


@pytest.mark.parametrize("point", ["state.aside.moving", "state.aside.moved"])
def test_a_flow_killed_while_it_sets_its_state_aside_makes_it_again_at_the_next_start(
    tmp_path: Path, log: Log, point: str
) -> None:
    payments(log, 0, 60)
    with start(tmp_path) as flow:
        wait_for(lambda: counted(log, "decisions") == 60)
        assert flow.stop() == 0
    of_a_later_build(tmp_path)
    with start(tmp_path, crash_at=point) as flow:
        assert flow.wait() == -signal.SIGKILL
    payments(log, 60, 80)

    with start(tmp_path) as flow:
        wait_for(lambda: counted(log, "decisions") >= 80)
        assert flow.stop() == 0

    check_exactly_once(log, 80)
    assert (tmp_path / "risk" / "state.unusable" / "state.sqlite").exists()


def test_a_state_whose_filling_was_killed_can_be_filled_again(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\nfrom pipelines.state_store import StateStore\n"
        f"store = StateStore(Path({str(tmp_path)!r}) / 'state.sqlite')\n"
        "store.fill((f'engine/card/{n:06}', b'x') for n in range(250_000))\nstore.close()\n"
    )
    environment = os.environ | {"WEIR_CRASH_AT": "state.filling.writing:2"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == -signal.SIGKILL

    subprocess.run(command, cwd=ROOT, check=True)

    with closing(StateStore(tmp_path / "state.sqlite")) as store:
        assert sum(1 for _ in store.rows()) == 250_000
