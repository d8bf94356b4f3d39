"""The tail of the decisions, on a real log."""

import asyncio
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from events.clock import SystemClock
from events.log import open_log
from events.log.port import Log, Outgoing, Record, TopicPartition
from events.types import DecisionMade
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments.decisions import Deal, DecisionTail, Progress
from gateway.scheduling import InlineScheduling, Scheduling
from gateway.store.database import open_engine
from gateway.store.intent_rows import load_attempt
from gateway.store.process_tables import positions
from gateway.store.tables import outbox
from gateway.store.writer import Store
from tests.gateway_world import Counter
from tests.memory_log import MemoryLog
from tests.unit.pipelines.poison import poisoned

PATIENCE_SECONDS = 60


def test_a_position_that_the_log_no_longer_has_is_given_up_for_what_is_left(
    tmp_path: Path, sqlite_url: str
) -> None:
    async def story() -> None:
        with closing(open_log(sqlite_url)) as log:
            log.append([Outgoing("decisions", b"key", b"not a decision", 0)])
            scheduling = InlineScheduling()
            store = Store(open_engine(f"sqlite:///{tmp_path}/gateway.sqlite"), scheduling)
            lost = {"instance": "", "topic": "decisions", "partition": 0, "next_offset": 1000}
            await store.write(lambda c: c.execute(insert(positions), lost))

            assert await tail_until(1, log, store, scheduling, never) == ["dead-letters"]

    asyncio.run(story())


def test_the_position_passes_no_decision_that_is_not_yet_dealt_with() -> None:
    place = TopicPartition("decisions", 0)
    first, second, third = (Record(*place, offset, b"key", b"") for offset in (7, 8, 9))
    progress = Progress({place: 7})
    for record in (first, second, third):
        progress.begin(record)

    reached = [progress.reached()[place]]
    for record in (second, first, third):
        progress.finish(record)
        reached.append(progress.reached()[place])

    assert reached == [7, 7, 9, 10]


@settings(max_examples=25, deadline=None)
@given(st.lists(poisoned("decisions"), min_size=4, max_size=16))
def test_every_readable_decision_is_looked_up_and_every_other_set_aside(poison: list[Record]) -> None:
    async def story(folder: Path) -> None:
        log, scheduling = MemoryLog(), InlineScheduling()
        log.append([Outgoing("decisions", b"key", record.value, 0) for record in poison])
        store = Store(open_engine(f"sqlite:///{folder}/gateway.sqlite"), scheduling)
        dealt: list[str] = []

        async def deal(decision: DecisionMade) -> None:
            await store.read(lambda c: load_attempt(c, decision.payment_id, decision.attempt))
            dealt.append(decision.id)

        waiting = await tail_until(len(poison), log, store, scheduling, deal, dealt)

        assert waiting == ["dead-letters"] * (len(poison) - len(dealt))

    with TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))


async def tail_until(
    count: int, log: Log, store: Store, scheduling: Scheduling, deal: Deal, dealt: Sequence[str] = ()
) -> list[str]:
    """Tail the decisions until `count` are dealt with or set aside; gives the topics in the outbox then."""
    tail = DecisionTail(
        log=log,
        store=store,
        recorder=EventRecorder(Counter()),
        relay=Relay(store, log, scheduling),
        scheduling=scheduling,
        clock=SystemClock(),
        deal=deal,
        instance="",
    )
    running = asyncio.create_task(tail.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await store.read(topics_waiting)) + len(dealt) < count:
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return await store.read(topics_waiting)


async def never(decision: DecisionMade) -> None:
    raise AssertionError(f"{decision.id} is none of this log's")


def topics_waiting(connection: Any) -> list[str]:
    return list(connection.execute(select(outbox.c.topic)).scalars())
