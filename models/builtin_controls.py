"""The controls that a build ships: rules, costs, policy and rates, as bodies like any other control's.

They have version 0: the first version published under the same name takes their place. The rules are
conservative: they ask for a review where a person should look, and block only what hardly any shopper does.
The numbers are round figures from how shops and cards are used, not fitted to any data.
"""

from typing import Any

BUILTIN_RULES: dict[str, dict[str, Any]] = {
    "failed_sign_ins_then_new_device": {
        "action": "review",
        "when": "customer_failed_sign_ins_1h >= 3 AND NOT customer_device_seen",
        "words": "several failed sign-ins to this account within the hour, then a payment from a new device",
    },
    "failed_sign_ins_from_one_place": {
        "action": "review",
        "when": "device_failed_sign_ins_1h >= 10 OR ip_failed_sign_ins_1h >= 30",
        "words": "a long run of failed sign-ins from this device or address within the hour",
    },
    "rapid_attempts": {
        "action": "review",
        "when": "card_count_10m >= 5 OR card_declines_1h >= 4",
        "words": "many attempts with this card within a short time",
    },
    "rapid_attempts_extreme": {
        "action": "block",
        "when": "card_count_10m >= 15 OR card_declines_1h >= 10",
        "words": "more attempts with this card within a short time than a person makes",
    },
    "failed_challenges": {
        "action": "review",
        # Three wrong codes are one failed challenge: who knows the phone does not get there twice a day.
        "when": "card_failed_challenges_1d >= 2 OR device_failed_challenges_1d >= 2",
        "words": "whoever pays failed the challenges of the card's issuer again and again within the day",
    },
    "unusual_region": {
        "action": "review",
        "when": "ip_country_differs AND NOT card_ip_country_seen AND NOT card_device_seen "
        "AND card_age_days >= 7 AND card_amount_to_mean >= 2",
        "words": "a larger payment than usual, from a new device in a country where this card was never used",
    },
    "card_testing": {
        "action": "review",
        "when": "device_cards_1h >= 4 OR (ip_cards_1h >= 8 AND ip_declines_1h >= 3)",
        "words": "many different cards from one device or address within the hour, as when cards are tested",
    },
    "card_testing_extreme": {
        "action": "block",
        "when": "device_cards_1h >= 8 OR (ip_cards_1h >= 20 AND ip_declines_1h >= 10)",
        "words": "more cards from one device or address within the hour than any household has",
    },
    "card_spread_over_merchants": {
        "action": "review",
        "when": "card_new_merchants_1h >= 5",
        "words": "many merchants that are new to this card within the hour",
    },
    "amount_far_from_own": {
        "action": "review",
        "when": "card_count_30d >= 5 AND card_amount_z >= 8 AND card_amount_to_max >= 3",
        "words": "an amount far above everything this card has paid so far",
    },
}

BUILTIN_COSTS: dict[str, Any] = {}
"""The defaults of `models.costs.Costs`."""

BUILTIN_POLICY: dict[str, Any] = {"method": "expected_cost"}

BUILTIN_RATES: dict[str, Any] = {
    "reference": "EUR",
    "rates": [
        {"currency": currency, "from_date": "2000-01-01", "rate": rate}
        for currency, rate in (
            ("USD", "0.90"),
            ("GBP", "1.15"),
            ("CHF", "1.00"),
            ("INR", "0.011"),
            ("JPY", "0.0065"),
            ("KWD", "2.90"),
        )
    ],
}
"""Round figures to try Weir with, enough to compare amounts; publish your own `rates` for anything else."""
