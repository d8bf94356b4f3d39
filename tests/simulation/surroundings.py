"""The log and the risk engine of a story: real records, own faults, decisions early, late or never."""

from collections import defaultdict, deque
from collections.abc import Sequence
from random import Random
from typing import Any

from events.clock import Clock
from events.codec import decode, encode
from events.errors import LogUnavailableError
from events.log.port import Outgoing, Position
from events.types import AssessmentRequested
from tests.gateway_world import ObedientRisk
from tests.memory_log import MemoryLog
from tests.simulation.processes import IDLE_SECONDS


class SimulatedLog(MemoryLog):
    """Now and then away, or silent about what it has taken: then the records come twice."""

    def __init__(self, world: Any, random: Random) -> None:
        super().__init__()
        self._world = world
        self._random = random
        self._badness = random.choice((0.0, 0.0, 0.03, 0.2))

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        struck = not self._world.calm and self._random.random() < self._badness
        if struck and self._random.random() < 0.5:
            raise LogUnavailableError("the log is away")
        before = len(self.written)
        places = super().append(records)
        for record in self.written[before:]:
            self._world.appended(record)
        self._world.stillness.recorded()
        if struck:
            self._world.tell("the log takes records and does not say so")
            raise LogUnavailableError("the log has not answered")
        return places


class VirtualLimiter:
    """Counts requests in seconds of the story."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._passed: dict[str, deque[float]] = defaultdict(deque)

    async def let(self, key: str, per_second: int) -> bool:
        passed, now = self._passed[key], self._clock.monotonic()
        while passed and passed[0] <= now - 1:
            passed.popleft()
        if len(passed) >= per_second:
            return False
        passed.append(now)
        return True

    async def close(self) -> None:
        return


class SimulatedRisk:
    """Decides each attempt once: in time, late or never; its reply may stand on the log twice."""

    def __init__(self, world: Any, log: SimulatedLog, random: Random) -> None:
        self._world = world
        self._random = random
        self._log = log
        self._engine = ObedientRisk(log)
        self._seen: set[tuple[str, int]] = set()
        self.decided: dict[tuple[str, int], str] = {}
        self._outcomes = random.choice(("allow", "mixed", "mixed", "mixed"))

    def take(self, record: Any) -> None:
        """An assessment has reached the log."""
        request = decode(record.value)
        assert isinstance(request, AssessmentRequested)
        if (key := (request.payment_id, request.attempt)) not in self._seen:
            self._seen.add(key)
            self._world.spawn(self._decide(*key, record), "risk")

    async def _decide(self, payment_id: str, attempt: int, record: Any) -> None:
        random = self._random
        when = random.choice(("early", "early", "in time", "late", "later", "never"))
        if when == "never":
            return
        low, high = {"early": (0, 0.02), "in time": (0, 0.3), "late": (0.2, 2), "later": (1, 20)}[when]
        outcome = "allow" if self._outcomes == "allow" else random.choice(("allow", "review", "block"))
        await self._world.sleep(random.uniform(low, high))
        self._world.tell(f"decision {outcome} on {payment_id[:8]}_{attempt}")
        self._engine.outcome = outcome
        self.decided[payment_id, attempt] = outcome
        decision = self._engine.made(payment_id, attempt, record)
        reply = Outgoing("decisions", record.key, encode(decision), record.partition)
        for _ in range(random.choice((1, 1, 1, 2))):
            while not self._appended(reply):
                await self._world.sleep(IDLE_SECONDS)
            await self._world.sleep(random.choice((0, 0.01, 1, 5)))

    def _appended(self, reply: Outgoing) -> bool:
        try:
            self._log.append([reply])
        except LogUnavailableError:
            return False
        return True
