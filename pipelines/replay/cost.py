"""What a replay costs: CPU by what it is spent on, and the time that it takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Part = Literal["telling", "scoring", "learning", "refits", "writing"]
"""Making payments and labels of a file's rows; vectors, scores and decisions; what labels teach; fits of the
boosting, which cost by the day and not by the payment; keeping what was decided."""


def _nothing_yet() -> dict[Part, float]:
    return {"telling": 0.0, "scoring": 0.0, "learning": 0.0, "refits": 0.0, "writing": 0.0}


@dataclass
class Cost:
    """CPU-seconds of this process by part (none where they were not measured), and wall seconds of the run.

    >>> cost = Cost(wall_seconds=3.0, refits_wall_seconds=1.0, payments=1_000)
    >>> cost.payments_per_second_without_refits
    500.0
    """

    cpu_seconds: dict[Part, float] = field(default_factory=_nothing_yet)
    wall_seconds: float = 0.0
    refits_wall_seconds: float = 0.0
    """Of `wall_seconds`."""
    payments: int = 0
    _within: float = 0.0

    @property
    def payments_per_second(self) -> float:
        """Payments per wall second."""
        return self.payments / self.wall_seconds if self.wall_seconds else 0.0

    @property
    def payments_per_second_without_refits(self) -> float:
        """The same with the refits left out."""
        seconds = self.wall_seconds - self.refits_wall_seconds
        return self.payments / seconds if seconds else 0.0

    @contextmanager
    def of(self, part: Part) -> Iterator[None]:
        """Counts what happens meanwhile to a part, but for what is counted inside of it to another."""
        outer, self._within = self._within, 0.0
        started, wall_started = time.process_time(), time.monotonic()
        try:
            yield
        finally:
            spent = time.process_time() - started
            self.cpu_seconds[part] += spent - self._within
            self._within = outer + spent
            if part == "refits":
                self.refits_wall_seconds += time.monotonic() - wall_started
