"""What profiles tell of a payment, by the names of the catalogue."""

from collections.abc import Sequence

import msgspec
import pytest

from models.controls import Controls
from models.feature import Value
from models.features import CATALOGUE, POSITIONS
from models.observations import Challenge, ChallengeResult, Decline, Increment, Observation, SignIn
from models.state import EngineState
from models.visits import note_challenge, note_decline, note_increment, note_label, note_sign_in, visit
from models.windows import DAY_US, HOUR_US, MINUTE_US, Window
from tests.unit.models.sample_payments import START_US, label, payment

RATES = Controls.builtin().rates


def features(state: EngineState, seen: Observation) -> dict[str, Value]:
    return dict(zip(POSITIONS, visit(state, seen, RATES), strict=True))


def decline(number: int, attempt: int = 1, at_us: int = START_US + MINUTE_US) -> Decline:
    return Decline(payment_id=f"pi_{number}", attempt=attempt, occurred_at_us=at_us, reason="do_not_honor")


def challenge(
    number: int, result: ChallengeResult, attempt: int = 1, at_us: int = START_US, card: str | None = None
) -> Challenge:
    return Challenge(
        payment_id=f"pi_{number}", attempt=attempt, occurred_at_us=at_us, result=result, card=card
    )


def after(seen: Sequence[Observation], asked: Observation) -> dict[str, Value]:
    state = EngineState()
    for one in seen:
        visit(state, one, RATES)
    return features(state, asked)


def test_a_row_has_one_value_for_each_feature_of_the_catalogue() -> None:
    everything = payment(
        device="d", ip="1", email="e", customer="c", ip_country="IN", card_country="DE", item_count=2
    )

    for seen in (payment(), everything, payment(card=None, merchant=None)):
        assert len(visit(EngineState(), seen, RATES)) == len(CATALOGUE)


def test_numbers_are_floats_and_categories_are_text() -> None:
    row = features(EngineState(), payment(device="d", ip="1", email="e", ip_country="IN", card_country="DE"))

    for feature in CATALOGUE:
        value = row[feature.name]
        assert value is None or isinstance(value, str if feature.type == "text" else float), feature.name


def test_a_payment_does_not_count_itself() -> None:
    row = features(EngineState(), payment())

    assert row["card_count_1h"] == 0.0
    assert row["card_amount_z"] is None
    assert row["card_merchant_seen"] == 0.0


def test_counts_are_of_exact_windows() -> None:
    ages = (5 * MINUTE_US, 30 * MINUTE_US, HOUR_US, 2 * DAY_US, 7 * DAY_US, 29 * DAY_US, 31 * DAY_US)
    seen = [payment(n, START_US - age) for n, age in enumerate(sorted(ages, reverse=True))]
    row = after(seen, payment(99))

    told = [row[f"card_count_{window}"] for window in ("10m", "1h", "1d", "7d", "30d")]
    assert told == [1.0, 2.0, 3.0, 4.0, 6.0]


def test_an_amount_far_above_the_cards_own_stands_out() -> None:
    seen = [payment(n, START_US + n * HOUR_US, amount_minor=1_000 + 10 * n) for n in range(20)]
    row = after(seen, payment(99, START_US + DAY_US, amount_minor=50_000))

    assert isinstance(row["card_amount_z"], float)
    assert row["card_amount_z"] > 20
    assert row["card_amount_to_mean"] == pytest.approx(50_001 / 1_096)
    assert row["card_amount_to_max"] == pytest.approx(50_001 / 1_191)


def test_a_fraud_does_not_become_the_new_normal() -> None:
    seen = [payment(n, START_US + n * HOUR_US, amount_minor=1_000) for n in range(20)]
    big = payment(50, START_US + DAY_US, amount_minor=1_000_000)
    row = after([*seen, big], payment(99, START_US + 2 * DAY_US, amount_minor=1_000_000))

    assert isinstance(row["card_amount_mean_minor"], float)
    assert row["card_amount_mean_minor"] < 1_200


