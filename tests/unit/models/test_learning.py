"""The learner: snapshots that labels alone decide, and labels of every kind."""

import random
from collections.abc import Sequence

import pytest

from models.averaging import AveragedChampion
from models.challenger import Challenger, given
from models.challenger_learning import scaled_logistic
from models.engine import Engine
from models.feature import Row
from models.learning import Learner, Schedule
from models.observations import ModelSnapshot, Observation
from models.online import BinnedLogisticRegression, linear_values_of_row
from models.scored import Captured, MemoryStore, Scored, in_history, kept
from models.slots import slots_of_row
from models.windows import DAY_US, HOUR_US, MINUTE_US
from tests.unit.models.sample_payments import START_US, days, label, payment


def scored(payments: Sequence[Observation]) -> list[Scored]:
    answers = Engine().assess(payments)
    return [Scored(a.payment_id, a.occurred_at_us, a.features) for a in answers]


def learner_of(count: int = 5, **schedule: float) -> Learner:
    """A learner that knows payments 0 … count - 1, an hour apart."""
    learner = Learner(MemoryStore(), Schedule(**schedule))  # type: ignore[arg-type]  # a test's own keyword arguments
    learner.note_scored(scored([payment(n, START_US + n * HOUR_US) for n in range(count)]))
    return learner


def champion(snapshots: Sequence[ModelSnapshot]) -> BinnedLogisticRegression:
    return BinnedLogisticRegression.decode([s for s in snapshots if s.kind == "online"][-1].state)


def test_a_snapshot_is_cut_when_a_label_passes_a_boundary() -> None:
    learner = learner_of()
    first = learner.note_label(label(0, True, START_US + 10 * MINUTE_US))
    second = learner.note_label(label(1, False, START_US + 70 * MINUTE_US))

    assert first == []
    assert [(s.name, s.in_force_from_us, s.labels) for s in second] == [
        ("champion", START_US + HOUR_US, 1),
        ("scaled_logistic", START_US + HOUR_US, 1),
    ]


def test_a_label_on_a_boundary_belongs_to_it() -> None:
    learner = learner_of()
    learner.note_label(label(0, True, START_US + 10 * MINUTE_US))
    learner.note_label(label(1, True, START_US + HOUR_US))
    cut = learner.cut(START_US + HOUR_US)

    assert champion(cut).learned == 2


def test_a_snapshot_is_in_force_from_the_first_boundary_after_its_labels_however_late_it_is_cut() -> None:
    early, late = learner_of(), learner_of()
    told = label(0, True, START_US + 10 * MINUTE_US)
    early.note_label(told)
    late.note_label(told)

    assert early.cut(START_US + HOUR_US) == late.note_label(label(1, True, START_US + 9 * HOUR_US))


def test_nothing_is_cut_where_no_label_came() -> None:
    learner = learner_of()

    assert learner.cut(START_US + 40 * DAY_US) == []
    learner.note_label(label(0, True, START_US + 40 * DAY_US + 1))
    assert len(learner.cut(START_US + 41 * DAY_US)) == 2
    assert learner.cut(START_US + 42 * DAY_US) == []


def test_the_same_labels_give_the_same_snapshots_whoever_cuts() -> None:
    sample = days(9)
    rows = scored([seen for seen, _ in sample])
    labels = [label(n, fraud, seen.occurred_at_us + DAY_US) for n, (seen, fraud) in enumerate(sample)]
    schedule = Schedule(refit_frauds_min=10, refit_genuine_min=20)
    by_labels, by_hours = Learner(MemoryStore(), schedule), Learner(MemoryStore(), schedule)
    end_us = START_US + 12 * DAY_US
    for learner in (by_labels, by_hours):
        learner.note_scored(rows)

    one = [snapshot for told in labels for snapshot in by_labels.note_label(told)]
    one += by_labels.cut(end_us)
    other = []
    waiting = list(labels)
    for boundary_us in range(START_US, end_us + 1, HOUR_US):
        while waiting and waiting[0].arrived_at_us <= boundary_us:
            other += by_hours.note_label(waiting.pop(0))
        other += by_hours.cut(boundary_us)

    assert one == other
    assert {snapshot.kind for snapshot in one} == {"online", "challenger", "batch"}


