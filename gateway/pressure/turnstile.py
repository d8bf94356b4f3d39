"""A turnstile: so many requests at once, the others in a short queue for each merchant.

Who has the fewest inside is let in next, so that a flood waits for itself alone. A queue that has not been
empty for a while is no burst but more than can be done: who joins it then has almost no time (the idea of
CoDel, Nichols and Jacobson 2012, as Maurer's "Fail at Scale", 2015, has it for requests). So nobody waits
long for a refusal, and what is let in is answered while its caller is still there.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gateway.metrics import ADMISSION_REFUSED, ADMISSION_WAITING, PLACES, PLACES_TAKEN
from gateway.pressure.adapting import FIRST, LEAST, share_max
from gateway.pressure.errors import OverloadedError

WAITING_MAX = 64
"""Of one merchant: what a process does in the time that the last of them would wait."""

WAIT_SECONDS_MAX = 0.3
"""In a queue that was empty a moment ago: a burst passes in less, and a shopper hardly sees it."""

STANDING_SECONDS = 0.5
"""A queue that has not been empty for so long stands."""

STANDING_WAITING_MAX, STANDING_WAIT_SECONDS_MAX = 4, 0.05
"""Of a queue that stands: enough to take up what becomes free, and no more."""

ALWAYS, IN_USE_MAX = 4, 2 * FIRST
"""Of `LEAST` places or more, so many of a merchant are let in though all places are taken, up to so many in
all: where a limit has just fallen beneath a flood, nobody else is to wait until enough of that has left."""

AFTER_SECONDS_MAX = 3
"""Who is refused may come again after one to so many seconds: drawn, lest all come at once."""


class Party(NamedTuple):
    """Whose requests stand in one queue: of publishable keys, which anybody may send, in their own."""

    merchant_id: str
    mode: str
    publishable: bool = False


class _Queue:
    def __init__(self, since: float) -> None:
        self.since = since
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turnstile:
    """`limit` requests of a kind at once. Used in one event loop, whose time it goes by.

    `drawn` gives a whole number from 0 to 255, for the seconds after which a refused one may come again.
    """

    def __init__(self, limit: int, drawn: Callable[[], int], kind: str = "write") -> None:
        self._limit = limit
        self._drawn = drawn
        self._inside: Counter[Party] = Counter()
        self._queues: dict[Party, _Queue] = {}  # none is empty
        self.in_use = 0
        self.in_use_max = 0
        """The most since `take_in_use_max` was called."""
        self.refused = 0
        """How many were refused so far."""
        self._refusals = ADMISSION_REFUSED.labels(kind)
        PLACES.labels(kind).set_function(lambda: self._limit)
        PLACES_TAKEN.labels(kind).set_function(lambda: self.in_use)
        ADMISSION_WAITING.labels(kind).set_function(lambda: self.waiting)

    @property
    def limit(self) -> int:
        """How many may be inside; a lower one lets nobody in until enough have left."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._let_in()

    @property
    def waiting(self) -> int:
        """How many wait, of all parties."""
        return sum(len(queue.waiting) for queue in self._queues.values())

    def take_in_use_max(self) -> int:
        """The most that were inside at once since the last call."""
        most, self.in_use_max = self.in_use_max, self.in_use
        return most

    def require_room(self, party: Party) -> None:
        """For what goes before a visit and is not counted itself; raises `OverloadedError`."""
        if self.is_closed_to(party):
            raise self.refusal()

    def is_closed_to(self, party: Party) -> bool:
        """Whether one more of this party would be refused without a wait."""
        queue = self._queues.get(party)
        if queue is None:
            return False
        return len(queue.waiting) >= (STANDING_WAITING_MAX if self._stands(queue) else WAITING_MAX)

    def refusal(self, after_seconds: int | None = None) -> OverloadedError:
        """What to tell one more that is refused; None: drawn."""
        self.refused += 1
        self._refusals.inc()
        return OverloadedError(after_seconds or 1 + self._drawn() % AFTER_SECONDS_MAX)

    async def enter(self, party: Party) -> None:
        """Come in, perhaps after a short wait; raises `OverloadedError`. Who is in must `leave`, once."""
        turn = self.ask(party)
        if turn is None:
            return
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self.leave(party)  # its turn came just as it was told to go
            raise

    def ask(self, party: Party) -> "asyncio.Future[None] | None":
        """Come in (None), or get a turn: done when it is in, with an `OverloadedError` after too long a wait.

        Raises `OverloadedError` where there is not even a queue. Whoever cancels a turn waits no longer.
        """
        if self._has_room(party):
            self._take_in(party)
            return None
        if self.is_closed_to(party):
            raise self.refusal()
        return self._turn(party)

    def leave(self, party: Party) -> None:
        """Make room for the next."""
        self.in_use -= 1
        self._inside[party] -= 1
        if not self._inside[party]:
            del self._inside[party]
        self._let_in()

    def _has_room(self, party: Party) -> bool:
        """Nobody of those who wait has, but for this moment: who leaves lets them in."""
        inside = self._inside[party]
        if self._limit >= LEAST and inside < ALWAYS and self.in_use < IN_USE_MAX:
            return True
        return self.in_use < self._limit and inside < share_max(self._limit)

    def _take_in(self, party: Party) -> None:
        self.in_use += 1
        self.in_use_max = max(self.in_use_max, self.in_use)
        self._inside[party] += 1

    def _turn(self, party: Party) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        queue = self._queues.get(party)
        if queue is None:
            queue = self._queues[party] = _Queue(loop.time())
        seconds = STANDING_WAIT_SECONDS_MAX if self._stands(queue) else WAIT_SECONDS_MAX
        turn: asyncio.Future[None] = loop.create_future()
        queue.waiting.append(turn)
        giving_up = loop.call_later(seconds, self._give_up, party, turn)
        turn.add_done_callback(partial(self._ended, party, giving_up))
        return turn

    def _ended(self, party: Party, giving_up: asyncio.TimerHandle, turn: "asyncio.Future[None]") -> None:
        giving_up.cancel()
        self._drop(party, turn)  # a canceled one is still there

    def _stands(self, queue: _Queue) -> bool:
        return asyncio.get_running_loop().time() - queue.since > STANDING_SECONDS

    def _let_in(self) -> None:
        while waiting := [party for party in self._queues if self._has_room(party)]:
            party = min(waiting, key=self._inside.__getitem__)
            turn = self._queues[party].waiting[0]
            self._drop(party, turn)
            if not turn.done():  # else it was canceled just now
                self._take_in(party)
                turn.set_result(None)

    def _give_up(self, party: Party, turn: "asyncio.Future[None]") -> None:
        if not turn.done():
            self._drop(party, turn)
            turn.set_exception(self.refusal())

    def _drop(self, party: Party, turn: "asyncio.Future[None]") -> None:
        """Take one out of its queue, and with the last one the queue."""
        queue = self._queues.get(party)
        if queue is not None and turn in queue.waiting:
            queue.waiting.remove(turn)
            if not queue.waiting:
                del self._queues[party]
