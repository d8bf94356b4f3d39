"""Whether a payer is to be authenticated before the issuer is asked: by law, or as a rule asks for it. Pure.

A law holds whatever anybody decides: no score, no rule that allows and no test card sets it aside. Where it
holds and the payer cannot be authenticated, the payment is declined.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from events.instruments import CardFacts, Instrument
from gateway.payments.effective_decision import EffectiveDecision
from gateway.processor_port import AuthenticationWish


class SecondFactorLaw(NamedTuple):
    """Cards of a country at merchants of a country need a second factor from a day's begin there on."""

    card_country: str
    merchant_country: str
    since: datetime
    source: str

    def may_hold(self, card_country: str | None, merchant_country: str | None) -> bool:
        """Whether both are of its countries, or one is and of the other nobody knows: a law fails closed."""
        cards, merchants = (None, self.card_country), (None, self.merchant_country)
        known = card_country is not None or merchant_country is not None
        return known and card_country in cards and merchant_country in merchants


LAWS = (
    SecondFactorLaw(
        card_country="IN",
        merchant_country="IN",
        since=datetime(2026, 4, 1, tzinfo=ZoneInfo("Asia/Kolkata")),
        source="Reserve Bank of India, directions on authentication of digital payments, of 2025",
    ),
)
"""The laws that are known here. Exemptions are not: none is made."""


SCHEME_COUNTRIES: Mapping[str, str] = {"rupay": "IN"}
"""Where a scheme is at home: what its cards count as where no table of ranges says."""


def law_for(instrument: Instrument, merchant_country: str | None, at: datetime) -> SecondFactorLaw | None:
    """The law that asks for a second factor, None where there is none."""
    if not isinstance(instrument, CardFacts):
        return None
    card_country = instrument.issuer_country or SCHEME_COUNTRIES.get(instrument.brand)
    return next(
        (law for law in LAWS if at >= law.since and law.may_hold(card_country, merchant_country)), None
    )


def authentication_wish(
    decision: EffectiveDecision, instrument: Instrument, merchant_country: str | None, at: datetime
) -> AuthenticationWish:
    """What the processor is asked for; `at` is the confirm's business time."""
    if law_for(instrument, merchant_country, at) is not None:
        return "required"
    return "preferred" if decision.challenge else "none"
