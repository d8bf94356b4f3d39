"""A payment that is answered elsewhere is taken in without its vector, and leaves the same state behind."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.controls import Controls
from models.engine import Engine, Fact
from models.observations import Observation
from models.state import EngineState
from models.visits import take_in, visit
from models.windows import MINUTE_US
from tests.unit.models.drawn_facts import drawn_facts
from tests.unit.models.sample_payments import START_US, payment

RATES = Controls.builtin().rates


def told(state: EngineState, facts: Sequence[Fact], followed: Sequence[bool]) -> dict[str, bytes | None]:
    """The rows after these facts; payments are taken in without a vector where `followed` says so."""
    engine = Engine()
    engine.state = state
    for fact, is_followed in zip(facts, followed, strict=True):
        if not isinstance(fact, Observation):
            engine.assess([fact])
        elif is_followed:
            take_in(state, fact, RATES)
        else:
            visit(state, fact, RATES)
    return dict(state.changed_rows())


@given(drawn_facts(), st.randoms(use_true_random=False))
def test_state_is_equal_whether_payments_were_answered_or_only_taken_in(
    facts: Sequence[Fact], chance: random.Random
) -> None:
    answered = told(EngineState(), facts, [False] * len(facts))

    assert told(EngineState(), facts, [True] * len(facts)) == answered
    assert told(EngineState(), facts, [chance.random() < 0.5 for _ in facts]) == answered


def test_a_payment_taken_in_is_known_as_unexplained_by_its_card_or_explained() -> None:
    state = EngineState()
    for number in range(5):
        take_in(state, payment(number, START_US + number * MINUTE_US), RATES)
    take_in(state, payment(9, START_US, card="other"), RATES)
    take_in(state, payment(10, START_US + MINUTE_US, card="other", amount_minor=10_000_000), RATES)

    explained = [
        remembered.explained for n in (0, 2, 3, 4, 9, 10) if (remembered := state.remembered(f"pi_{n}"))
    ]
    assert explained == [False, False, True, True, False, True]