def test_a_label_that_comes_twice_teaches_once() -> None:
    learner = learner_of()
    for minute in (5, 6):
        learner.note_label(label(0, True, START_US + minute * MINUTE_US))
    cut = learner.cut(START_US + HOUR_US)

    assert champion(cut).learned == 1
    assert (learner.counts["taught"], learner.counts["confirmed"]) == (1, 1)


def test_a_matured_label_is_unlearned_when_a_report_revokes_it() -> None:
    revoked, straight = learner_of(), learner_of()
    revoked.note_label(label(0, False, START_US + MINUTE_US, kind="matured"))
    revoked.note_label(label(0, True, START_US + 2 * MINUTE_US))
    straight.note_label(label(0, True, START_US + 2 * MINUTE_US))

    after = [champion(learner.cut(START_US + HOUR_US)) for learner in (revoked, straight)]
    kept = abs(after[1].intercept - BinnedLogisticRegression().intercept)
    assert after[0].intercept == pytest.approx(after[1].intercept, abs=kept / 1_000)
    assert [(model.learned, model.frauds) for model in after] == [(1, 1), (1, 1)]
    assert revoked.counts["revoked"] == 1


def test_a_weaker_label_that_contradicts_is_set_aside() -> None:
    learner = learner_of()
    learner.note_label(label(0, False, START_US + MINUTE_US, kind="analyst_verdict"))
    learner.note_label(label(0, True, START_US + 2 * MINUTE_US))
    cut = learner.cut(START_US + HOUR_US)

    assert champion(cut).frauds == 0
    assert learner.counts["set_aside"] == 1


def test_a_label_that_says_nothing_about_fraud_teaches_nothing() -> None:
    learner = learner_of()
    learner.note_label(label(0, None, START_US + MINUTE_US, kind="other_dispute"))

    assert learner.cut(START_US + HOUR_US) == []
    assert learner.counts["silent"] == 1


def test_a_label_of_a_payment_that_was_not_scored_yet_waits_for_it() -> None:
    learner = learner_of(1)
    learner.note_label(label(7, True, START_US + MINUTE_US))
    before = learner.cut(START_US + HOUR_US)
    learner.note_scored(scored([payment(7, START_US)]))
    after = learner.cut(START_US + 2 * HOUR_US)

    assert before == []
    assert champion(after).frauds == 1


def test_a_label_with_a_time_before_the_last_cut_is_learned_with_the_next() -> None:
    learner = learner_of()
    learner.note_label(label(0, True, START_US + 90 * MINUTE_US))
    learner.cut(START_US + 2 * HOUR_US)
    learner.note_label(label(1, True, START_US + 10 * MINUTE_US))
    cut = learner.cut(START_US + 3 * HOUR_US)

    assert cut[0].in_force_from_us == START_US + 3 * HOUR_US
    assert champion(cut).frauds == 2


def test_payments_that_nobody_reported_mature_after_the_horizon() -> None:
    learner = learner_of(3, horizon_days=1.0)
    learner.store.note_captured([Captured(f"pi_{n}", START_US + n * HOUR_US, "live") for n in range(3)])
    learner.note_label(label(1, True, START_US + 2 * HOUR_US))
    learner.cut(START_US + 3 * HOUR_US)
    matured = learner.matured(START_US + DAY_US + 2 * HOUR_US)

    assert [(m.payment_id, m.arrived_at_us, m.fraud, m.mode) for m in matured] == [
        ("pi_0", START_US + DAY_US, False, "live"),
        ("pi_2", START_US + DAY_US + 2 * HOUR_US, False, "live"),
    ]
    for told in matured:
        learner.note_label(told)
    learner.cut(START_US + 2 * DAY_US)
    assert learner.matured(START_US + 9 * DAY_US) == []


def test_the_boosting_is_refitted_every_third_night_where_there_are_enough_labels() -> None:
    sample = days(12)
    learner = Learner(MemoryStore(), Schedule(refit_frauds_min=10, refit_genuine_min=20))
    learner.note_scored(scored([seen for seen, _ in sample]))
    cut = [
        s
        for n, (seen, fraud) in enumerate(sample)
        for s in learner.note_label(label(n, fraud, seen.occurred_at_us))
    ]
    refits = [snapshot.in_force_from_us for snapshot in cut if snapshot.kind == "batch"]

    assert refits
    assert all(moment % (3 * DAY_US) == 0 for moment in refits)


