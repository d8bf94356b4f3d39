"""Payments taken in: what an entity's profile knows after one. Amounts as in `models.histories`."""

from math import log, sqrt

from models.histories import (
    CLIP_DEVIATIONS,
    GROUP_MAX,
    RELATIVE_DEVIATION_PRIOR,
    SEEN_MAX,
    Amounts,
    Trace,
    touch,
)
from models.merchants import MerchantProfile
from models.observations import Observation
from models.profiles import CardProfile, CustomerProfile, SharedProfile
from models.windows import PRIOR_WEIGHT, Window


def note_at_card(card: CardProfile, now_us: int, amount_minor: int | None, seen: Observation) -> None:
    """Take a payment in."""
    note_moment(card.trace, now_us, amount_minor)
    note_amount(card.amounts, amount_minor)
    merchant, device, ip_country = seen.merchant, seen.device, seen.ip_country
    if merchant is not None:
        if merchant not in card.merchants:
            if card.new_merchants is None:
                card.new_merchants = Window()
            card.new_merchants.add(now_us)
        touch(card.merchants, merchant, now_us, SEEN_MAX)
    if device is not None:
        touch(card.devices, device, now_us, GROUP_MAX)
    if ip_country is not None:
        touch(card.ip_countries, ip_country, now_us, GROUP_MAX)


def note_at_customer(
    customer: CustomerProfile, now_us: int, amount_minor: int | None, seen: Observation
) -> None:
    """Take a payment in."""
    note_moment(customer.trace, now_us, amount_minor)
    note_amount(customer.amounts, amount_minor)
    card, device, ip_country = seen.card, seen.device, seen.ip_country
    if card is not None:
        touch(customer.cards, card, now_us, GROUP_MAX)
    if device is not None:
        touch(customer.devices, device, now_us, GROUP_MAX)
    if ip_country is not None:
        touch(customer.ip_countries, ip_country, now_us, GROUP_MAX)


def note_at_shared(shared: SharedProfile, now_us: int, amount_minor: int | None, seen: Observation) -> None:
    """Take a payment in."""
    note_moment(shared.trace, now_us, amount_minor)
    card = seen.card
    if card is not None:
        touch(shared.cards, card, now_us, GROUP_MAX)


def note_at_merchant(merchant: MerchantProfile, now_us: int, amount_minor: int | None) -> None:
    """Take a payment in."""
    note_moment(merchant.trace, now_us, amount_minor)
    note_amount(merchant.amounts, amount_minor)


def note_moment(trace: Trace, moment_us: int, amount_minor: int | None) -> None:
    """A payment was made; an unknown amount adds nothing to sums."""
    trace.payments.add(moment_us, amount_minor or 0)
    first_us, last_us = trace.first_us, trace.last_us
    if last_us is None or moment_us > last_us:
        trace.last_us = moment_us
    if first_us is None or moment_us < first_us:
        trace.first_us = moment_us


def note_amount(amounts: Amounts, amount_minor: int | None) -> None:
    """Take an amount in; an unknown one changes nothing.

    >>> amounts = Amounts()
    >>> for amount_minor in (900, 1_000, 1_100, 50_000):  # the last enters as three deviations above the mean
    ...     note_amount(amounts, amount_minor)
    >>> round(amounts.mean), amounts.count, round(amounts.largest)
    (1271, 4, 2084)
    """
    if amount_minor is None:
        return
    value, count, mean, squares = float(amount_minor), amounts.count, amounts.mean, amounts.squares
    # Held down before it enters, or the spree of a stolen card would make its own amounts usual.
    if count:
        prior = RELATIVE_DEVIATION_PRIOR * mean + 1.0
        most = mean + CLIP_DEVIATIONS * sqrt(
            (squares + PRIOR_WEIGHT * prior * prior) / (count - 1 + PRIOR_WEIGHT)
        )
        if most < value:
            value = most
    count += 1
    delta = value - mean
    mean += delta / count
    amounts.count, amounts.mean, amounts.squares = count, mean, squares + delta * (value - mean)
    logarithm, log_mean = log(value + 1.0), amounts.log_mean
    delta = logarithm - log_mean
    log_mean += delta / count
    amounts.log_mean = log_mean
    amounts.log_squares += delta * (logarithm - log_mean)
    if value > amounts.largest:
        amounts.largest = value
