"""Made payments: repeatable, and in the proportions of the handbook's."""

from datetime import UTC, datetime

from bench.cards import AMOUNT_SUSPECT, made_cards

FIRST_DAY = datetime(2017, 11, 1, tzinfo=UTC)


def test_the_same_seed_gives_the_same_payments_and_another_seed_others() -> None:
    one, again, other = (made_cards(seed, customers=50, days=5, first_day=FIRST_DAY) for seed in (1, 1, 2))

    assert one.equals(again)
    assert not one.equals(other)


def test_payments_come_in_time_order_within_their_days() -> None:
    made = made_cards(3, customers=200, days=10, first_day=FIRST_DAY)

    assert made["TX_DATETIME"].is_sorted()
    assert made["TX_DATETIME"].dt.date().n_unique() == 10


def test_after_a_month_about_one_payment_in_a_hundred_is_fraud_and_suspect_amounts_always_are() -> None:
    made = made_cards(4, customers=1_000, days=60, first_day=FIRST_DAY)
    later = made.filter(made["TX_DATETIME"] >= datetime(2017, 12, 1))  # noqa: DTZ001  # the column has no zone

    assert 0.004 < later["TX_FRAUD"].mean() < 0.016  # type: ignore[operator]  # polars' mean of anything
    assert made.filter(made["TX_AMOUNT"] > AMOUNT_SUSPECT)["TX_FRAUD"].min() == 1
