"""One month on one time line: honest shopping and fraud, in order of time, from one seed."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from simulator.traffic.population import Population
from simulator.traffic.scenarios import fraud
from simulator.traffic.shopping import by_upi, honest
from simulator.traffic.steps import Planned, Purchase

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 30.0
PURCHASES_PER_PERSON = 8
UPI_SHARE = 0.01
"""Of all purchases, on top of them: enough to be seen."""


@dataclass(frozen=True)
class Month:
    """A plan: what will be tried, in order of time."""

    start: datetime
    days: float
    steps: list[Planned]

    @property
    def purchases(self) -> int:
        """How many of the steps are purchases."""
        return sum(isinstance(step, Purchase) for step in self.steps)


def plan(seed: int, purchases: int, start: datetime = START, days: float = DAYS) -> Month:
    """About `purchases` purchases in `days` days; the same seed gives the same month."""
    draw = random.Random(f"{seed} month")
    population = Population(seed, max(12, purchases // PURCHASES_PER_PERSON))
    steps = list(fraud(draw, population, purchases, start, days))
    dishonest = sum(isinstance(step, Purchase) for step in steps)
    steps += honest(draw, population, max(2, purchases - dishonest), start, days)
    # Drawn apart, so that all others stay as they were.
    upi = max(1, round(purchases * UPI_SHARE))
    steps += by_upi(random.Random(f"{seed} upi"), population, upi, start, days)
    return Month(start, days, sorted(steps, key=lambda step: step.at))
