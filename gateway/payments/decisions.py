"""The tail of topic `decisions`: each goes to the flight that waits for it, or acts late.

The position reached is kept: it only passes decisions that were dealt with, so that a restart reads again
what was not. A decision read twice changes nothing (its attempt has one already).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from events.clock import Clock
from events.codec import decode
from events.crash import crash_point, declare
from events.dead_letters import dead_letter_of
from events.errors import LogUnavailableError, PositionLostError, UnreadableEventError
from events.log.port import Log, Reader, Record, TopicPartition
from events.types import DecisionMade
from gateway.errors import UnavailableError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.retrying import persistently
from gateway.scheduling import Scheduling
from gateway.store.position_rows import load_positions, save_positions
from gateway.store.writer import Store

declare(
    {
        "gateway.decisions.received": "a decision is read from the log, nobody has acted on it",
        "gateway.decisions.position": "the position behind decisions that were dealt with is durable",
    }
)

TOPIC = "decisions"
BATCH_MAX = 256
KEEP_SECONDS = 1.0
"""How often the position is kept: what is read again after a crash is at most this much."""
TAIL_RETRY_SECONDS = 0.5
"""Before decisions that could not be read are tried again."""

T = TypeVar("T")
Deal = Callable[[DecisionMade], Awaitable[None]]


class Progress:
    """The next offset of each partition below which everything was dealt with, in whatever order."""

    def __init__(self, start: dict[TopicPartition, int]) -> None:
        self.read = dict(start)
        self._open: dict[TopicPartition, set[int]] = {partition: set() for partition in start}

    def begin(self, record: Record) -> None:
        """Count a record as read and under way."""
        partition = TopicPartition(record.topic, record.partition)
        self.read[partition] = record.offset + 1
        self._open[partition].add(record.offset)

    def finish(self, record: Record) -> None:
        """Count a record as done: it has had its effect."""
        self._open[TopicPartition(record.topic, record.partition)].discard(record.offset)

    def reached(self) -> dict[TopicPartition, int]:
        """Where each partition would be read on after a crash now."""
        return {partition: min(self._open[partition], default=read) for partition, read in self.read.items()}


class DecisionTail:
    """Reads decisions forward and deals with each."""

    def __init__(
        self,
        *,
        log: Log,
        store: Store,
        recorder: EventRecorder,
        relay: Relay,
        scheduling: Scheduling,
        clock: Clock,
        deal: Deal,
        instance: str,
    ) -> None:
        self._log = log
        self._store = store
        self._recorder = recorder
        self._relay = relay
        self._scheduling = scheduling
        self._clock = clock
        self._deal = deal
        self._instance = instance
        self._kept: dict[TopicPartition, int] = {}
        self.reached: Mapping[TopicPartition, int] = {}
        """The next offsets, for whoever looks from another thread."""
        self._changing = False
        self._starting_anew = False
        self._logger = structlog.get_logger("gateway.decisions")

    async def run(self) -> None:
        """Tail until canceled; a log that is away is opened again."""
        while True:
            try:
                await self._tail(await self._start())
            except (LogUnavailableError, UnavailableError) as error:
                self._logger.warning("decisions cannot be read", error=type(error).__name__)
            except PositionLostError:
                # The log has deleted what was not read yet: what waited for it has fallen back long since.
                self._logger.error("the position in the decisions is gone: starting at what is left")
                await persistently(self._scheduling, self._forget_position)
            await self._scheduling.sleep(TAIL_RETRY_SECONDS)

    async def changing(self, change: Callable[[Connection], bool]) -> bool:
        """Run a write that may move the kept position back, and if it says so, read again from there."""
        # Else the place reached meanwhile would be kept over the one that was moved.
        self._changing = True
        try:
            moved = await self._store.write(change)
            self._starting_anew |= moved
        finally:
            self._changing = False
        return moved

    async def _start(self) -> dict[TopicPartition, int]:
        self._starting_anew = False
        kept = await self._store.read(lambda c: load_positions(c, self._instance, TOPIC))
        firsts = await self._blocking(lambda: self._log.starts(TOPIC))
        self._kept = {
            TopicPartition(TOPIC, number): kept.get(number, first) for number, first in enumerate(firsts)
        }
        return dict(self._kept)

    async def _tail(self, start: dict[TopicPartition, int]) -> None:
        progress = Progress(start)
        self.reached = progress.read
        reader = await self._blocking(lambda: self._log.reader(start))
        keep_at = self._clock.monotonic() + KEEP_SECONDS
        try:
            while not self._starting_anew:
                records = await self._blocking(partial(_poll, reader, self._scheduling.poll_wait_seconds))
                for record in records:
                    self._begin(record, progress)
                if self._clock.monotonic() >= keep_at and not (self._changing or self._starting_anew):
                    await self._keep(progress)
                    keep_at = self._clock.monotonic() + KEEP_SECONDS
                if not records:
                    await self._scheduling.sleep(self._scheduling.idle_seconds)
        finally:
            await self._blocking(reader.close)

    def _begin(self, record: Record, progress: Progress) -> None:
        crash_point("gateway.decisions.received")
        progress.begin(record)
        # Not awaited here: one whose flight still asks the network must not hold up those behind it.
        dealing = self._scheduling.spawn(
            self._deal_with(record), f"decision {record.partition}/{record.offset}"
        )
        dealing.add_done_callback(partial(_finish, record, progress))

    async def _deal_with(self, record: Record) -> None:
        try:
            decision = decode(record.value)
            if not isinstance(decision, DecisionMade):
                raise UnreadableEventError("this is not a decision")
        except UnreadableEventError as error:
            reason = error.reason
            await persistently(self._scheduling, lambda: self._bury(record, reason))
            return
        await persistently(self._scheduling, lambda: self._deal(decision))

    async def _bury(self, record: Record, reason: str) -> None:
        letter = dead_letter_of(record, reason, now=self._clock.now())
        await self._store.write(lambda c: self._recorder.record(c, "dead-letters", record.topic, letter))
        self._relay.nudge()

    async def _keep(self, progress: Progress) -> None:
        reached = progress.reached()
        moved = {
            partition: offset for partition, offset in reached.items() if offset != self._kept[partition]
        }
        if moved:
            await self._store.write(lambda c: save_positions(c, self._instance, moved))
            crash_point("gateway.decisions.position")
            self._kept.update(moved)

    async def _forget_position(self) -> None:
        firsts = await self._blocking(lambda: self._log.starts(TOPIC))
        start = {TopicPartition(TOPIC, number): first for number, first in enumerate(firsts)}
        await self._store.write(lambda c: save_positions(c, self._instance, start))

    def _blocking(self, work: Callable[[], T]) -> Awaitable[T]:
        return self._scheduling.run_blocking("decisions", work)


def _poll(reader: Reader, wait_seconds: float) -> list[Record]:
    return reader.poll(BATCH_MAX, wait_seconds)


def _finish(record: Record, progress: Progress, task: "asyncio.Task[None]") -> None:
    # One that failed stays open, so that the next start reads it again.
    if not task.cancelled() and task.exception() is None:
        progress.finish(record)
