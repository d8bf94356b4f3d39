"""The orders that the flows of a home recorded, and their batches with what stood on the log."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from events.log.port import Log, Record, TopicPartition
from events.log.reading import WAIT_SECONDS
from pipelines.delivery import Delivered, delivered
from pipelines.errors import NotInLogError
from pipelines.flow_homes import FLOWS_MAX, former_orders, home_of
from pipelines.order import COMPACTED, kept_order
from pipelines.order_file import OrderedBatch, Run
from pipelines.share import Share

_POLL_RECORDS = 512


class RecordedOrder(NamedTuple):
    """What one flow recorded. `flow` is its number: a batch of another's was copied with that one's state."""

    folder: Path
    flow: int


class RecordedBatch(NamedTuple):
    """A batch as the flow took it in. `answered`: what it answered of it; None: another record tells."""

    number: int
    share: Share
    answered: Share | None
    delivered: list[Delivered]


def recorded_orders(home: Path) -> list[RecordedOrder]:
    """Of the present flows first, then of former ones. Raises `NotInLogError` where there is none."""
    folders = [home_of(home, flow) / "order" for flow in range(FLOWS_MAX)] + former_orders(home)
    orders = [RecordedOrder(folder, int(folder.parent.name)) for folder in folders if folder.exists()]
    if not orders:
        raise NotInLogError(f"no risk flow has recorded anything in {home}: is this the home?")
    return orders


class RecordedBatches:
    """The batches of one order from its beginning. A reader for each partition: each goes at its own pace,
    and what is read ahead stays small, however unlike the topics' rates are.
    """

    def __init__(self, log: Log, order: RecordedOrder) -> None:
        self._log, self._order = log, order
        self._places: dict[TopicPartition, _Place] = {}
        self._readers = ExitStack()

    def __iter__(self) -> Iterator[RecordedBatch]:
        """Raises `NotInLogError` where the log does not hold what was read, and what `kept_order` does."""
        with self._readers:
            for batch in kept_order(self._order.folder):
                share = Share(batch.header.flow, batch.header.flows)
                answered = share if share.flow == self._order.flow else None
                records = self._records(batch)
                yield RecordedBatch(batch.number, share, answered, [delivered(record) for record in records])

    def _records(self, batch: OrderedBatch) -> list[Record]:
        kept = iter(batch.kept)
        records: list[Record] = []
        for run in batch.runs:
            if run.topic in COMPACTED:
                for record in kept:
                    records.append(record)
                    if record.offset >= run.last:
                        break
            else:
                records += self._place(run).through(run)
        return records

    def _place(self, run: Run) -> "_Place":
        place = TopicPartition(run.topic, run.partition)
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = _Place(self._log, place, run.first)
            self._readers.enter_context(closing(found.reader))
        return found


class _Place:
    """One partition, read forward from the first record that the flow read of it."""

    def __init__(self, log: Log, place: TopicPartition, first: int) -> None:
        start, end = log.starts(place.topic)[place.partition], log.ends(place.topic)[place.partition]
        if not start <= first < end:
            raise NotInLogError(
                f"{place.topic}/{place.partition}: the flow read from {first} on, the log holds {start} to "
                f"{end}. Is this the log that the flow read?"
            )
        self.reader = log.reader({place: first})
        self._ahead: deque[Record] = deque()

    def through(self, run: Run) -> list[Record]:
        """The records of a run, which follows the one before."""
        while not self._ahead or self._ahead[-1].offset < run.last:
            records = self.reader.poll(_POLL_RECORDS, WAIT_SECONDS)
            if not records:
                raise NotInLogError(
                    f"{run.topic}/{run.partition}: the flow read up to {run.last}, which the log has not "
                    f"given for {WAIT_SECONDS:.0f} s. Is this the log that the flow read?"
                )
            self._ahead += records
        taken: list[Record] = []
        while self._ahead and self._ahead[0].offset <= run.last:
            taken.append(self._ahead.popleft())
        return taken
