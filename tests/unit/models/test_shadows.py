"""Challengers in shadow: any number beside the models that decide, each recorded by name."""

import random

import numpy as np
import pytest

from events.vocabulary import ModelKind
from models.boosting import fit
from models.challenger import values_of
from models.challenger_learning import ChallengerLearner
from models.engine import Engine
from models.errors import StateRowError
from models.feature import Row
from models.features import CATALOGUE, POSITIONS
from models.observations import ModelSnapshot
from models.online import BinnedLogisticRegression
from models.scorer import FEW_ROWS, Scorer
from models.slots import NUMBER_COLUMNS, NUMERIC
from tests.unit.models.rows import row_with
from tests.unit.models.sample_payments import START_US, payment


def champion(seed: int = 1) -> bytes:
    dice, model = random.Random(seed), BinnedLogisticRegression()
    for _ in range(300):
        amount = dice.lognormvariate(8, 2)
        model.learn_one({"amount_reference_minor": amount, "card_amount_z": dice.gauss(0, 3)}, amount > 9_000)
    return model.encode()


def scaled() -> bytes:
    learner, dice = ChallengerLearner(), random.Random(2)
    for _ in range(100):
        amount = dice.lognormvariate(8, 2)
        row = row_with(amount_reference_minor=amount, card_amount_z=dice.gauss(0, 3))
        learner.learn(values_of(row), amount > 9_000)
    return learner.learned.encode()


def boosted() -> bytes:
    numbers = np.zeros((200, len(NUMERIC)))
    numbers[:, NUMBER_COLUMNS["amount_reference_minor"]] = range(0, 20_000, 100)
    return fit(numbers, numbers.sum(axis=1) >= 9_000).encode()


STATES: dict[ModelKind, bytes] = {"online": champion(), "challenger": scaled(), "batch": boosted()}
FIVE: list[tuple[str, ModelKind]] = [
    ("champion", "online"),
    ("boosting", "batch"),
    ("another_champion", "online"),
    ("scaled_logistic", "challenger"),
    ("another_boosting", "batch"),
]


def snapshot(name: str, kind: ModelKind, state: bytes, version: int = 1) -> ModelSnapshot:
    return ModelSnapshot(name=name, kind=kind, version=version, in_force_from_us=0, labels=0, state=state)


def scorer_of(*models: tuple[str, ModelKind]) -> Scorer:
    scorer = Scorer()
    for name, kind in models:
        assert scorer.use(snapshot(name, kind, STATES[kind]))
    return scorer


def rows(count: int) -> list[Row]:
    dice, made = random.Random(3), []
    for _ in range(count):
        row: Row = [None] * len(CATALOGUE)
        for name in NUMERIC:
            if name != "boosting_logit" and dice.random() < 0.7:
                row[POSITIONS[name]] = dice.choice([0.0, 1.0, dice.gauss(0, 5), dice.lognormvariate(8, 2)])
        row[POSITIONS["card_country"]] = dice.choice(["IN", "DE", None])
        made.append(row)
    return made


def test_a_few_rows_alone_score_with_the_bits_that_they_have_among_many() -> None:
    together, alone, apart = rows(5 * FEW_ROWS), rows(5 * FEW_ROWS), rows(5 * FEW_ROWS)

    whole = scorer_of(*FIVE).score(together)

    scorer = scorer_of(*FIVE)
    assert [scorer.score([row])[0] for row in alone] == whole
    firsts = range(0, len(apart), FEW_ROWS)
    assert [score for first in firsts for score in scorer.score(apart[first : first + FEW_ROWS])] == whole
    assert alone == together == apart  # the boosting's log-odds in them


def test_every_challenger_is_recorded_with_each_decision() -> None:
    engine = Engine()
    for name, kind in FIVE:
        engine.use(snapshot(name, kind, STATES[kind]))

    [answer] = engine.assess([payment(1, START_US)])

    assert answer.challengers.keys() == {"another_champion", "scaled_logistic", "another_boosting"}


def test_a_copy_of_the_champion_in_shadow_says_what_the_champion_says() -> None:
    scorer = scorer_of(*FIVE)
    scorer.champion.learned, scorer.champion.frauds = 10_000, 1_000  # the detector rests

    for score in scorer.score(rows(40)):
        assert score.challengers["another_champion"] == score.probability


def test_challengers_decide_nothing() -> None:
    deciding = [(name, kind) for name, kind in FIVE if name in ("champion", "boosting")]

    with_challengers, without = scorer_of(*FIVE).score(rows(40)), scorer_of(*deciding).score(rows(40))

    assert [score.probability for score in with_challengers] == [score.probability for score in without]


def test_an_empty_state_takes_a_challenger_out_for_good() -> None:
    engine = Engine()
    engine.use(snapshot("scaled_logistic", "challenger", STATES["challenger"]))
    engine.use(snapshot("scaled_logistic", "challenger", b"", version=2))
    again = Engine()
    again.load([(row, value) for row, value in engine.changed_rows().items() if value is not None])

    for each in (engine, again):
        assert each.assess([payment(1, START_US)])[0].challengers == {}
        assert not each.scorer.use(snapshot("scaled_logistic", "challenger", STATES["challenger"]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("champion", "batch"),
        ("champion", "challenger"),
        ("boosting", "online"),
        ("", "online"),
        ("É", "batch"),
    ],
)
def test_a_deciding_name_with_another_kind_or_no_name_at_all_is_refused(name: str, kind: ModelKind) -> None:
    with pytest.raises(StateRowError):
        Scorer().use(snapshot(name, kind, STATES[kind]))


def test_the_models_that_decide_cannot_be_taken_out() -> None:
    for name, kind in FIVE[:2]:
        with pytest.raises(StateRowError):
            scorer_of(*FIVE).use(snapshot(name, kind, b"", version=2))