def test_amounts_of_other_currencies_enter_in_the_reference_currency() -> None:
    row = features(EngineState(), payment(amount_minor=10_000, currency="INR"))

    assert row["amount_minor"] == 10_000.0
    assert row["amount_reference_minor"] == 110.0


def test_without_a_rate_the_amount_is_missing_and_the_rest_is_not() -> None:
    seen = [payment(1, currency="XAF")]
    row = after(seen, payment(2, START_US + HOUR_US, currency="XAF"))

    assert row["amount_reference_minor"] is None
    assert row["card_amount_z"] is None
    assert row["card_count_1d"] == 1.0


def test_what_the_payment_does_not_say_stays_missing() -> None:
    row = features(EngineState(), payment(merchant=None))

    assert row["device_count_1h"] is None
    assert row["merchant_fraud_share_30d"] is None
    assert row["card_merchant_seen"] is None
    assert row["ip_country_differs"] is None


def test_a_device_tells_how_many_cards_it_saw() -> None:
    seen = [payment(n, START_US + n * MINUTE_US, card=f"card_{n}", device="d") for n in range(5)]
    row = after(seen, payment(99, START_US + HOUR_US + 2 * MINUTE_US, card="card_9", device="d"))

    assert row["device_cards_1h"] == 2.0
    assert row["device_cards_1d"] == 5.0
    assert row["card_device_seen"] == 0.0


def test_merchants_new_to_a_card_are_counted() -> None:
    seen = [payment(n, START_US + n * MINUTE_US, merchant=f"shop_{n % 3}") for n in range(6)]
    row = after(seen, payment(99, START_US + HOUR_US, merchant="shop_0"))

    assert row["card_new_merchants_1d"] == 3.0
    assert row["card_merchant_seen"] == 1.0


def test_failed_sign_ins_count_for_customer_device_and_address() -> None:
    state = EngineState()
    for minute in range(4):
        at_us = START_US + minute * MINUTE_US
        note_sign_in(
            state, SignIn(occurred_at_us=at_us, succeeded=minute == 3, customer="c", device="d", ip="i")
        )
    row = features(state, payment(at_us=START_US + 10 * MINUTE_US, customer="c", device="d", ip="i"))

    assert [row[f"{e}_failed_sign_ins_1h"] for e in ("customer", "device", "ip")] == [3.0, 3.0, 3.0]


def test_of_failed_sign_ins_from_one_place_those_of_different_customers_are_told_apart() -> None:
    state = EngineState()
    for hour, customer in ((0, "a"), (20, "b"), (21, "c"), (22, "c"), (23, None)):
        at_us = START_US + hour * HOUR_US
        note_sign_in(state, SignIn(occurred_at_us=at_us, succeeded=False, customer=customer, ip="i"))
    row = features(state, payment(at_us=START_US + 25 * HOUR_US, device="d", ip="i"))

    assert row["ip_failed_sign_ins_1d"] == 4.0
    assert row["ip_failed_sign_in_customers_1d"] == 2.0
    assert row["device_failed_sign_in_customers_1d"] == 0.0


def test_the_decline_of_each_attempt_counts_once_for_every_entity_of_its_payment() -> None:
    state = EngineState()
    visit(state, payment(1, device="d"), RATES)
    for attempt in (1, 2, 1, 2):
        note_decline(state, decline(1, attempt))

    row = features(state, payment(2, START_US + 2 * MINUTE_US, device="d"))
    assert [row[f"{e}_declines_1h"] for e in ("card", "device", "merchant")] == [2.0, 2.0, 2.0]


def test_a_decline_that_is_read_after_the_next_attempt_counts_for_the_card_that_was_declined() -> None:
    state = EngineState()
    visit(state, payment(1, card="stolen"), RATES)
    visit(state, payment(1, card="own"), RATES)
    note_decline(state, msgspec.structs.replace(decline(1), card="stolen"))

    later = START_US + 2 * MINUTE_US
    assert features(state, payment(2, later, card="stolen"))["card_declines_1h"] == 1.0
    assert features(state, payment(3, later, card="own"))["card_declines_1h"] == 0.0


