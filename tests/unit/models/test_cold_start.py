"""The detector of the cold start, from the first payment on."""

import random

from models.anomaly import SCORES_MIN, WINDOW
from models.engine import Engine
from models.observations import Assessment, Observation
from models.windows import MINUTE_US

CUSTOMERS, MERCHANTS = 60, 20
UNTIL = 2 * WINDOW + SCORES_MIN


def paid(number: int, amount_minor: int, **members: str) -> Observation:
    return Observation(
        payment_id=f"pi_{number}",
        occurred_at_us=number * 5 * MINUTE_US,
        amount_minor=amount_minor,
        currency="EUR",
        **{"card": f"card_{number % CUSTOMERS}", "merchant": f"shop_{number % MERCHANTS}", **members},
    )


def ordinary(engine: Engine, count: int) -> list[Assessment]:
    chance = random.Random(5)
    return engine.assess([paid(number, round(chance.lognormvariate(8, 0.6))) for number in range(count)])


def test_never_is_more_than_a_fifth_of_fifty_ordinary_payments_in_a_row_held() -> None:
    answers = ordinary(Engine(), UNTIL)

    held = [answer.outcome != "allow" for answer in answers]
    stretches = [sum(held[start : start + 50]) for start in range(UNTIL - 50)]
    assert max(stretches) <= 10
    assert sum(held) <= UNTIL // 20


def test_until_it_knows_what_is_usual_the_detector_says_nothing() -> None:
    answers = ordinary(Engine(), WINDOW + SCORES_MIN)

    # River's trees have seen one row more: the one that they were grown on.
    assert {answer.anomaly for answer in answers[: WINDOW + SCORES_MIN - 1]} == {0.0}


def test_once_it_knows_what_is_usual_a_payment_unlike_the_others_scores_higher_than_they_do() -> None:
    engine = Engine()
    answers = ordinary(engine, UNTIL)

    odd = engine.assess([paid(UNTIL, 9_000_00, card="card_1", device="d", ip="i")])[0]

    assert odd.anomaly is not None
    assert odd.anomaly > max(answer.anomaly or 0.0 for answer in answers[-50:])
