"""What profiles tell of a payment: the values of each kind of entity, in the order of the catalogue.

The payment asked about is never counted. Amounts are in minor units of the reference currency. Written for
speed, as it runs for each entity of each payment: what several values need is looked for once
(`models.recent`), and what most entities never have is None in their profile and costs a look.
"""

from bisect import bisect_right
from math import log, sqrt

from models.challenges import ChallengeRecord
from models.feature import Value
from models.histories import LOG_DEVIATION_PRIOR, RELATIVE_DEVIATION_PRIOR, Amounts, Trace
from models.merchants import MerchantProfile
from models.observations import Observation
from models.profiles import CardProfile, CustomerProfile, SharedProfile
from models.recent import D7_US, D30_US, NO_EVENTS, counts, counts_and_sums, hour_and_day, places, seen_lately
from models.track_records import TrackRecord, smoothed_share
from models.windows import DAY_US, PRIOR_WEIGHT, Window

_NO_AMOUNTS = (None, None, None, None)
_NEVER_CHALLENGED: tuple[Value, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, None)
_NO_LABELS = smoothed_share(0, 0)


def card_values(card: CardProfile, now_us: int, amount_minor: int | None, seen: Observation) -> list[Value]:
    """The card's part of the vector."""
    amounts, trace, record = card.amounts, card.trace, card.record
    new_merchants, challenges = card.new_merchants, card.challenges
    merchant, device, ip_country = seen.merchant, seen.device, seen.ip_country
    m10, h1, d1, d7, d30, sum_1d, sum_7d = counts_and_sums(trace.payments, now_us)
    gap, age = _gap_and_age(trace, now_us)
    usual = _usual_per_day(age, d30)
    mean = mean_1d = mean_7d = None
    if amounts.count:
        mean = amounts.mean
        if amount_minor is not None:
            mean_1d = ((sum_1d + amount_minor) / (d1 + 1) + 1.0) / (mean + 1.0)
            mean_7d = ((sum_7d + amount_minor) / (d7 + 1) + 1.0) / (mean + 1.0)
    return [
        mean,
        *(_NO_AMOUNTS if mean is None or amount_minor is None else _against(amounts, amount_minor)),
        float(sum_1d),
        float(m10),
        float(h1),
        float(d1),
        float(d7),
        float(d30),
        usual,
        mean_1d,
        mean_7d,
        (d1 + 1.0) / usual,
        gap,
        age,
        None if merchant is None else 1.0 if merchant in card.merchants else 0.0,
        None if device is None else 1.0 if device in card.devices else 0.0,
        None if ip_country is None else 1.0 if ip_country in card.ip_countries else 0.0,
        *(NO_EVENTS if new_merchants is None else hour_and_day(new_merchants, now_us)),
        *(NO_EVENTS if trace.declines is None else hour_and_day(trace.declines, now_us)),
        *(_NEVER_CHALLENGED if challenges is None else _challenges(challenges, now_us)),
        0.0 if record is None else float(record.frauds),
        None if record is None else _days_since(now_us, record.last_fraud_us),
    ]


def shared_values(shared: SharedProfile, now_us: int) -> list[Value]:
    """The device's or address's part of the vector."""
    trace, record, challenges = shared.trace, shared.record, shared.challenges
    m10, h1, d1, d7, d30 = counts(trace.payments, now_us)
    declines, sign_ins, targets = trace.declines, shared.failed_sign_ins, shared.sign_in_targets
    return [
        float(m10),
        float(h1),
        float(d1),
        float(d7),
        float(d30),
        *_gap_and_age(trace, now_us),
        *seen_lately(shared.cards, now_us),
        *(NO_EVENTS if declines is None else hour_and_day(declines, now_us)),
        *(NO_EVENTS if sign_ins is None else hour_and_day(sign_ins, now_us)),
        0.0 if targets is None else seen_lately(targets, now_us)[1],
        *(_NEVER_CHALLENGED if challenges is None else _challenges(challenges, now_us)),
        0.0 if record is None else float(record.frauds),
        None if record is None else _days_since(now_us, record.last_fraud_us),
        _NO_LABELS if record is None else _share_30d(record.labels, now_us),
    ]


def customer_values(
    customer: CustomerProfile, now_us: int, amount_minor: int | None, seen: Observation
) -> list[Value]:
    """The customer's part of the vector."""
    amounts, trace, record = customer.amounts, customer.trace, customer.record
    _, h1, d1, d7, d30 = counts(trace.payments, now_us)
    _, cards_1d, cards_7d = seen_lately(customer.cards, now_us)
    declines, sign_ins, challenges = trace.declines, customer.failed_sign_ins, customer.challenges
    device, ip_country = seen.device, seen.ip_country
    return [
        amounts.mean if amounts.count else None,
        amount_z(amounts, amount_minor),
        float(h1),
        float(d1),
        float(d7),
        float(d30),
        *_gap_and_age(trace, now_us),
        cards_1d,
        cards_7d,
        None if device is None else 1.0 if device in customer.devices else 0.0,
        None if ip_country is None else 1.0 if ip_country in customer.ip_countries else 0.0,
        *(NO_EVENTS if declines is None else hour_and_day(declines, now_us)),
        *(NO_EVENTS if sign_ins is None else hour_and_day(sign_ins, now_us)),
        *(_NEVER_CHALLENGED if challenges is None else _challenges(challenges, now_us)),
        0.0 if record is None else float(record.frauds),
        None if record is None else _days_since(now_us, record.last_fraud_us),
        _NO_LABELS if record is None else _share_30d(record.labels, now_us),
    ]