def test_a_decline_or_challenge_of_a_payment_that_nobody_remembers_changes_nothing() -> None:
    state = EngineState()

    note_decline(state, decline(9))
    note_challenge(state, challenge(9, "failed"))

    assert list(state.changed_rows()) == []


def test_a_failed_challenge_counts_for_card_device_address_and_customer_for_a_week() -> None:
    state = EngineState()
    visit(state, payment(1, device="d", ip="i", email="e"), RATES)

    note_challenge(state, challenge(1, "failed"))

    for days, within, share in ((0.5, [1, 1], 1), (2, [0, 1], 1), (8, [0, 0], 1), (31, [0, 0], None)):
        later = payment(2, START_US + int(days * DAY_US), device="d", ip="i", email="e")
        row = features(state, later)
        for entity in ("card", "device", "ip", "customer"):
            assert [row[f"{entity}_failed_challenges_{window}"] for window in ("1d", "7d")] == within
            assert row[f"{entity}_challenge_failure_share_30d"] == share


def test_passed_and_abandoned_challenges_are_counted_apart_and_share_in_one_rate() -> None:
    state = EngineState()
    for number, result in enumerate(("passed", "abandoned", "passed", "failed")):
        visit(state, payment(number, device="d"), RATES)
        note_challenge(state, challenge(number, result))  # type: ignore[arg-type]  # one of its words
    row = features(state, payment(9, START_US + HOUR_US, device="d"))

    assert row["device_passed_challenges_30d"] == 2.0
    assert row["device_abandoned_challenges_1d"] == 1.0
    assert row["device_challenge_failure_share_30d"] == 0.5


def test_who_was_never_challenged_has_no_rate_of_failure() -> None:
    row = after([payment(1)], payment(2, START_US + HOUR_US))

    assert row["card_failed_challenges_7d"] == 0.0
    assert row["card_challenge_failure_share_30d"] is None


def test_challenges_told_again_count_once_for_each_attempt_also_after_another_was_assessed() -> None:
    state = EngineState()
    visit(state, payment(1), RATES)
    note_challenge(state, challenge(1, "failed"))
    visit(state, payment(1, START_US + MINUTE_US), RATES)
    for attempt in (1, 2, 1, 2):
        note_challenge(state, challenge(1, "failed", attempt))

    assert features(state, payment(2, START_US + HOUR_US))["card_failed_challenges_1d"] == 2.0


def test_a_challenge_counts_for_the_card_that_was_challenged_though_another_was_tried_since() -> None:
    state = EngineState()
    visit(state, payment(1), RATES)
    visit(state, payment(1, START_US + MINUTE_US, card="card_2"), RATES)

    note_challenge(state, challenge(1, "abandoned", card="card_1"))

    told = {card: features(state, payment(9, START_US + HOUR_US, card=card)) for card in ("card_1", "card_2")}
    assert told["card_1"]["card_abandoned_challenges_1d"] == 1.0
    assert told["card_2"]["card_abandoned_challenges_1d"] == 0.0


def test_a_challenge_that_is_told_late_counts_at_its_own_time() -> None:
    state = EngineState()
    visit(state, payment(1), RATES)
    note_challenge(state, challenge(1, "failed", 1, START_US + 3 * DAY_US))
    note_challenge(state, challenge(1, "failed", 2, START_US))

    row = features(state, payment(2, START_US + 3 * DAY_US + HOUR_US))
    assert (row["card_failed_challenges_1d"], row["card_failed_challenges_7d"]) == (1.0, 2.0)


def test_a_label_counts_for_the_entities_of_its_payment() -> None:
    state = EngineState()
    visit(state, payment(1), RATES)
    note_label(state, label(1, True, START_US + DAY_US))
    row = features(state, payment(2, START_US + 2 * DAY_US))

    assert row["card_frauds"] == 1.0
    assert row["card_fraud_gap_days"] == 1.0
    assert row["merchant_fraud_share_7d"] == pytest.approx((1 + 0.03) / 4)
    assert row["merchant_fraud_share_1d"] == pytest.approx(0.01)
    assert row["merchant_last_label_fraud"] == 1.0


