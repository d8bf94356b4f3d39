"""What the live page shows, kept up to date from the events of the log, in bounded memory.

It holds no personal field: surrogates, sealed members and addresses are never copied out of an event. Latency
is what the log shows: the time from seeing a question to seeing its answer.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import singledispatchmethod
from typing import TypeVar

from dashboards.in_force import AttemptKey, InForce
from dashboards.latest import Latest
from dashboards.learning import Learning
from dashboards.rows import AttemptRow, asked, marked, row, sentence
from dashboards.seconds import Seconds
from events.types import (
    AssessmentRequested,
    DecisionMade,
    Event,
    LabelReported,
    ModelPublished,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentBlocked,
    PaymentCanceled,
    PaymentCaptured,
    PaymentDecidedLate,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundFailed,
)
from events.vocabulary import Ruling

EARLY_MAX = 25
WAITING_MAX = 5_000
SCORES_MAX = 20_000
LABELED_MAX = 4_000

K = TypeVar("K")
V = TypeVar("V")


class LiveView:
    """All that the page shows. Not shared between threads without a lock."""

    def __init__(self) -> None:
        self.changes = 0
        self.rows = Latest()
        self.payments: Counter[str] = Counter()
        self.seconds = Seconds()
        self.learning = Learning()
        self._waiting: OrderedDict[AttemptKey, tuple[AssessmentRequested, float | None]] = OrderedDict()
        # Topics are read side by side: an answer may be seen before its question.
        self._early: OrderedDict[AttemptKey, DecisionMade] = OrderedDict()
        self._in_force = InForce()
        self._rulings: OrderedDict[AttemptKey, Ruling] = OrderedDict()
        self._awaiting_payer: OrderedDict[str, int] = OrderedDict()
        self._scores: OrderedDict[str, float] = OrderedDict()
        self._labeled: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._now = 0.0
        self._live = True
        self._stale_precision = False
        # Bound once: to bind it anew takes longer than most events.
        self._take_one: Callable[[Event], None] = self._take

    def take(self, event: Event, now_seconds: float, *, live: bool = True) -> None:
        """Take one event in, seen at `now_seconds` (monotonic).

        Not `live`: it was on the log before anyone looked, so that seeing it tells no latency and no rate.
        """
        self._now, self._live = now_seconds, live
        self.changes += 1
        self._take_one(event)

    def refresh(self) -> None:
        """Bring what is costly up to date; call before showing."""
        if self._stale_precision:
            self._stale_precision = False
            self.learning.judge(self._labeled.values())

    @property
    def outcomes(self) -> Counter[str]:
        """Attempts by the outcome that is in force."""
        return self._in_force.counted

    @property
    def decided(self) -> int:
        """All attempts with an outcome so far."""
        return self.outcomes.total()

    @property
    def awaiting_payer(self) -> int:
        """Payments whose payer has to do something first, or whose merchant has to confirm once more."""
        return len(self._awaiting_payer)

    @singledispatchmethod
    def _take(self, event: Event) -> None:
        """Other events change nothing here."""

    @_take.register
    def _(self, event: AssessmentRequested) -> None:
        attempt = (event.payment_id, event.attempt)
        decision = self._early.pop(attempt, None)
        if decision is None:
            _keep(self._waiting, attempt, (event, self._now if self._live else None), WAITING_MAX)
        else:
            self._add(row(event, decision, None))

    @_take.register
    def _(self, event: DecisionMade) -> None:
        attempt = (event.payment_id, event.attempt)
        question = self._waiting.pop(attempt, None)
        _keep(self._scores, event.payment_id, event.probability, SCORES_MAX)
        latency_ms = self._since(question[1]) if question else None
        if latency_ms is not None:
            self.seconds.answered(self._now, latency_ms)
        # What was done without it stands until a late decision acts.
        if attempt not in self._in_force:
            self._put_in_force(attempt, event.outcome)
        if question is None:
            _keep(self._early, attempt, event, EARLY_MAX)
        else:
            self._add(row(question[0], event, latency_ms))

    @_take.register
    def _(self, event: PaymentActionRequired) -> None:
        _keep(self._awaiting_payer, event.payment_id, event.attempt, WAITING_MAX)
        self._rule(event, event.ruling)
        self._show((event.payment_id, event.attempt))

    @_take.register
    def _(self, event: PaymentCanceled) -> None:
        self._no_longer_awaited(event.payment_id)

    @_take.register
    def _(self, event: PaymentAuthorized) -> None:
        self._no_longer_awaited(event.payment_id)
        self.payments["authorized"] += 1
        self.payments["fallback"] += not event.assessed
        self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentDeclined) -> None:
        self._no_longer_awaited(event.payment_id)
        self.payments["lapsed" if event.lapsed else "declined"] += 1
        self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentBlocked) -> None:
        self._no_longer_awaited(event.payment_id)
        self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentDecidedLate) -> None:
        if event.effect == "marked":
            self.payments["marked"] += 1
            self.rows.mark(marked(event))
        else:
            self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentRefunded) -> None:  # noqa: ARG002  # dispatch is by type
        self.payments["refunded"] += 1

    @_take.register
    def _(self, event: PaymentRefundFailed) -> None:
        self.payments["marked"] += 1
        self.rows.mark(marked(event))

    @_take.register
    def _(self, event: PaymentCaptured) -> None:  # noqa: ARG002  # dispatch is by type
        self.payments["captured"] += 1

    @_take.register
    def _(self, event: LabelReported) -> None:
        self.learning.counted[event.kind] += 1
        self.learning.latest_at = max(self.learning.latest_at or event.occurred_at, event.occurred_at)
        score = self._scores.get(event.payment_id)
        if event.fraud is not None and score is not None:
            _keep(self._labeled, event.payment_id, (score, event.fraud), LABELED_MAX)
            self._stale_precision = True

    @_take.register
    def _(self, event: ModelPublished) -> None:
        self.learning.versions[event.name] = event.version
        if event.kind == "online":
            self.learning.labels = event.labels
            self._stale_precision = True
            self.refresh()

    def _rule(
        self,
        event: PaymentActionRequired
        | PaymentAuthorized
        | PaymentDeclined
        | PaymentBlocked
        | PaymentDecidedLate,
        ruling: Ruling | None,
    ) -> None:
        """Show what was done where that is not what the engine said in time."""
        attempt = (event.payment_id, event.attempt)
        if ruling is not None:
            self._put_in_force(attempt, ruling.outcome)
        if ruling is None or (ruling.by == "engine" and not isinstance(event, PaymentDecidedLate)):
            return
        _keep(self._rulings, attempt, ruling, WAITING_MAX)
        if attempt in self._waiting and attempt not in self.rows:
            self._add(asked(self._waiting[attempt][0]))
        else:
            self._show(attempt)

    def _no_longer_awaited(self, payment_id: str) -> None:
        attempt = self._awaiting_payer.pop(payment_id, None)
        if attempt is not None:
            self._show((payment_id, attempt))

    def _put_in_force(self, attempt: AttemptKey, outcome: str) -> None:
        before = self._in_force.put(attempt, outcome)
        # What was decided before anyone looked belongs to no second of the page's own clock.
        if self._live:
            self.seconds.decided(self._now, attempt, outcome, before)

    def _add(self, line: AttemptRow) -> None:
        self.rows.add(line)
        self._show((line.payment, line.attempt))

    def _show(self, attempt: AttemptKey) -> None:
        payment_id, number = attempt
        self.rows.change(attempt, waits=self._awaiting_payer.get(payment_id) == number)
        if (ruling := self._rulings.get(attempt)) is not None:
            self.rows.change(
                attempt,
                outcome=ruling.outcome,
                risk_score=ruling.risk_score,
                reasons=(sentence(ruling.text),),
            )

    def _since(self, seen_at: float | None) -> float | None:
        return None if seen_at is None or not self._live else (self._now - seen_at) * 1000


def _keep(kept: OrderedDict[K, V], key: K, value: V, size_max: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > size_max:
        kept.popitem(last=False)
