"""The tail of the decisions deals with whatever can be read, or sets it aside."""

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from events.clock import SystemClock
from events.log.port import Outgoing, Record
from events.types import DecisionMade
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments.decisions import DecisionTail
from gateway.scheduling import InlineScheduling
from gateway.store.database import open_engine
from gateway.store.intent_rows import load_attempt
from gateway.store.tables import outbox
from gateway.store.writer import Store
from tests.gateway_world import Counter
from tests.memory_log import MemoryLog
from tests.unit.pipelines.poison import poisoned

PATIENCE_SECONDS = 10


@settings(max_examples=25, deadline=None)
@given(st.lists(poisoned("decisions"), min_size=4, max_size=16))
def test_every_readable_decision_is_looked_up_and_every_other_set_aside(poison: list[Record]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder), poison))


async def story(folder: Path, poison: list[Record]) -> None:
    log, scheduling = MemoryLog(), InlineScheduling()
    log.append([Outgoing("decisions", b"key", record.value, 0) for record in poison])
    store = Store(open_engine(f"sqlite:///{folder}/gateway.sqlite"), scheduling)
    dealt: list[str] = []

    async def deal(decision: DecisionMade) -> None:
        await store.read(lambda c: load_attempt(c, decision.payment_id, decision.attempt))
        dealt.append(decision.id)

    tail = DecisionTail(
        log=log,
        store=store,
        recorder=EventRecorder(Counter()),
        relay=Relay(store, log, scheduling),
        scheduling=scheduling,
        clock=SystemClock(),
        deal=deal,
    )
    running = asyncio.create_task(tail.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await store.read(set_aside) + len(dealt) < len(poison):
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def set_aside(connection: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(outbox)).scalar_one())