def test_a_revoked_label_no_longer_counts() -> None:
    state = EngineState()
    visit(state, payment(1), RATES)
    note_label(state, label(1, True, START_US + HOUR_US))
    note_label(state, label(1, False, START_US + 2 * HOUR_US, kind="analyst_verdict"))
    row = features(state, payment(2, START_US + 3 * HOUR_US))

    assert row["card_frauds"] == 0.0
    assert row["merchant_fraud_share_1d"] == pytest.approx(0.03 / 4)


def run_of(labels: Sequence[bool], amounts: Sequence[int]) -> dict[str, Value]:
    """One card's history of 50 euros each, then one payment of another card a day, labeled the next day."""
    state = EngineState()
    for n in range(10):
        for card in range(len(labels)):
            seen = payment(
                1_000 + n * 100 + card, START_US - (n + 1) * DAY_US, card=f"card_{card}", merchant="x"
            )
            visit(state, seen, RATES)
    for n, (fraud, amount) in enumerate(zip(labels, amounts, strict=True)):
        visit(state, payment(n, START_US + n * DAY_US, card=f"card_{n}", amount_minor=amount), RATES)
        note_label(state, label(n, fraud, START_US + n * DAY_US + HOUR_US))
    return features(state, payment(99, START_US + len(labels) * DAY_US, card="other"))


def test_a_run_of_usual_payments_that_were_fraud_points_at_the_merchant() -> None:
    row = run_of([False, True, True, True], [5_000] * 4)

    assert row["merchant_fraud_run"] == 3.0
    assert row["merchant_unexplained_frauds"] == 3.0
    assert row["merchant_run_first_days"] == 3.0
    assert row["merchant_run_last_days"] == 1.0
    assert row["merchant_genuine_gap_days"] == 4.0


def test_frauds_that_the_cards_own_behavior_explains_do_not_point_at_the_merchant() -> None:
    row = run_of([True, True], [500_000] * 2)

    assert row["merchant_fraud_run"] == 2.0
    assert row["merchant_unexplained_frauds"] == 0.0


def test_each_genuine_payment_halves_what_is_unexplained_and_ends_the_run() -> None:
    row = run_of([True, True, False], [5_000] * 3)

    assert row["merchant_unexplained_frauds"] == 1.0
    assert row["merchant_fraud_run"] == 0.0
    assert row["merchant_run_first_days"] is None


def test_a_clock_that_runs_backwards_gives_no_negative_age() -> None:
    row = after([payment(1, START_US)], payment(2, START_US - HOUR_US))

    assert row["card_gap_days"] == 0.0
    assert row["card_age_days"] == 0.0
    assert row["card_count_1h"] == 0.0


def test_an_increment_adds_to_the_sums_of_its_payment_and_is_no_payment() -> None:
    state = EngineState()
    visit(state, payment(1, amount_minor=1_000, device="d", ip="i", customer="c"), RATES)
    grown = Increment(payment_id="pi_1", attempt=1, amount_minor=1_200, more_minor=200, currency="EUR")
    for _ in range(2):
        note_increment(state, grown, RATES)
    note_increment(state, msgspec.structs.replace(grown, payment_id="pi_9"), RATES)

    for table, key in (("cards", "card_1"), ("devices", "d"), ("ips", "i"), ("customers", "c")):
        assert getattr(state, table)[key].trace.payments.total(START_US, 1) == 1_200
    assert state.merchants["shop_1"].trace.payments.total(START_US, 1) == 1_200
    row = features(state, payment(2, START_US + HOUR_US))
    assert (row["card_amount_sum_1d_minor"], row["card_count_1d"]) == (1_200.0, 1.0)
    assert row["card_amount_mean_minor"] == 1_000.0


def test_an_increment_of_a_payment_that_its_windows_have_forgotten_changes_nothing() -> None:
    window = Window()
    window.add(10, 500)

    assert not window.grow(11, 7)
    assert (window.grow(10, 7), window.total(10, 5)) == (True, 507)
