"""What is left out when the machine falls far behind its plan: stories, honest and not, in equal measure.

A story is brought whole or not at all. The first of each fraud scenario, and the first by UPI, is always
brought.
"""

import random

from simulator.traffic.steps import SCENARIOS, Planned, Purchase

LAG_SECONDS_MAX = 5.0
LAG_SECONDS_GOOD = 1.0
SHARE_MIN = 0.02
ALWAYS = frozenset(f"{story} 0" for story in (*SCENARIOS, "upi"))


class Thinning:
    """Keeps a share of the stories that shrinks while the run lags, and grows again when it keeps up."""

    def __init__(self, seed: int) -> None:
        self.left_out = 0
        self._seed = seed
        self._share = 1.0
        self._kept: dict[str, bool] = {}

    def keeps(self, step: Planned, *, lag_seconds: float) -> bool:
        """Whether to live this step, now `lag_seconds` late; counts the purchases that are left out."""
        if lag_seconds > LAG_SECONDS_MAX:
            self._share = max(SHARE_MIN, self._share * 0.95)
        elif lag_seconds < LAG_SECONDS_GOOD:
            self._share = min(1.0, self._share * 1.02)
        if step.story not in self._kept:
            drawn = random.Random(f"{self._seed} {step.story}").random()
            self._kept[step.story] = step.story in ALWAYS or drawn < self._share
        kept = self._kept[step.story]
        self.left_out += not kept and isinstance(step, Purchase)
        return kept
