"""A Bytewax source over the log port: batches of decoded events, resumed at exactly the next one.

One partition reads every topic of its worker through one reader. It starts at the next offset of each
partition and after the number of a batch; batches after it are read again in the order the journal kept. Each
batch says where the source is once it is taken in, for those who keep that with what they made of it. Topics
that must come first (controls, models) are read to their present ends before anything else.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue
from threading import Event as Flag
from typing import NamedTuple

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from structlog import get_logger

from events.errors import PositionLostError
from events.log.port import Log, Reader, Record, TopicPartition
from pipelines.catching_up import CatchingUp
from pipelines.delivery import Batch, delivered
from pipelines.order import COMPACTED, OrderJournal
from pipelines.order_file import OrderedBatch, Run, runs_of

BATCH_RECORDS = 512
"""Largest batch: about 30 ms of scoring, which bounds how long a reply waits for its neighbors."""

CATCH_UP_WAIT_SECONDS = 0.05
"""How long one poll waits while it reads again or catches up; nobody waits for a reply then."""

ONLY_PART = "0"
"""The one partition of a flow with one worker."""


class BatchOrder(NamedTuple):
    """One batch that someone else puts together: which records, in which order, and what is known by then."""

    runs: Sequence[Run]
    labels_until_us: int | None = None


Positions = dict[TopicPartition, int]


@dataclass(frozen=True)
class Feed:
    """What a flow reads: topics, of which `first` come first; where it starts when it has nothing to resume.

    `batch`: the number of the last batch before `start`. `journal` None: the order after a restart may be
    another one. `script`: batches are not read as they come but as this queue says. `until`: the flow ends,
    as if told to stop, once all before these offsets is read; what stands behind is not. `rest_seconds`: how
    long to rest when all there was is read, so that more comes at once (None: 1 ms, and only where there was
    nothing). `reached` is filled with the next offset of each partition, for whoever looks from another
    thread.
    """

    log: Log
    topics: Sequence[str]
    first: Sequence[str] = ()
    start: Mapping[str, int] = field(default_factory=dict)
    batch: int = 0
    journal: OrderJournal | None = None
    script: "Queue[BatchOrder] | None" = None
    until: Mapping[str, int] | None = None
    rest_seconds: float | None = None
    part: str = ONLY_PART
    stop: Flag = field(default_factory=Flag)
    ready: Callable[[], None] = lambda: None
    reached: Positions = field(default_factory=dict)


class LogSource(FixedPartitionedSource[tuple[str, Batch], None]):
    """The source of a flow. `ready` is called once, when live reading begins; `stop` ends it cleanly."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def list_parts(self) -> list[str]:
        return [self._feed.part]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_Part":
        del step_id, for_part, resume_state
        return _Part(self._feed)


