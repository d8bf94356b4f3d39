"""One payment visits the profiles of its entities: out comes the vector, then they take the payment in."""

from models.challenges import ChallengeRecord
from models.entity_values import (
    amount_z,
    card_values,
    customer_values,
    merchant_values,
    shared_values,
)
from models.feature import Row, Value
from models.features import CATALOGUE, POSITIONS
from models.histories import CLIP_DEVIATIONS
from models.intake import note_at_card, note_at_customer, note_at_merchant, note_at_shared
from models.labels import Effect, Standing, resolve
from models.merchants import MerchantProfile
from models.observations import Challenge, Decline, Increment, Label, Observation, SignIn
from models.profiles import CardProfile, CustomerProfile, SharedProfile
from models.rates import Rates
from models.state import PROFILE_TYPES, EngineState, Remembered
from models.track_records import TrackRecord
from models.windows import DAY_US, HOUR_US

EXPLAINED_COUNT_1H = 3
"""So many payments of a card within the hour before are unusual in themselves."""

CHALLENGED = ("card", "device", "ip", "customer")
"""Kinds of entities that a challenge counts for."""

_Z, _COUNT_1H = POSITIONS["card_amount_z"], POSITIONS["card_count_1h"]
# One empty profile of each kind answers for all that were never seen, and takes nothing in itself.
_new_card, _new_customer, _new_shared, _new_merchant = (
    CardProfile(),
    CustomerProfile(),
    SharedProfile(),
    MerchantProfile(),
)
_missing: dict[str, list[Value]] = {
    entity: [None] * sum(1 for feature in CATALOGUE if feature.entity == entity)
    for entity in ("payment", *PROFILE_TYPES, "model")
}


def visit(state: EngineState, seen: Observation, rates: Rates) -> Row:
    """The vector of a payment, before it is taken in; the model's own features are still missing.

    A payment that is told again with the same time is a duplicate: it gets a vector and is not counted again.
    """
    now_us = seen.occurred_at_us
    amount_minor = rates.whole_minor(seen.amount_minor, seen.currency, now_us)
    # A shopper without an account is known by the email, if by anything.
    card, device, ip, customer, merchant = (
        seen.card,
        seen.device,
        seen.ip,
        seen.customer or seen.email,
        seen.merchant,
    )
    row = _payment_values(seen, amount_minor)
    row += (
        _missing["card"]
        if card is None
        else card_values(state.cards.get(card, _new_card), now_us, amount_minor, seen)
    )
    row += (
        _missing["device"]
        if device is None
        else shared_values(state.devices.get(device, _new_shared), now_us)
    )
    row += _missing["ip"] if ip is None else shared_values(state.ips.get(ip, _new_shared), now_us)
    row += (
        _missing["customer"]
        if customer is None
        else customer_values(state.customers.get(customer, _new_customer), now_us, amount_minor, seen)
    )
    row += (
        _missing["merchant"]
        if merchant is None
        else merchant_values(state.merchants.get(merchant, _new_merchant), now_us, amount_minor)
    )
    row += _missing["model"]
    _take_in(state, seen, amount_minor, customer, _explained(row))
    return row


def take_in(state: EngineState, seen: Observation, rates: Rates) -> None:
    """What `visit` does to the state, without the vector: for a payment that is answered elsewhere.

    The states after both are equal, row by row.
    """
    amount_minor = rates.whole_minor(seen.amount_minor, seen.currency, seen.occurred_at_us)
    card = None if seen.card is None else state.cards.get(seen.card)
    explained = card is not None and _unusual(
        amount_z(card.amounts, amount_minor), card.trace.payments.count(seen.occurred_at_us, HOUR_US)
    )
    _take_in(state, seen, amount_minor, seen.customer or seen.email, explained)


