"""Facts of a replay as events: what a file says of the past, in the form in which the gateway says it."""

from typing import cast

from events.codec import encode
from events.instruments import CardFacts
from events.log.port import Outgoing
from events.moments import moment
from events.types import AssessmentRequested, LabelReported, RiskContext
from events.vocabulary import Funding
from models.observations import Label, Observation
from pipelines import observe


def outgoing(fact: Observation | Label) -> Outgoing:
    """The record to append."""
    if isinstance(fact, Label):
        return Outgoing("labels", fact.payment_id.encode(), encode(_label(fact)))
    return Outgoing("assessments", (fact.card or fact.payment_id).encode(), encode(_request(fact)))


def _request(fact: Observation) -> AssessmentRequested:
    at = moment(fact.occurred_at_us)
    return AssessmentRequested(
        id=observe.derived_id("replay", fact.payment_id, at),
        occurred_at=at,
        payment_id=fact.payment_id,
        attempt=1,
        mode="test",
        merchant_id=fact.merchant or "",
        merchant_category=fact.merchant_category,
        merchant_country=fact.merchant_country,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        card=CardFacts(
            token="",
            surrogate=fact.card or "",
            bin="",
            last4="",
            brand=fact.card_brand or "",
            funding=cast(Funding, fact.card_funding or "unknown"),  # the file's reader lets no other pass
            issuer_country=fact.card_country,
        ),
        context=RiskContext(
            device=fact.device,
            ip=fact.ip,
            email=fact.email,
            customer=fact.customer,
            ip_country=fact.ip_country,
            billing_country=fact.billing_country,
            shipping_country=fact.shipping_country,
            item_count=fact.item_count,
        ),
    )


def _label(fact: Label) -> LabelReported:
    at = moment(fact.arrived_at_us)
    return LabelReported(
        id=observe.derived_id(f"replay-{fact.kind}", fact.payment_id, at),
        occurred_at=at,
        payment_id=fact.payment_id,
        kind=fact.kind,
        source=fact.source,
        fraud=fact.fraud,
        mode="test",
    )
