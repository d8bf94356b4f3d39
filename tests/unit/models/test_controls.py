"""Controls as one immutable snapshot: versions, lists, costs, dated rates, refusals."""

from typing import Any

import msgspec
import pytest

from models.controls import Control, Controls
from models.errors import ControlError
from models.feature import Row
from models.features import CATALOGUE
from models.observations import Observation

RULE = {"action": "block", "when": "device IN @blocked_devices", "words": "a device on the list"}
EMPTY: Row = [None] * len(CATALOGUE)
JANUARY_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def payment(at_us: int = JANUARY_US, **given: str) -> Observation:
    return Observation(payment_id="p", occurred_at_us=at_us, amount_minor=100, currency="EUR", **given)


def fired(controls: Controls, seen: Observation) -> list[str]:
    return [rule.name for rule in controls.fired(seen, EMPTY)]


def test_a_published_rule_counts_from_then_on_and_its_version_is_recorded() -> None:
    before = Controls.builtin()

    after = before.changed("mine", "rule", 3, {"action": "review", "when": "merchant = 'm'"})

    assert fired(before, payment(merchant="m")) == []
    assert fired(after, payment(merchant="m")) == ["mine"]
    assert "mine" not in before.versions
    assert after.versions["mine"] == 3


def test_an_older_version_or_the_same_once_more_changes_nothing() -> None:
    body = {"action": "review", "when": "merchant = 'm'"}
    controls = Controls.builtin().changed("mine", "rule", 3, body)

    assert controls.changed("mine", "rule", 3, dict(body)) is controls
    assert controls.changed("mine", "rule", 2, {"action": "block", "when": "weekend"}) is controls


def test_of_two_that_carry_one_version_the_later_counts_as_log_compaction_has_it() -> None:
    first, second = ({"action": action, "when": "merchant = 'm'"} for action in ("block", "review"))

    seen_both = Controls.builtin().changed("mine", "rule", 3, first).changed("mine", "rule", 3, second)
    compacted = Controls.builtin().changed("mine", "rule", 3, second)

    by_name = sorted(seen_both.entries, key=lambda entry: entry.name)
    assert by_name == sorted(compacted.entries, key=lambda entry: entry.name)
    assert [rule.action for rule in seen_both.fired(payment(merchant="m"), EMPTY)] == ["review"]


def test_a_shipped_rule_gives_way_to_any_published_version_and_can_be_removed() -> None:
    replaced = Controls.builtin().changed("card_testing", "rule", 1, {"action": "review", "when": "weekend"})
    removed = replaced.changed("card_testing", "rule", 2, None)

    assert {rule.name: rule.when for rule in replaced.rules}["card_testing"] == "weekend"
    assert "card_testing" not in removed.versions
    assert removed.changed("card_testing", "rule", 1, {"action": "review", "when": "weekend"}) is removed


def test_a_setting_that_is_removed_is_as_shipped_again() -> None:
    strict = Controls.builtin().changed("decision", "policy", 1, {"method": "thresholds", "review_at": 10})

    again = strict.changed("decision", "policy", 2, None)

    assert strict.policy.method == "thresholds"
    assert again.policy == Controls.builtin().policy
    assert again.versions["decision"] == 2


def test_a_list_holds_until_each_entry_expires_by_the_time_of_the_payment() -> None:
    entries = [{"value": "gone", "expires_at": "2026-01-01T00:00:00Z"}, {"value": "stays"}]
    controls = (
        Controls.builtin()
        .changed("blocked", "rule", 1, RULE)
        .changed("blocked_devices", "list", 1, {"entries": entries})
    )

    assert fired(controls, payment(JANUARY_US - 1, device="gone")) == ["blocked"]
    assert fired(controls, payment(JANUARY_US, device="gone")) == []
    assert fired(controls, payment(2**60, device="stays")) == ["blocked"]
    assert fired(controls, payment(device="other")) == []
    assert fired(controls, payment()) == []


def test_a_rule_may_name_a_list_before_it_exists_and_after_it_is_removed() -> None:
    ruled = Controls.builtin().changed("blocked", "rule", 1, RULE)
    listed = ruled.changed("blocked_devices", "list", 1, {"entries": [{"value": "d"}]})
    emptied = listed.changed("blocked_devices", "list", 2, None)

    assert [fired(c, payment(device="d")) for c in (ruled, listed, emptied)] == [[], ["blocked"], []]


def test_a_merchants_own_costs_are_used_for_that_merchant_only() -> None:
    controls = Controls.builtin().changed("costs_m1", "costs", 1, {"merchant": "m1", "review_minor": 7})

    assert controls.costs_of("m1").review_minor == 7
    assert controls.costs_of("m2") == controls.costs_of(None) == Controls.builtin().costs_of("m1")