class _Part(StatefulSourcePartition[tuple[str, Batch], None]):
    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._journal = feed.journal
        self._positions = feed.reached
        self._positions |= start_positions(feed, feed.start)
        self._number = feed.batch
        self._catching_up = CatchingUp(self._behind(), time.monotonic())
        self._has_read_all = False
        self._batches = self._phases()

    def next_batch(self) -> list[tuple[str, Batch]]:
        if self._feed.stop.is_set():
            # As if the input had ended: Bytewax then closes the epoch, so that the state is safe.
            raise StopIteration
        batch = next(self._batches)
        self._has_read_all = batch is None or len(batch.delivered) < BATCH_RECORDS
        if batch is None:
            return []
        self._number += 1
        self._tell(len(batch.delivered))
        return [(self._feed.part, batch._replace(number=self._number, reached=self._positions.copy()))]

    def next_awake(self) -> datetime | None:
        if self._feed.rest_seconds is None or not self._has_read_all:
            return None
        return datetime.now(UTC) + timedelta(seconds=self._feed.rest_seconds)

    def snapshot(self) -> None:
        """Where it is stands in each batch."""

    def close(self) -> None:
        self._batches.close()

    def _behind(self) -> int:
        ends = {topic: self._feed.log.ends(topic) for topic in self._feed.topics}
        return sum(ends[place.topic][place.partition] - at for place, at in self._positions.items())

    def _tell(self, records: int) -> None:
        told = self._catching_up.took(records, time.monotonic())
        if told is not None:
            get_logger().warning("catching up with the log", **told._asdict())

    def _phases(self) -> Generator[Batch | None, None, None]:
        """Batches, or None where there is nothing to read just now."""
        if self._journal is not None:
            yield from self._as_noted(self._journal.after(self._number))
        if self._feed.script is not None:
            self._feed.ready()
            yield from self._again(_as_it_comes(self._feed.script))
            return
        yield from self._caught_up()
        self._feed.ready()
        with closing(self._feed.log.reader(self._positions)) as reader:
            while not self._has_read_until():
                yield self._noted([one for one in reader.poll(BATCH_RECORDS, 0.0) if self._is_wanted(one)])

    def _has_read_until(self) -> bool:
        until = self._feed.until
        return until is not None and all(
            self._positions[place] >= until.get(f"{place.topic}/{place.partition}", 0)
            for place in self._positions
        )

    def _is_wanted(self, record: Record) -> bool:
        until = self._feed.until
        return until is None or record.offset < until.get(f"{record.topic}/{record.partition}", 0)

    def _as_noted(self, batches: Iterable[OrderedBatch]) -> Iterator[Batch]:
        """Batches of the journal once more. What the log may have dropped since, the journal has itself."""
        places = {place: at for place, at in self._positions.items() if place.topic not in COMPACTED}
        with closing(self._feed.log.reader(places)) as reader:
            ahead = ReadAhead(reader)
            for batch in batches:
                records = ahead.batch(batch)
                self._advance(records)
                yield Batch([delivered(record) for record in records])

    def _again(self, batches: Iterable[BatchOrder | None]) -> Iterator[Batch | None]:
        """Batches of exactly these records in exactly this order."""
        with closing(self._feed.log.reader(self._positions)) as reader:
            ahead = ReadAhead(reader)
            for order in batches:
                if order is None:
                    yield None
                    continue
                records = [record for run in order.runs for record in ahead.take(run)]
                self._advance(records)
                yield Batch([delivered(record) for record in records], order.labels_until_us)

    def _caught_up(self) -> Iterator[Batch | None]:
        """The topics that come first, up to where they end now."""
        ends = {
            TopicPartition(topic, number): end
            for topic in self._feed.first
            for number, end in enumerate(self._feed.log.ends(topic))
        }
        start = {place: self._positions[place] for place in ends}
        with closing(self._feed.log.reader(start)) as reader:
            while any(self._positions[place] < end for place, end in ends.items()):
                # The last record of a partition is never compacted away, so its end is reached.
                yield self._noted(reader.poll(BATCH_RECORDS, CATCH_UP_WAIT_SECONDS))

    def _noted(self, records: list[Record]) -> Batch | None:
        if not records:
            return None
        if self._journal is not None:
            kept = [record for record in records if record.topic in COMPACTED]
            self._journal.note(self._number + 1, runs_of(records), kept)
        self._advance(records)
        return Batch([delivered(record) for record in records])

    def _advance(self, records: Sequence[Record]) -> None:
        for record in records:
            self._positions[TopicPartition(record.topic, record.partition)] = record.offset + 1


def _as_it_comes(script: "Queue[BatchOrder]") -> Iterator[BatchOrder | None]:
    while True:
        try:
            yield script.get_nowait()
        except Empty:
            yield None


class ReadAhead:
    """Records of each partition that came before it was their turn."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: dict[TopicPartition, deque[Record]] = {}

    def batch(self, batch: OrderedBatch) -> list[Record]:
        """The records of a batch of the journal."""
        kept = iter(batch.kept)
        records: list[Record] = []
        for run in batch.runs:
            if run.topic in COMPACTED:
                records += _through(kept, run.last)
            else:
                records += self.take(run)
        return records

    def take(self, run: Run) -> list[Record]:
        """The records of a run; those that compaction has removed since are missing."""
        waiting = self._waiting.setdefault(TopicPartition(run.topic, run.partition), deque())
        while not waiting or waiting[-1].offset < run.last:
            for record in self._reader.poll(BATCH_RECORDS, CATCH_UP_WAIT_SECONDS):
                place = TopicPartition(record.topic, record.partition)
                self._waiting.setdefault(place, deque()).append(record)
        taken: list[Record] = []
        while waiting and waiting[0].offset <= run.last:
            taken.append(waiting.popleft())
        return taken


def _through(kept: Iterator[Record], last: int) -> Iterator[Record]:
    """The next of the kept records, up to the one at this offset."""
    for record in kept:
        yield record
        if record.offset >= last:
            return


def start_positions(feed: Feed, saved: Mapping[str, int]) -> Positions:
    """Next offset of every partition: the saved one, else the first that can be read.

    Raises `PositionLostError` where a saved offset lies outside of the log: skipping or replaying silently
    would lose or double what stands between.
    """
    positions: Positions = {}
    for topic in feed.topics:
        starts, ends = feed.log.starts(topic), feed.log.ends(topic)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            position = saved.get(f"{topic}/{number}", start)
            if not start <= position <= end:
                raise PositionLostError(
                    f"{topic}/{number}: the saved position {position} is not in the log, which holds {start} "
                    f"to {end}. Is this the log that the flow's state was made from?"
                )
            positions[TopicPartition(topic, number)] = position
    return positions


def written_positions(positions: Mapping[TopicPartition, int]) -> dict[str, int]:
    """Positions as `topic/partition`, the form in which they are kept."""
    return {f"{place.topic}/{place.partition}": offset for place, offset in positions.items()}
