"""How many payments a second suit this machine: measured on ordinary purchases of the day before."""

import random
from datetime import datetime, timedelta
from typing import TypeGuard

from simulator.traffic.population import CHALLENGED_CARDS, Population
from simulator.traffic.run import Run
from simulator.traffic.shopping import honest
from simulator.traffic.steps import Planned, Purchase

TRIAL_PURCHASES_MAX = 80
TRIAL_PEOPLE = 12
TRIAL_SHARE = 0.1
"""Of the seconds that the month shall take; never longer than `TRIAL_SECONDS_MAX`."""
TRIAL_SECONDS_MAX = 5.0
UTILIZATION = 0.6
"""Above it payments would queue, and a confirm would show the queue instead of the platform."""
WORK_PER_PURCHASE = 1.3
"""Sign-ins, captures, reports and reviews that come with a purchase, in purchases."""
RATE_MIN, RATE_MAX = 2.0, 40.0
RATE_SHOWN_MIN = 4.0
"""A month of fewer purchases has too little fraud to learn from: a slow machine takes longer instead."""
STRETCH_MAX = 2.5
"""How many times the seconds that were asked for a slow machine takes at most."""


async def measured(run: Run, seed: int, start: datetime, seconds: float) -> float:
    """Payments a second at which the machine is busy for about `UTILIZATION` of the time."""
    population = Population(seed, TRIAL_PEOPLE)
    draw = random.Random(f"{seed} trial")
    steps = honest(draw, population, TRIAL_PURCHASES_MAX, start - timedelta(days=1), 1.0)
    purchases = sorted((step for step in steps if _is_quick(step)), key=lambda step: step.at)
    trial_seconds = min(TRIAL_SECONDS_MAX, seconds * TRIAL_SHARE)
    return suiting(await run.purchases_per_second(purchases, trial_seconds))


def _is_quick(step: Planned) -> TypeGuard[Purchase]:
    """Whether nobody has to type a code first."""
    return isinstance(step, Purchase) and step.card.number not in CHALLENGED_CARDS


def suiting(carried: float) -> float:
    """The rate to plan for where the machine carries at most `carried` purchases a second.

    >>> round(suiting(13.0), 1), suiting(0.1), suiting(1000.0)
    (6.0, 2.0, 40.0)
    """
    return min(RATE_MAX, max(RATE_MIN, carried * UTILIZATION / WORK_PER_PURCHASE))


def month_of(rate: float, seconds: float) -> tuple[int, float]:
    """How many purchases the month shall have, and the seconds that they take at this rate.

    >>> month_of(10.0, 60.0), month_of(2.0, 60.0), month_of(1.0, 60.0)
    ((600, 60.0), (240, 120.0), (150, 150.0))
    """
    purchases = seconds * min(max(rate, RATE_SHOWN_MIN), rate * STRETCH_MAX)
    return round(purchases), purchases / rate
