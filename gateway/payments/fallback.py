"""The fallback policy: what decides when the engine's decision is later than the deadline.

It reads the request's own fields only, never blocks (a late block still acts), and holds the capture of what
looks odd, because a hold can be lifted and a capture can't be undone here.
"""

from collections.abc import Callable
from typing import NamedTuple

from events.instruments import CardFacts, Instrument
from events.types import RiskContext
from events.vocabulary import Outcome


class FallbackRule(NamedTuple):
    """A reason to hold, in words, and when it applies."""

    text: str
    applies: Callable[[Instrument, RiskContext], bool]


def _nothing_known(_paying: Instrument, context: RiskContext) -> bool:
    return context.device is None and context.ip is None and context.email is None


def _country_differs_twice(paying: Instrument, context: RiskContext) -> bool:
    country = paying.issuer_country if isinstance(paying, CardFacts) else None
    known = (context.ip_country, context.billing_country)
    return country is not None and all(c not in (None, country) for c in known)


def _anonymous_prepaid(paying: Instrument, context: RiskContext) -> bool:
    prepaid = isinstance(paying, CardFacts) and paying.funding == "prepaid"
    return prepaid and context.customer is None


FALLBACK_RULES = (
    FallbackRule("nothing is known of the shopper: no device, IP or email", _nothing_known),
    FallbackRule(
        "the card's country is neither the IP's nor the billing address's country", _country_differs_twice
    ),
    FallbackRule("a prepaid card of a shopper without an account", _anonymous_prepaid),
)


class FallbackDecision(NamedTuple):
    """What the policy says, and why."""

    outcome: Outcome
    reasons: tuple[str, ...]


def fallback(paying: Instrument, context: RiskContext) -> FallbackDecision:
    """Review where a rule applies, else allow.

    >>> card = CardFacts(token="t", surrogate="c", bin="424242", last4="4242", brand="visa")
    >>> fallback(card, RiskContext(ip="ip_1")).outcome
    'allow'
    """
    reasons = tuple(rule.text for rule in FALLBACK_RULES if rule.applies(paying, context))
    return FallbackDecision("review" if reasons else "allow", reasons)
