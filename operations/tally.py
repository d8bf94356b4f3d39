"""What a demo run amounted to: counted from the simulator's own record, which alone knows the truth."""

import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dashboards.ranking import average_precision
from dashboards.seconds import percentile

ALARMS = ("review", "block")
LATENCIES_KEPT = 100_000
SCORED_KEPT = 200_000
FALLBACK_SHARE_MAX = 0.01
HONEST = "honest"
PART_DAYS = 10


@dataclass
class Tally:
    """Counts of one run, and how it may be judged."""

    days: float = 0.0
    left_out: int = 0
    ended: bool = False
    decisions: Counter[str] = field(default_factory=Counter)
    fallbacks: int = 0
    by_scenario: dict[str, Counter[str]] = field(default_factory=dict)
    methods: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    learned: int = 0
    breaks_off: bool = False
    """From then on calls fail because they are broken off: that is no error."""
    planned_rate: float | None = None
    frauds_by_part: Counter[int] = field(default_factory=Counter)
    """By part of the month (`PART_DAYS`), as is what was caught of them."""
    caught_by_part: Counter[int] = field(default_factory=Counter)
    known_frauds: set[str] = field(default_factory=set)
    """Payments that a label called fraud."""
    _confirm_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    _scored: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=SCORED_KEPT))

    def take(self, line: str) -> None:
        """One line of the simulator's record; what is no record (a stray print) is passed over."""
        try:
            told = json.loads(line)
        except ValueError:
            return
        match told.get("kind") if isinstance(told, dict) else None:
            case "payment":
                self._payment(told)
            case "label":
                self.labels[told["label"]] += 1
                if told["fraud"]:
                    self.known_frauds.add(told["payment"])
            case "plan":
                self.planned_rate = told["rate"]
            case "error" if not self.breaks_off:
                self.errors[f"{told['what']}: {told['why']}"] += 1
            case "progress" | "end":
                self.left_out = told["left_out"]
                self.days = max(self.days, told.get("days", 0.0))
                self.ended = told["kind"] == "end"

    @property
    def payments(self) -> int:
        """Payments that were sent, of all scenarios."""
        return sum(counts["payments"] for counts in self.by_scenario.values())

    @property
    def frauds(self) -> int:
        """Those of them that were fraud."""
        return sum(counts["payments"] for name, counts in self.by_scenario.items() if name != HONEST)

    @property
    def caught(self) -> int:
        """Frauds that were blocked or held."""
        return sum(_alarms(counts) for name, counts in self.by_scenario.items() if name != HONEST)

    @property
    def declined(self) -> int:
        """Payments that the bank declined. Which of them Weir would have held, no merchant is told."""
        return sum(counts["declined"] for counts in self.by_scenario.values())

    @property
    def passed(self) -> int:
        """Payments that nobody stopped."""
        return self.decisions["allow"] - self.declined

    @property
    def false_alarms(self) -> int:
        """Honest payments that were blocked or held."""
        return _alarms(self.by_scenario.get(HONEST, Counter()))

    @property
    def fallback_share(self) -> float:
        """The share of decisions that a fallback made, 0 to 1."""
        decided = self.decisions.total()
        return self.fallbacks / decided if decided else 0.0

    def answered_after(self, milliseconds: float) -> tuple[int, int]:
        """How many confirms took longer, and of how many (the latest that are kept)."""
        return sum(took > milliseconds for took in self._confirm_ms), len(self._confirm_ms)

    def average_precision(self) -> float | None:
        """Of the risk scores that the API answered with, against the truth."""
        return average_precision(self._scored)

    def confirm_ms(self, share: float) -> float | None:
        """A percentile of the time from a confirm to its answer, as the shopper's side sees it."""
        return percentile(self._confirm_ms, share) if self._confirm_ms else None

    def faults(self) -> Iterator[str]:
        """Why this run does not count as good, each in a sentence."""
        if not self.ended:
            yield "The traffic broke off before the month was over."
        if not self.decisions:
            yield "No payment was decided."
        if self.fallback_share > FALLBACK_SHARE_MAX:
            yield (
                f"{self.fallbacks} of {self.decisions.total()} decisions were fallbacks "
                f"({self.fallback_share:.1%}, at most {FALLBACK_SHARE_MAX:.0%} are good): the risk flow was "
                "later than the deadline."
            )
        if not self.labels:
            yield "No label was reported."
        elif not self.learned:
            yield f"None of {self.labels.total()} reported labels was learned: no model snapshot holds one."

    def _payment(self, told: dict[str, Any]) -> None:
        # Progress is told seldom where the rate is low: the day goes on with its payments, too.
        self.days = max(self.days, told["day"])
        counts = self.by_scenario.setdefault(told["scenario"] or HONEST, Counter())
        counts["payments"] += 1
        self.methods[told["method"]] += 1
        decision = told["decision"]
        if told["fraud"]:
            part = max(0, int(told["day"] // PART_DAYS))
            self.frauds_by_part[part] += 1
            self.caught_by_part[part] += decision in ALARMS
        if decision is None:
            counts["undecided"] += 1
            return
        self.decisions[decision] += 1
        self.fallbacks += not told["assessed"]
        counts[decision] += 1
        counts["declined"] += decision == "allow" and told["decline"] is not None
        self._confirm_ms.append(told["confirm_ms"])
        if told["risk_score"] is not None:
            self._scored.append((told["risk_score"], told["fraud"]))


def _alarms(counts: Counter[str]) -> int:
    return sum(counts[outcome] for outcome in ALARMS)
