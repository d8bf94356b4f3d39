"""Rates and latencies by second, over the last minutes."""

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from dashboards.in_force import AttemptKey

SECONDS_KEPT = 120
LATENCIES_PER_SECOND_MAX = 500
LATENCIES_KEPT = 2_000
ATTEMPTS_KEPT = 20_000
"""Whose second is remembered, so that a later word moves them from one outcome to the other there."""


@dataclass
class Second:
    """What was decided within one second of the page's own clock."""

    number: int
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)


class Seconds:
    """The last two minutes, second by second."""

    def __init__(self) -> None:
        self._seconds: deque[Second] = deque(maxlen=SECONDS_KEPT)
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._decided_in: OrderedDict[AttemptKey, Second] = OrderedDict()

    def decided(
        self, now_seconds: float, attempt: AttemptKey, outcome: str, before: str | None = None
    ) -> None:
        """Count an attempt that has its outcome now; one that had another `before` stays in its second."""
        second = self._decided_in.get(attempt)
        if second is None:
            if before is not None:  # decided before anyone looked, or too long ago
                return
            second = self._decided_in[attempt] = self._second(int(now_seconds))
            if len(self._decided_in) > ATTEMPTS_KEPT:
                self._decided_in.popitem(last=False)
        elif before is not None:
            second.outcomes[before] -= 1
        second.outcomes[outcome] += 1

    def answered(self, now_seconds: float, latency_ms: float) -> None:
        """Take the latency of an answer of the engine, seen now."""
        second = self._second(int(now_seconds))
        self._latencies_ms.append(latency_ms)
        if len(second.latencies_ms) < LATENCIES_PER_SECOND_MAX:
            second.latencies_ms.append(latency_ms)

    def per_second(self, now_seconds: float, over_seconds: int = 10) -> float:
        """Decisions a second over the last whole seconds."""
        newest = int(now_seconds)
        counted = sum(
            second.outcomes.total()
            for second in self._seconds
            if newest - over_seconds <= second.number < newest
        )
        return counted / over_seconds

    def latency_ms(self, share: float) -> float | None:
        """A percentile of the latest latencies; None without any."""
        return percentile(self._latencies_ms, share) if self._latencies_ms else None

    def series(self, now_seconds: float) -> dict[str, list[float | None]]:
        """One value a second, oldest first: decisions by outcome, and latency percentiles."""
        by_number = {second.number: second for second in self._seconds}
        newest = int(now_seconds)
        window = [
            by_number.get(number, Second(number)) for number in range(newest - SECONDS_KEPT + 1, newest + 1)
        ]
        return {
            "ago": [float(second.number - newest) for second in window],
            **{
                outcome: [float(second.outcomes[outcome]) for second in window]
                for outcome in ("allow", "review", "block")
            },
            "p50": [_rounded(second.latencies_ms, 0.5) for second in window],
            "p95": [_rounded(second.latencies_ms, 0.95) for second in window],
        }

    def _second(self, number: int) -> Second:
        if not self._seconds or self._seconds[-1].number < number:
            self._seconds.append(Second(number))
        return self._seconds[-1]


def percentile(values: Collection[float], share: float) -> float:
    """The nearest-rank percentile of at least one value.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    rank = max(1, math.ceil(len(values) * share))
    return sorted(values)[rank - 1]


def _rounded(values: Collection[float], share: float) -> float | None:
    return round(percentile(values, share), 1) if values else None