def test_a_learner_read_back_from_its_state_goes_on_with_the_same_bits() -> None:
    chance = random.Random(2)
    rows = scored([payment(n, START_US + n * HOUR_US) for n in range(60)])
    labels = [label(n, chance.random() < 0.3, START_US + n * 40 * MINUTE_US) for n in range(60)]
    straight, stopped, store = Learner(MemoryStore()), Learner(MemoryStore()), MemoryStore()
    for learner in (straight, stopped):
        learner.note_scored(rows)
        for told in labels[:30]:
            learner.note_label(told)
    store.remember(kept(rows))
    resumed = Learner(store)
    resumed.load(stopped.encode())

    one = [snapshot for told in labels[30:] for snapshot in straight.note_label(told)]
    other = [snapshot for told in labels[30:] for snapshot in resumed.note_label(told)]
    assert one == other
    assert len(one) > 20


def test_all_frauds_and_a_fixed_share_of_the_genuine_payments_make_the_history() -> None:
    names = [f"pi_{n}" for n in range(10_000)]

    assert all(in_history(name, True) for name in names)
    kept = [name for name in names if in_history(name, False)]
    assert 0.28 < len(kept) / len(names) < 0.32
    assert kept == [name for name in names if in_history(name, False)]


def test_a_store_forgets_what_is_older_than_it_keeps() -> None:
    store = MemoryStore(keep_days=1)
    rows = scored([payment(n, START_US + n * 6 * HOUR_US) for n in range(10)])
    for payment_row in kept(rows):
        store.remember([payment_row])

    assert set(store.find([f"pi_{n}" for n in range(10)])) == {"pi_5", "pi_6", "pi_7", "pi_8", "pi_9"}


class OneByOne:
    """The champion one label after the other, and River's own pipeline: what the learner must equal."""

    def __init__(self) -> None:
        self.champion, self.average = BinnedLogisticRegression(), AveragedChampion()
        pipeline = scaled_logistic()
        self._scaler, self.model = pipeline["StandardScaler"], pipeline["LogisticRegression"]

    def learn(self, row: Row, fraud: bool, weight: float = 1.0) -> None:
        slots = [slot for slot in slots_of_row(row) if slot]
        self.champion.learn(slots, linear_values_of_row(row), fraud, weight)
        if weight > 0:
            known = dict(given(row))
            self._scaler.learn_one(known)
            self.model.learn_one(self._scaler.transform_one(known), fraud)

    def revoke(self, row: Row, fraud: bool) -> None:
        self.learn(row, fraud, weight=-1.0)
        self.learn(row, not fraud)

    def at_cut(self) -> tuple[bytes, dict[str, float], float]:
        self.average.follow(self.champion)
        return self.average.model.encode(), dict(self.model.weights), self.model.intercept


def test_snapshots_are_those_of_models_that_learn_one_label_after_the_other() -> None:
    """The learner takes labels in batches, from packed vectors and without River: the bits are the same."""
    sample = days(12)
    rows = scored([seen for seen, _ in sample])
    learner, reference = Learner(MemoryStore()), OneByOne()
    learner.note_scored(rows)
    snapshots = []
    for number, (seen, fraud) in enumerate(sample):
        at_us = seen.occurred_at_us + DAY_US
        snapshots += learner.note_label(label(number, fraud, at_us))
        if number % 7 == 0:
            learner.note_label(label(number, not fraud, at_us, "analyst_verdict"))
    assert learner.counts["revoked"] > 100

    online = [snapshot for snapshot in snapshots if snapshot.kind == "online"]
    shadows = [Challenger.decode(one.state) for one in snapshots if one.kind == "challenger"]
    waiting = list(zip(range(len(sample)), sample, rows, strict=True))
    for cut, shadow in zip(online, shadows, strict=True):
        while waiting and waiting[0][1][0].occurred_at_us + DAY_US <= cut.in_force_from_us:
            number, (_, fraud), (_, _, row) = waiting.pop(0)
            reference.learn(row, fraud)
            if number % 7 == 0:
                reference.revoke(row, fraud)
        assert (cut.state, shadow.weights, shadow.intercept) == reference.at_cut()
