"""Traffic with everything that changes a decision, for the tests of what flows record."""

import random
from datetime import timedelta

from events.codec import encode
from events.log.port import Outgoing
from events.types import AssessmentRequested, ControlChanged, PaymentDeclined
from models.engine import Engine
from models.learning import Learner, Schedule
from models.observations import ModelSnapshot
from models.scored import MemoryStore, Scored
from pipelines import observe
from pipelines.learning_step import published
from tests.unit.pipelines.standin import START, asked, assessment, label

LEARNED_FROM = 700
SCHEDULE = Schedule(refit_frauds_min=30, refit_genuine_min=100)
"""Small enough that all kinds of models come out of so few payments."""


def payment(number: int) -> AssessmentRequested:
    """Of few cards, devices and merchants, so that most look-ups find something."""
    dice = random.Random(number)
    return assessment(
        number,
        card=f"card{dice.randint(0, 40)}",
        amount_minor=int(dice.lognormvariate(8, 1)) + 1,
        merchant_id=f"m{dice.randint(0, 9)}",
        occurred_at=START + timedelta(seconds=97 * number),
    )


def published_models() -> list[Outgoing]:
    """Models of every kind as the learner sends them, learned from such payments."""
    engine, learner = Engine(), Learner(MemoryStore(), SCHEDULE)
    made: list[ModelSnapshot] = []
    for number in range(LEARNED_FROM):
        (answer,) = engine.assess([observe.observation(payment(number))])
        learner.note_scored([Scored(answer.payment_id, answer.occurred_at_us, answer.features)])
        told = label(number, number % 9 == 0, occurred_at=START + timedelta(days=1, seconds=97 * number))
        made += learner.note_label(observe.label(told))
    return [record for snapshot in made for record in published(snapshot, {})]


def traffic(first: int, count: int) -> list[Outgoing]:
    """Payments from number `first` on, with declines and labels of those before."""
    told: list[Outgoing] = []
    for number in range(first, first + count):
        told.append(asked(payment(number)))
        if number % 5 == 0:
            declined = _declined(number - 3)
            told.append(Outgoing("payments", declined.payment_id.encode(), encode(declined)))
        if number % 7 == 0:
            reported = label(number - 7)
            told.append(Outgoing("labels", reported.payment_id.encode(), encode(reported)))
    return told


def rule(version: int, when: str) -> Outgoing:
    """A rule of the merchant's own, changed."""
    event = ControlChanged(
        id=observe.derived_id("rule", str(version), START),
        occurred_at=START,
        name="own_rule",
        kind="rule",
        version=version,
        body={"action": "review", "when": when, "words": "as we want it"},
    )
    return Outgoing("controls", b"own_rule", encode(event))


def _declined(number: int) -> PaymentDeclined:
    return PaymentDeclined(
        id=observe.derived_id("decline", str(number), START),
        occurred_at=START + timedelta(seconds=97 * number + 5),
        payment_id=f"pi_{number}",
        sequence=2,
        mode="test",
        merchant_id="m1",
        amount_minor=1000,
        currency="EUR",
        attempt=1,
        reason="insufficient_funds",
    )
