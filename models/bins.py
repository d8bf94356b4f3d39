"""Fixed, wide bins for every kind of feature, and a few crosses: how a vector becomes active slots.

Nothing is fitted: the edges are known before any data, so nothing has to warm up and the state of a linear
model over the slots is tiny. Slot 0 stands for "missing" and never carries a weight.
"""

from models.feature import Kind
from models.windows import DAY_US, HOUR_US, MINUTE_US

MINUTE_DAYS = MINUTE_US / DAY_US
HOUR_DAYS = HOUR_US / DAY_US

EDGES: dict[Kind, tuple[float, ...]] = {
    "money": tuple(10 ** (step / 12) for step in range(12, 12 * 8 + 1)),
    "z": (
        *(-2.5, -2.0, -1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
        *(2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 10.0, 13.0),
    ),
    "ratio": (
        *(0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0),
        *(2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0),
    ),
    "count": (
        *(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 10.5, 12.5, 15.5, 20.0, 25.0, 30.0, 40.0, 50.0),
        *(60.0, 80.0, 100.0),
    ),
    "days": (
        *(MINUTE_DAYS, 5 * MINUTE_DAYS, 10 * MINUTE_DAYS, 30 * MINUTE_DAYS, HOUR_DAYS, 2 * HOUR_DAYS),
        *(4 * HOUR_DAYS, 8 * HOUR_DAYS, 12 * HOUR_DAYS, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0),
        *(12.0, 14.0, 17.0, 21.0, 25.0, 28.0, 30.0, 35.0, 45.0, 60.0),
    ),
    "hour": tuple(float(hour) for hour in range(1, 24)),
    "risk": (
        *(0.002, 0.004, 0.006, 0.008, 0.0101, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3),
        *(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97),
    ),
    "flag": (0.5,),
    "logit": tuple(step / 4 for step in range(-40, 25)),
}
"""Kind → upper edges of its bins; a value on an edge belongs to the bin above.

Round steps that grow with the value, known before any data and wider than what cards do; they were not tuned.
Money has twelve bins a decade from ten minor units on; counts are split between whole numbers; 0.0101 lies
just above the prior of a share of fraud, so that "nothing known" does not count as more than usual.
"""

COARSE: dict[Kind, tuple[float, ...]] = {
    "money": tuple(10 ** (step / 4) for step in range(4, 4 * 7 + 1)),
    "z": (-1.5, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0),
    "ratio": (0.2, 0.5, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0),
    "count": (0.5, 1.5, 2.5, 3.5, 5.5, 8.5, 15.5, 30.0),
    "days": (MINUTE_DAYS, 10 * MINUTE_DAYS, HOUR_DAYS, 6 * HOUR_DAYS, 1.0, 3.0, 7.0, 10.0, 14.0, 21.0, 30.0),
    "hour": (6.0, 12.0, 18.0),
    "risk": (0.005, 0.0101, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9),
    "flag": (0.5,),
    "logit": tuple(float(step) for step in range(-8, 6)),
}
"""The same for crosses, where every cell needs labels of its own: about a third of the bins. Not tuned."""

CATEGORY_SLOTS = 128
"""A category's text is hashed into so many slots; of fifty texts one in three shares its slot. Not tuned."""

CROSSES: tuple[tuple[str, ...], ...] = (
    ("amount_reference_minor", "card_amount_z"),
    ("merchant_run_first_days", "merchant_unexplained_frauds"),
    ("merchant_run_last_days", "merchant_fraud_run"),
    ("card_count_1h", "amount_reference_minor"),
    ("card_gap_days", "card_merchant_seen", "amount_reference_minor"),
    ("card_new_merchants_1d", "card_count_1d"),
    ("card_new_merchants_1h", "card_count_1h"),
    ("card_amount_to_mean", "card_gap_days"),
    ("card_amount_z", "merchant_fraud_share_30d"),
    ("card_frauds", "card_fraud_gap_days"),
    ("card_amount_z", "card_fraud_gap_days"),
    ("device_cards_1d", "device_count_1h"),
    ("ip_cards_1d", "ip_count_1h"),
    ("customer_failed_sign_ins_1d", "customer_device_seen"),
    ("customer_device_seen", "card_amount_z"),
    ("card_ip_country_seen", "ip_country_differs"),
    ("merchant_count_1d_to_usual", "merchant_age_days"),
    ("card_declines_1h", "card_count_1h"),
)
"""Pairs and triples whose meaning lies in their meeting, each a pattern of fraud that a person can name.

An unusual amount for the card, a compromised merchant and the age of its run, card testing (many payments or
new merchants at once), a known fraud that goes on, many cards on one device, a customer taken over elsewhere.
"""
