"""What every model promises: River's own checks, a state without pickle, delayed progressive validation."""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from river import checks, evaluate, metrics
from sklearn.metrics import roc_auc_score

from models.anomaly import ColdStart
from models.blending import blended, cold_share
from models.challenger import FEATURES, Challenger, values_of
from models.challenger_learning import ChallengerLearner, scaled_logistic
from models.feature import Row
from models.features import CATALOGUE, POSITIONS
from models.odds import sigmoid
from models.online import BinnedLogisticRegression
from models.slots import active_slots, numbers_of, slots_of


class _Kept(Protocol):
    def encode(self) -> bytes: ...


def stream(count: int, seed: int = 4) -> Iterator[tuple[dict[str, float], bool]]:
    """Frauds are large for their card and come in bursts."""
    chance = random.Random(seed)
    for _ in range(count):
        fraud = chance.random() < 0.1
        yield (
            {
                "amount_reference_minor": chance.lognormvariate(8 + fraud, 1),
                "card_amount_z": chance.gauss(4 if fraud else 0, 1.5),
                "card_count_1h": float(chance.randrange(1, 6) if fraud else chance.randrange(2)),
                "hour": float(chance.randrange(24)),
            },
            fraud,
        )


def row_of(x: dict[str, float]) -> Row:
    row: Row = [None] * len(CATALOGUE)
    for name, value in x.items():
        row[POSITIONS[name]] = value
    return row


def learned_champion() -> BinnedLogisticRegression:
    model = BinnedLogisticRegression()
    for x, y in stream(400):
        model.learn_one(x, y)
    return model


def learned_challenger() -> ChallengerLearner:
    model = ChallengerLearner()
    for x, y in stream(400):
        model.learn(values_of(row_of(x)), y)
    return model


def learned_cold_start() -> ColdStart:
    model = ColdStart()
    for x, _ in stream(700):
        model.score_and_learn(row_of(x))
    return model


def river_checks() -> list[Any]:
    return [
        pytest.param(model, check, id=f"{name}-{place}-{check.__name__}")
        for name, model in (("champion", BinnedLogisticRegression()), ("challenger", scaled_logistic()))
        for place, check in enumerate(checks.yield_checks(model))
        if check.__name__ not in model._unit_test_skips()
    ]


@pytest.mark.parametrize(("model", "check"), river_checks())
def test_it_passes_rivers_own_checks(model: Any, check: Callable[[Any], None]) -> None:
    check(model.clone())


@pytest.mark.parametrize(
    ("model", "decode"),
    [
        (learned_champion, BinnedLogisticRegression.decode),
        (learned_challenger, lambda state: ChallengerLearner.of(Challenger.decode(state))),
        (learned_cold_start, ColdStart.decode),
    ],
)
def test_its_state_goes_through_bytes_and_goes_on_with_the_same_bits(
    model: Callable[[], Any], decode: Callable[[bytes], Any]
) -> None:
    kept = model()
    again = decode(encoded(kept))

    assert encoded(again) == encoded(kept)
    for x, y in stream(300, seed=8):
        assert told(kept, x, y) == told(again, x, y)
    assert encoded(again) == encoded(kept)


def encoded(model: Any) -> bytes:
    kept: _Kept = model.learned if isinstance(model, ChallengerLearner) else model
    return kept.encode()


def told(model: Any, x: dict[str, float], y: bool) -> float:
    """A model's answer, and then its lesson."""
    if isinstance(model, ColdStart):
        return model.score_and_learn(row_of(x))[0]
    if isinstance(model, ChallengerLearner):
        answer = model.learned.probability(row_of(x))
        model.learn(values_of(row_of(x)), y)
        return answer
    answer = float(model.predict_proba_one(x)[True])
    model.learn_one(x, y)
    return answer


def test_the_champion_ranks_under_delayed_progressive_validation() -> None:
    timed = ((dict(x, moment=n), y) for n, (x, y) in enumerate(stream(3_000)))
    model = WithoutMoment(learning_rate=0.05, base_rate=0.1)
    found = evaluate.progressive_val_score(
        timed, model, metrics.ROCAUC(n_thresholds=50), moment="moment", delay=200, print_every=0
    )

    assert found.get() > 0.9


class WithoutMoment(BinnedLogisticRegression):
    """The champion, blind to the clock that the evaluation needs."""

    def learn_one(self, x: dict[Any, Any], y: Any) -> None:
        super().learn_one({name: value for name, value in x.items() if name != "moment"}, y)

    def predict_proba_one(self, x: dict[Any, Any]) -> dict[bool, float]:
        return super().predict_proba_one({name: value for name, value in x.items() if name != "moment"})


def test_the_challenger_ranks_under_delayed_progressive_validation() -> None:
    pairs = list(stream(3_000))
    model, scores = ChallengerLearner(), []
    for n, (x, _) in enumerate(pairs):
        scores.append(model.learned.probability(row_of(x)))
        if n >= 200:
            past, truth = pairs[n - 200]
            model.learn(values_of(row_of(past)), truth)

    assert roc_auc_score([y for _, y in pairs], scores) > 0.85