def merchant_values(merchant: MerchantProfile, now_us: int, amount_minor: int | None) -> list[Value]:
    """The merchant's part of the vector."""
    amounts, trace, run, record = merchant.amounts, merchant.trace, merchant.run, merchant.record
    _, h1, d1, d7, d30 = counts(trace.payments, now_us)
    gap, age = _gap_and_age(trace, now_us)
    last_label_fraud, declines = run.last_label_fraud, trace.declines
    share_1d = share_7d = share_30d = _NO_LABELS
    if record is not None:
        share_1d, share_7d, share_30d = _shares(record, now_us)
    return [
        amounts.mean if amounts.count else None,
        amount_z(amounts, amount_minor),
        float(h1),
        float(d1),
        float(d7),
        (d1 + 1.0) / _usual_per_day(age, d30),
        gap,
        age,
        *(NO_EVENTS if declines is None else hour_and_day(declines, now_us)),
        None if last_label_fraud is None else 1.0 if last_label_fraud else 0.0,
        float(run.length),
        _days_since(now_us, run.first_us),
        _days_since(now_us, run.last_us),
        _days_since(now_us, run.genuine_us),
        run.unexplained,
        0.0 if record is None else float(record.frauds),
        None if record is None else _days_since(now_us, record.last_fraud_us),
        share_1d,
        share_7d,
        share_30d,
    ]


def amount_z(amounts: Amounts, amount_minor: int | None) -> float | None:
    """Deviations from the entity's own mean; None without a history."""
    count = amounts.count
    if amount_minor is None or not count:
        return None
    mean = amounts.mean
    prior = RELATIVE_DEVIATION_PRIOR * mean + 1.0
    squares = amounts.squares + PRIOR_WEIGHT * prior * prior
    return (amount_minor - mean) / sqrt(squares / (count - 1 + PRIOR_WEIGHT))


def _against(amounts: Amounts, amount_minor: int) -> tuple[float | None, float, float, float]:
    """z, z of the logarithm, ratio to the mean, ratio to the largest; there is a history."""
    squares = amounts.log_squares + PRIOR_WEIGHT * LOG_DEVIATION_PRIOR * LOG_DEVIATION_PRIOR
    # One minor unit stands on both sides of a ratio, so that a history of zeros divides by one.
    more = amount_minor + 1.0
    return (
        amount_z(amounts, amount_minor),
        (log(more) - amounts.log_mean) / sqrt(squares / (amounts.count - 1 + PRIOR_WEIGHT)),
        more / (amounts.mean + 1.0),
        more / (amounts.largest + 1.0),
    )


def _usual_per_day(age_days: float | None, count_30d: int) -> float:
    """Payments a day over the last 30 days, or over the entity's age where that is less."""
    # One payment and one day are added: an entity of an hour is not taken for one of 24 payments a day.
    if age_days is None:
        return count_30d + 1.0
    return (count_30d + 1.0) / ((age_days if age_days < 30.0 else 30.0) + 1.0)


def _gap_and_age(trace: Trace, now_us: int) -> tuple[float | None, float | None]:
    """Days since the last and the first payment."""
    first_us, last_us = trace.first_us, trace.last_us
    if first_us is None or last_us is None:
        return None, None
    return (
        (now_us - last_us) / DAY_US if now_us > last_us else 0.0,
        (now_us - first_us) / DAY_US if now_us > first_us else 0.0,
    )


def _days_since(now_us: int, then_us: int | None) -> float | None:
    """Days from then to now, 0 where clocks ran backwards, None where there is no then."""
    if then_us is None:
        return None
    return (now_us - then_us) / DAY_US if now_us > then_us else 0.0


def _challenges(record: ChallengeRecord, now_us: int) -> tuple[Value, ...]:
    """Failed and abandoned in 1 and 7 days, passed in 30, and the share that was not passed in 30."""
    failed, abandoned = record.failed, record.abandoned
    passed = record.passed.count(now_us, D30_US)
    not_passed = failed.count(now_us, D30_US) + abandoned.count(now_us, D30_US)
    return (
        float(failed.count(now_us, DAY_US)),
        float(failed.count(now_us, D7_US)),
        float(abandoned.count(now_us, DAY_US)),
        float(abandoned.count(now_us, D7_US)),
        float(passed),
        not_passed / (passed + not_passed) if passed or not_passed else None,
    )


def _share_30d(labels: Window, now_us: int) -> float:
    """Share of fraud among the labels of 30 days, smoothed."""
    end = labels.end(now_us)
    first = bisect_right(labels.times, now_us - D30_US, 0, end)
    return smoothed_share(labels.between(first, end), labels.events(first, end))


def _shares(record: TrackRecord, now_us: int) -> tuple[float, float, float]:
    """Share of fraud among the labels of 1, 7 and 30 days, smoothed."""
    labels = record.labels
    _, _, d1, d7, d30, end = places(labels.times, now_us)
    return (
        smoothed_share(labels.between(d1, end), labels.events(d1, end)),
        smoothed_share(labels.between(d7, end), labels.events(d7, end)),
        smoothed_share(labels.between(d30, end), labels.events(d30, end)),
    )