def test_an_amount_is_converted_by_the_rate_in_force_at_its_time() -> None:
    rates = [
        {"currency": "JPY", "from_date": "2025-01-01", "rate": "0.006"},
        {"currency": "JPY", "from_date": "2026-01-01", "rate": "0.005"},
        {"currency": "KWD", "from_date": "2026-01-01", "rate": "3"},
    ]
    controls = Controls.builtin().changed("rates", "rates", 1, {"reference": "EUR", "rates": rates})

    def converted(amount_minor: int, currency: str, at_us: int) -> float | None:
        return controls.rates.reference_minor(amount_minor, currency, at_us)

    assert converted(1000, "JPY", JANUARY_US) == pytest.approx(500)
    assert converted(1000, "JPY", JANUARY_US - 1) == pytest.approx(600)
    assert converted(1000, "KWD", JANUARY_US) == pytest.approx(300)
    assert converted(1000, "EUR", 0) == 1000


def test_without_a_rate_for_the_time_an_amount_stays_missing() -> None:
    rates = [{"currency": "JPY", "from_date": "2026-01-01", "rate": "0.005"}]
    controls = Controls.builtin().changed("rates", "rates", 1, {"reference": "EUR", "rates": rates})

    assert controls.rates.reference_minor(1000, "JPY", JANUARY_US - 1) is None
    assert controls.rates.reference_minor(1000, "USD", JANUARY_US) is None


@pytest.mark.parametrize("rate", ["NaN", "sNaN", "-Infinity", "1e400", "1e-400", "1000000001", "-1"])
def test_a_rate_that_is_no_number_or_beyond_the_bounds_is_refused_in_words(rate: str) -> None:
    rates = [{"currency": "USD", "from_date": "2026-01-01", "rate": rate}]

    with pytest.raises(ControlError, match=r"the rate of USD must lie between 0.000000001 and 1,000,000,000"):
        Controls.builtin().changed("rates", "rates", 1, {"reference": "EUR", "rates": rates})


def test_an_amount_that_no_payment_has_in_the_reference_currency_is_taken_as_unknown() -> None:
    rates = [{"currency": "USD", "from_date": "2026-01-01", "rate": "1000000000"}]
    controls = Controls.builtin().changed("rates", "rates", 1, {"reference": "EUR", "rates": rates})

    assert controls.rates.reference_minor(999, "USD", JANUARY_US) == 999e9
    assert controls.rates.reference_minor(1_000, "USD", JANUARY_US) is None


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("r", "rule", {"action": "review", "when": "card_cuont_1h > 3"}),
        ("l", "list", {"entries": "d"}),
        ("l", "list", {"entries": [{"value": "d", "expires_at": "2026-01-01T00:00:00"}]}),
        ("l", "list", {"entries": [{"value": 5}]}),
        ("costs", "costs", {"review_minor": -1}),
        ("costs", "costs", {"review_catch_rate": 1.5}),
        ("costs", "costs", {"reveiw_minor": 1}),
        ("costs", "costs", {"merchant": "m1"}),
        ("costs_m1", "costs", {"review_minor": 1}),
        ("decision", "policy", {"method": "coin"}),
        ("decision", "policy", {"review_at": 80, "block_at": 70}),
        ("other", "policy", {"method": "thresholds"}),
        ("rates", "rates", {"reference": "XQX"}),
        (
            "rates",
            "rates",
            {"reference": "EUR", "rates": [{"currency": "USD", "from_date": "x", "rate": "1"}]},
        ),
        (
            "rates",
            "rates",
            {"reference": "EUR", "rates": [{"currency": "USD", "from_date": "2026-01-01", "rate": "0"}]},
        ),
        ("other", "rates", {"reference": "EUR"}),
    ],
)
def test_a_control_that_cannot_be_taken_is_refused_and_the_one_before_stays(
    name: str, kind: Any, body: dict[str, Any]
) -> None:
    controls = Controls.builtin()

    with pytest.raises(ControlError):
        controls.changed(name, kind, 1, body)

    assert controls.versions == Controls.builtin().versions


def test_a_name_keeps_its_kind() -> None:
    with pytest.raises(ControlError, match="of kind rule"):
        Controls.builtin().changed("card_testing", "list", 1, {"entries": []})


def test_one_merchant_has_its_costs_in_one_place() -> None:
    controls = Controls.builtin().changed("costs_m1", "costs", 1, {"merchant": "m1"})

    with pytest.raises(ControlError, match="m1"):
        controls.changed("more_costs_m1", "costs", 1, {"merchant": "m1"})


def test_entries_make_the_same_snapshot_again() -> None:
    controls = Controls.builtin().changed("blocked", "rule", 1, RULE).changed("card_testing", "rule", 4, None)
    stored = msgspec.msgpack.encode(controls.entries)

    again = Controls(msgspec.msgpack.decode(stored, type=list[Control]))

    assert again.versions == controls.versions
    assert [rule.when for rule in again.rules] == [rule.when for rule in controls.rules]
    assert again.changed("card_testing", "rule", 4, None) is again
