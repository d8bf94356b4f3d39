"""Made populations: the rows are those that the engine makes of the same payments."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.populations import PAYMENTS_PER_CARD, Population, live_observations
from models.controls import Controls
from models.observations import Observation
from models.state import EngineState
from models.visits import take_in

CARDS = 10_000


def test_the_rows_of_ten_thousand_cards_equal_those_of_the_engine_byte_for_byte() -> None:
    town = Population(CARDS).town(0)

    made = dict(town.rows(payments=True))

    assert made == engine_rows(town.observations())
    assert len(made) >= CARDS * (4 + PAYMENTS_PER_CARD)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 25))
def test_any_population_equals_the_engine_s_town_by_town(seed: int, cards: int, town_cards: int) -> None:
    population = Population(cards, seed, town_cards)

    made = dict(population.rows(payments=True))

    assert made == engine_rows(seen for town in population.towns() for seen in town.observations())


def test_rows_come_in_the_order_of_towns_and_of_keys_in_each_and_without_payments_if_so_wanted() -> None:
    population = Population(50, town_cards=20)

    keys = [key for key, _ in population.rows(payments=False)]

    assert {key.partition("/")[0] for key in keys} == {"card", "device", "ip", "customer", "merchant"}
    assert len(set(keys)) == len(keys)
    cards = [key for key in keys if key.startswith("card/")]
    assert len(cards) == 50
    assert [card[: len("card/card_000000")] for card in cards] == sorted(
        card[: len("card/card_000000")] for card in cards
    )


def test_some_payments_are_unusual_for_their_card() -> None:
    town = Population(500).town(0)

    explained = [seen for seen in remembered(town.observations()) if seen]

    assert 0 < len(explained) < 500 * PAYMENTS_PER_CARD / 4


def test_live_payments_meet_cards_of_the_population_in_the_order_of_time() -> None:
    population = Population(50, town_cards=20)
    rows = {key for key, _ in population.rows(payments=False)}

    made = live_observations(population, 200)

    assert {f"card/{seen.card}" for seen in made} | {f"ip/{seen.ip}" for seen in made} <= rows
    assert [seen.occurred_at_us for seen in made] == sorted(seen.occurred_at_us for seen in made)
    assert len({seen.card for seen in made[:50]}) > 20


def engine_rows(payments: Iterable[Observation]) -> dict[str, bytes | None]:
    state, rates = EngineState(), Controls.builtin().rates
    for seen in payments:
        take_in(state, seen, rates)
    return {row: value for row, value in state.changed_rows() if not row.startswith("engine/")}


def remembered(payments: Iterable[Observation]) -> list[bool]:
    state, rates = EngineState(), Controls.builtin().rates
    found = []
    for seen in payments:
        take_in(state, seen, rates)
        payment = state.remembered(seen.payment_id)
        assert payment is not None
        found.append(payment.explained)
    return found