def test_the_challenger_learns_what_its_river_pipeline_learns_to_the_last_bit() -> None:
    """Also from values that are missing, all alike, or so large that the loss is flat."""
    learner, pipeline, chance = ChallengerLearner(), scaled_logistic(), random.Random(5)
    for _ in range(3_000):
        size = chance.choice([1e-3, 1.0, 1e6])
        x = {name: size * chance.gauss(0, 1) for name in FEATURES[1:] if chance.random() < 0.7}
        x = {FEATURES[0]: 7.0, **x}
        y = chance.random() < 0.1
        # As `river.compose` learns: the scaler first, then the model on what it scaled.
        pipeline["StandardScaler"].learn_one(x)
        pipeline["LogisticRegression"].learn_one(pipeline["StandardScaler"].transform_one(x), y)
        learner.learn(values_of(row_of(x)), y)

    scaler, model = pipeline["StandardScaler"], pipeline["LogisticRegression"]
    learned = learner.learned
    assert list(learned.counts.items()) == list(scaler.counts.items())
    assert learned.means == dict(scaler.means)
    assert learned.variances == dict(scaler.vars)
    assert learned.weights == dict(model.weights)
    assert learned.intercept == model.intercept


@pytest.mark.parametrize("size", [2, 7, 300])
def test_the_challenger_learns_many_labels_at_once_with_the_same_bits(size: int) -> None:
    chance = random.Random(6)
    labels = [
        ([chance.choice((float("nan"), chance.gauss(5, 100))) for _ in FEATURES], chance.random() < 0.2)
        for _ in range(300)
    ]
    alone, together = ChallengerLearner(), ChallengerLearner()
    for values, fraud in labels:
        alone.learn(values, fraud)
    for first in range(0, len(labels), size):
        rows, frauds = zip(*labels[first : first + size], strict=True)
        together.learn_all(rows, frauds)

    assert together.learned.encode() == alone.learned.encode()


def test_what_the_challenger_has_learned_scores_as_its_pipeline_does() -> None:
    learned, pipeline = learned_challenger().learned, scaled_logistic()
    for x, y in stream(400):
        known = {name: value for name, value in x.items() if name in FEATURES}
        pipeline["StandardScaler"].learn_one(known)
        pipeline["LogisticRegression"].learn_one(pipeline["StandardScaler"].transform_one(known), y)

    for x, _ in [*stream(300, seed=9), ({}, False), ({"card_count_1h": 2.0, "ip_cards_1d": 1.0}, False)]:
        known = {name: value for name, value in x.items() if name in FEATURES}
        rivers = pipeline.predict_proba_one(known)[True]
        assert learned.probability(row_of(x)) == pytest.approx(rivers, rel=1e-12)


def test_the_champions_rows_and_its_dictionaries_have_the_same_bits() -> None:
    model = learned_champion()
    pairs = list(stream(200, seed=3))
    rows = [row_of(x) for x, _ in pairs]
    numbers = numbers_of(rows)

    at_once = [sigmoid(logit) for logit in model.logits(numbers, slots_of(rows, numbers)).tolist()]
    assert at_once == [model.predict_proba_one(x)[True] for x, _ in pairs]


def test_a_step_back_undoes_a_step_nearly() -> None:
    model = learned_champion()
    x = {"card_amount_z": 3.0, "card_count_1h": 2.0}
    before = model.predict_proba_one(x)[True]
    row = row_of(x)
    slots = active_slots(slots_of([row], numbers_of([row])))[0]
    model.learn(slots, [0.0], True)
    moved = model.predict_proba_one(x)[True]
    model.learn(slots, [0.0], True, weight=-1.0)

    assert abs(model.predict_proba_one(x)[True] - before) < 0.2 * abs(moved - before)


def test_the_cold_start_finds_the_unusual_without_a_label() -> None:
    model = learned_cold_start()
    usual = model.score_and_learn(
        row_of({"amount_reference_minor": 3_000.0, "card_amount_z": 0.0, "card_count_1h": 0.0})
    )
    unusual = model.score_and_learn(
        row_of({"amount_reference_minor": 3e6, "card_amount_z": 12.0, "card_count_1h": 60.0})
    )

    assert unusual[0] > usual[0]
    assert unusual[1] > 0 <= usual[1]


def test_the_detectors_share_falls_as_labels_come_and_never_below_zero() -> None:
    assert [cold_share(*told) for told in ((0, 0), (100, 0), (210, 10), (10_000, 500))] == [
        1.0,
        1.0,
        0.5,
        0.0,
    ]
    assert math.isclose(blended(2.0, 3.0, -4.0, 0.25), 0.75 * 2.0 + 0.25 * -1.0)