def _payment_values(seen: Observation, amount_minor: int | None) -> Row:
    now_us, item_count = seen.occurred_at_us, seen.item_count
    card_country, ip_country = seen.card_country, seen.ip_country
    billing, shipping = seen.billing_country, seen.shipping_country
    return [
        float(seen.amount_minor),
        seen.currency,
        None if amount_minor is None else float(amount_minor),
        float(now_us // HOUR_US % 24),
        # 1970-01-01 was a Thursday.
        1.0 if (now_us // DAY_US + 3) % 7 >= 5 else 0.0,
        None if item_count is None else float(item_count),
        seen.merchant_category,
        seen.merchant_country,
        seen.payment_method,
        card_country,
        seen.card_funding,
        seen.card_brand,
        ip_country,
        billing,
        shipping,
        None if ip_country is None or card_country is None else 1.0 if ip_country != card_country else 0.0,
        None if billing is None or card_country is None else 1.0 if billing != card_country else 0.0,
        None if shipping is None or billing is None else 1.0 if shipping != billing else 0.0,
    ]


def _take_in(
    state: EngineState, seen: Observation, amount_minor: int | None, customer: str | None, explained: bool
) -> None:
    now_us = seen.occurred_at_us
    before = state.remembered(seen.payment_id)
    if before is not None and before.occurred_at_us == now_us:
        return
    entities = (seen.card, seen.device, seen.ip, customer, seen.merchant)
    if before is None:
        payment = Remembered(now_us, entities, explained)
    else:
        told = before.standing, before.declined, before.challenged, before.incremented
        payment = Remembered(now_us, entities, explained, *told)
    state.remember(seen.payment_id, payment)
    if seen.card is not None:
        note_at_card(state.opened("card", seen.card), now_us, amount_minor, seen)
    if seen.device is not None:
        note_at_shared(state.opened("device", seen.device), now_us, amount_minor, seen)
    if seen.ip is not None:
        note_at_shared(state.opened("ip", seen.ip), now_us, amount_minor, seen)
    if customer is not None:
        note_at_customer(state.opened("customer", customer), now_us, amount_minor, seen)
    if seen.merchant is not None:
        note_at_merchant(state.opened("merchant", seen.merchant), now_us, amount_minor)


def _explained(row: Row) -> bool:
    """Whether the card's own behavior was so unusual that a fraud needs no other explanation."""
    z, count_1h = row[_Z], row[_COUNT_1H]
    return isinstance(count_1h, float) and _unusual(z if isinstance(z, float) else None, count_1h)


def _unusual(z: float | None, count_1h: float) -> bool:
    return (z is not None and z >= CLIP_DEVIATIONS) or count_1h >= EXPLAINED_COUNT_1H


def note_sign_in(state: EngineState, event: SignIn) -> None:
    """A failed sign-in counts for customer, device and address; a successful one says nothing yet."""
    if event.succeeded:
        return
    if event.customer is not None:
        state.opened("customer", event.customer).note_failed_sign_in(event.occurred_at_us)
    for kind, key in (("device", event.device), ("ip", event.ip)):
        if key is not None:
            state.opened(kind, key).note_failed_sign_in(event.occurred_at_us, event.customer)


def note_decline(state: EngineState, event: Decline) -> None:
    """A decline counts for every entity of its payment, once; one of a payment not remembered for none.

    What merely lapsed is no decline.
    """
    if event.lapsed:
        return
    payment = state.remembered(event.payment_id)
    if payment is None or event.attempt <= payment.declined:
        return
    payment.declined = event.attempt
    state.remember(event.payment_id, payment)
    for kind, key in _entities(payment, event.card).items():
        if key is not None:
            state.opened(kind, key).trace.note_decline(event.occurred_at_us)


def note_increment(state: EngineState, event: Increment, rates: Rates) -> None:
    """An increment adds to the sums of its payment's entities, at the payment's time, and counts nothing.

    What is usual for an entity stays what its payers asked for: means are of the amounts that were assessed.
    """
    payment = state.remembered(event.payment_id)
    if payment is None or (event.attempt, event.amount_minor) <= payment.incremented:
        return
    payment.incremented = event.attempt, event.amount_minor
    state.remember(event.payment_id, payment)
    paid_us, before_minor = payment.occurred_at_us, event.amount_minor - event.more_minor
    before = rates.whole_minor(before_minor, event.currency, paid_us)
    after = rates.whole_minor(event.amount_minor, event.currency, paid_us)
    if before is None or after is None:
        return
    for kind, key in zip(PROFILE_TYPES, payment.entities, strict=True):
        if key is not None:
            state.opened(kind, key).trace.payments.grow(paid_us, after - before)


def note_challenge(state: EngineState, event: Challenge) -> None:
    """A challenge counts once for card, device, address and customer; the merchant has no part."""
    payment = state.remembered(event.payment_id)
    if payment is None or event.attempt <= payment.challenged:
        return
    payment.challenged = event.attempt
    state.remember(event.payment_id, payment)
    entities = _entities(payment, event.card)
    for kind in CHALLENGED:
        key = entities[kind]
        if key is not None:
            profile = state.opened(kind, key)
            profile.challenges = profile.challenges or ChallengeRecord()
            profile.challenges.note(event.result, event.occurred_at_us)


def _entities(payment: Remembered, card: str | None) -> dict[str, str | None]:
    """By kind; the card is the event's own, as the payment may have been tried with another since."""
    entities = dict(zip(PROFILE_TYPES, payment.entities, strict=True))
    return {**entities, "card": card or entities["card"]}


def note_label(state: EngineState, label: Label) -> None:
    """A label counts for every entity of its payment, as `models.labels` resolves it."""
    payment = state.remembered(label.payment_id)
    if payment is None:
        return
    before = payment.standing
    effect, standing = resolve(before, label)
    if standing == before or standing is None:
        return
    payment.standing = standing
    state.remember(label.payment_id, payment)
    if effect in (Effect.TAUGHT, Effect.REVOKED):
        _relabel(state, payment, before, standing)


def _relabel(state: EngineState, payment: Remembered, before: Standing | None, after: Standing) -> None:
    for kind, key in zip(PROFILE_TYPES, payment.entities, strict=True):
        if key is None:
            continue
        profile = state.opened(kind, key)
        profile.record = profile.record or TrackRecord()
        if before is not None:
            profile.record.revoke(before.fraud, before.arrived_at_us)
        profile.record.note(after.fraud, after.arrived_at_us)
        if isinstance(profile, MerchantProfile):
            profile.run.note(after.fraud, payment.occurred_at_us, payment.explained)
