"""The tail of the decisions, on a real log."""

import asyncio
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from events.clock import SystemClock
from events.log import open_log
from events.log.port import Outgoing, Record, TopicPartition
from events.types import DecisionMade
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments.decisions import DecisionTail, Progress
from gateway.scheduling import InlineScheduling
from gateway.store.database import open_engine
from gateway.store.tables import outbox, positions
from gateway.store.writer import Store
from tests.gateway_world import Counter

PATIENCE_SECONDS = 60


def test_a_position_that_the_log_no_longer_has_is_given_up_for_what_is_left(
    tmp_path: Path, sqlite_url: str
) -> None:
    async def story() -> None:
        with closing(open_log(sqlite_url)) as log:
            log.append([Outgoing("decisions", b"key", b"not a decision", 0)])
            scheduling = InlineScheduling()
            store = Store(open_engine(f"sqlite:///{tmp_path}/gateway.sqlite"), scheduling)
            lost = {"topic": "decisions", "partition": 0, "next_offset": 1000}
            await store.write(lambda c: c.execute(insert(positions), lost))
            tail = DecisionTail(
                log=log,
                store=store,
                recorder=EventRecorder(Counter()),
                relay=Relay(store, log, scheduling),
                scheduling=scheduling,
                clock=SystemClock(),
                deal=never,
            )

            running = asyncio.create_task(tail.run())
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await store.read(topics_waiting) != ["dead-letters"]:
                    await asyncio.sleep(0.01)

            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

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


async def never(decision: DecisionMade) -> None:
    raise AssertionError(f"{decision.id} is none of this log's")


def topics_waiting(connection: Any) -> list[str]:
    return list(connection.execute(select(outbox.c.topic)).scalars())
