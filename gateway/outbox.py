"""Transactional outbox: events are rows of the commit that makes them true; a relay puts them on the log.

Rows leave in the order of their numbers, so the events of one payment keep their order. A row goes when the
log has acknowledged it; a crash in between sends it again, and consumers drop it by its event id.

Of several processes on one store one relays for all, and the others wake it. There rows may be committed
after others with higher numbers (never two of one payment: its commits follow each other), so that the relay
looks for whatever it has not sent, not for what stands behind it.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import JSON, BigInteger, Connection, String, bindparam, cast, delete, func, insert, select

from events.codec import encode
from events.crash import crash_point, declare
from events.errors import LogUnavailableError
from events.log.appends import record_appends
from events.log.port import Log, Outgoing
from events.tracing import is_tracing
from events.types import Event
from gateway.errors import UnavailableError
from gateway.metrics import OUTBOX_ROWS, OUTBOX_SECONDS, OUTBOX_UNSENT
from gateway.scheduling import Scheduling
from gateway.store.statements import Statement
from gateway.store.tables import outbox
from gateway.store.turns import turn
from gateway.store.writer import Store

declare(
    {
        "gateway.outbox.before_append": "events are durable in the store and not on the log",
        "gateway.outbox.after_append": "events are on the log and still in the outbox: they will come twice",
        "gateway.outbox.after_forget": "events are on the log and gone from the outbox",
    }
)

BATCH_MAX = 512
POLL_SECONDS = 0.5
"""How often the relay looks unasked: other programs (`weir api-keys`, …) put rows in and cannot nudge."""
RELAY_RETRY_SECONDS = 0.5
"""Between two tries to send or to forget while the log or the store is away."""

GATHER_SECONDS = 0.05
"""How long sent rows wait to be deleted together: a crash meanwhile sends them again."""

# Inline: nobody needs the number that the row gets.
_INSERT = Statement(insert(outbox).inline())
_NEXT = Statement(
    select(outbox).where(outbox.c.id > bindparam("sent_to")).order_by(outbox.c.id).limit(BATCH_MAX)
)
# Numbers as one JSON text: however many there are, the statement has one form.
_GIVEN = bindparam("numbers", type_=String)
_EACH = {
    "sqlite": select(func.json_each(_GIVEN).table_valued("value").c.value),
    "postgresql": select(cast(func.json_array_elements_text(cast(_GIVEN, JSON)), BigInteger)),
}
_NEXT_OF_ALL = Statement(
    select(outbox).where(outbox.c.id.not_in(_EACH["postgresql"])).order_by(outbox.c.id).limit(BATCH_MAX)
)
# Two looks into the primary key, however many rows there are.
_ENDS = Statement(
    select(
        select(func.min(outbox.c.id)).scalar_subquery().label("first"),
        select(func.max(outbox.c.id)).scalar_subquery().label("last"),
    )
)
_DELETE = {name: Statement(delete(outbox).where(outbox.c.id.in_(each))) for name, each in _EACH.items()}


def backlog(connection: Connection) -> int:
    """How many events wait in the outbox, or at most so many: numbers may have gaps."""
    first, last = _ENDS.all(connection, {})[0]
    return 0 if first is None else int(last - first + 1)


def enqueue(connection: Connection, topic: str, key: str, event: Event) -> None:
    """Add an event to the work's own commit."""
    _INSERT.add(connection, {"topic": topic, "key": key.encode(), "value": encode(event)})


class _Row(NamedTuple):
    id: int
    topic: str
    key: bytes
    value: bytes


class Relay:
    """Moves rows of the outbox to the log, as soon as it is nudged."""

    def __init__(
        self, store: Store, log: Log, scheduling: Scheduling, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._store = store
        self._log = log
        self._scheduling = scheduling
        self._poll_seconds = poll_seconds
        self._nudged = asyncio.Event()
        self._sent_to = 0
        self._forgetting: list[int] = []
        self._turn = turn(store, scheduling, "outbox")
        self._logger = structlog.get_logger("gateway.outbox")

    def nudge(self) -> None:
        """Something was committed that waits for the log."""
        self._nudged.set()

    async def run(self) -> None:
        """Relay until canceled; an unreachable log or store is tried again."""
        while True:
            # Before the look, so that a nudge while it goes on is not lost.
            self._nudged.clear()
            try:
                await self.drain()
            except (LogUnavailableError, UnavailableError) as error:
                self._logger.warning("events wait in the outbox", error=type(error).__name__)
                await self._scheduling.sleep(RELAY_RETRY_SECONDS)
                continue
            await self._scheduling.wait(self._nudged, self._poll_seconds)

    async def listen(self) -> None:
        """Be nudged by other processes, on a store that has several, until canceled."""
        while True:
            try:
                if await self._turn.called(self._scheduling.poll_wait_seconds):
                    self.nudge()
                await self._scheduling.sleep(self._scheduling.idle_seconds)
            except UnavailableError:
                await self._scheduling.sleep(RELAY_RETRY_SECONDS)

    async def drain(self) -> None:
        """Send all that is waiting now; where another process relays, wake it."""
        full = True
        while full:
            rows = await self._turn.read(self._next_rows) or []
            full = len(rows) == BATCH_MAX
            OUTBOX_UNSENT.set(len(rows))
            if rows:
                await self._append([Outgoing(row.topic, row.key, row.value) for row in rows])
                self._sent_to = rows[-1].id
                self._forget(row.id for row in rows)

    def close(self) -> None:
        """Leave it to other processes; nothing may run."""
        self._turn.close()

    async def _append(self, records: list[Outgoing]) -> None:
        crash_point("gateway.outbox.before_append")
        began, began_ns = time.perf_counter(), time.time_ns()
        await self._scheduling.run_blocking("log-appends", lambda: self._log.append(records))
        OUTBOX_SECONDS.observe(time.perf_counter() - began)
        OUTBOX_ROWS.inc(len(records))
        OUTBOX_UNSENT.set(0)
        if is_tracing():
            record_appends(records, began_ns)
        crash_point("gateway.outbox.after_append")

    def _next_rows(self, connection: Connection) -> list[_Row]:
        if self._store.is_shared:
            found = _NEXT_OF_ALL.all(connection, {"numbers": json.dumps(self._forgetting)})
        else:
            found = _NEXT.all(connection, {"sent_to": self._sent_to})
        return [_Row(*row) for row in found]

    def _forget(self, numbers: Iterable[int]) -> None:
        # Beside the next append, not before it: a decision that is waited for may stand behind.
        idle = not self._forgetting
        self._forgetting.extend(numbers)
        if idle:
            self._scheduling.spawn(self._delete_sent(), "outbox-forget")

    async def _delete_sent(self) -> None:
        while self._forgetting:
            await self._scheduling.sleep(GATHER_SECONDS)
            numbers = list(self._forgetting)
            try:
                await self._store.write(partial(_delete, numbers))
            except UnavailableError:
                await self._scheduling.sleep(RELAY_RETRY_SECONDS)
                continue
            crash_point("gateway.outbox.after_forget")
            # More may have been sent meanwhile, and wait for the next turn.
            del self._forgetting[: len(numbers)]


def _delete(numbers: list[int], connection: Connection) -> None:
    _DELETE[connection.dialect.name].add(connection, {"numbers": json.dumps(numbers)})
