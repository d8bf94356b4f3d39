"""What each action is expected to cost, in the reference currency, and the risk score for people."""

from itertools import combinations, pairwise
from typing import Annotated, Literal, get_args

import msgspec

from events.vocabulary import Choice
from models.odds import log_odds

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
AmountMinor = Annotated[float, msgspec.Meta(ge=0.0, le=1e12)]
Score = Annotated[int, msgspec.Meta(ge=1, le=101)]

SCORE_MAX = 100
ELEVATED_SCORE, HIGHEST_SCORE = 65, 75
"""Where Stripe's risk levels *elevated* and *highest* begin."""

ELEVATED_PROBABILITY, HIGHEST_PROBABILITY = 0.10, 0.40
"""Where ours begin: with the default costs a review starts to pay at about 0.07–0.17, a block at 0.35–0.5."""


_UNIT_MINOR = 10_000.0
"""How far apart the costs are looked at, to tell how they grow; any amount does, since they grow evenly."""


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merchant's costs; the defaults suit a shop with a margin of a quarter and reviews of a few minutes.

    Shares are 0–1; amounts are in minor units of the reference currency.

    >>> costs = Costs().expected_minor(probability=0.5, amount_minor=10_000)
    >>> {action: round(cost) for action, cost in costs.items()}, least(costs)
    ({'allow': 5750, 'review': 1525, 'block': 1500}, 'block')
    """

    merchant: str | None = None
    fraud_loss_share: Share = 1.0
    chargeback_fee_minor: AmountMinor = 1500.0
    margin_share: Share = 0.25
    lost_customer_minor: AmountMinor = 500.0
    review_minor: AmountMinor = 300.0
    review_catch_rate: Share = 0.8
    review_false_decline_rate: Share = 0.05
    challenge_minor: AmountMinor | None = None
    """What asking one payer costs: the directory's fee and the message. None: costs choose no challenge,
    since what shoppers put up with is known to no merchant from the start."""
    challenge_abandon_rate: Share = 0.1
    """Of genuine payers, who cannot or will not prove themselves: a round tenth, until it was counted."""
    challenge_catch_rate: Share = 0.75
    """Of frauds, which a challenge stops: below the reviews' share, for thieves have phones, and talk their
    victims into typing codes."""

    def expected_minor(self, probability: float, amount_minor: float) -> dict[str, float]:
        """Expected cost of each action, for a probability of fraud (0–1) and an amount.

        A fraud that passes costs the amount and the fee; a genuine payment that is declined costs the margin
        and a part of the customer's future; a review costs its work, lets some frauds pass and turns away
        some who were genuine; so does a challenge, whose payers turn themselves away. What passes a challenge
        counts as lost, though the issuer may have to bear it: it is not known beforehand.
        """
        fraud = probability * (amount_minor * self.fraud_loss_share + self.chargeback_fee_minor)
        decline = (1.0 - probability) * (amount_minor * self.margin_share + self.lost_customer_minor)
        review = (
            self.review_minor
            + fraud * (1.0 - self.review_catch_rate)
            + decline * self.review_false_decline_rate
        )
        expected = {"allow": fraud, "review": review, "block": decline}
        if self.challenge_minor is not None:
            passing = fraud * (1.0 - self.challenge_catch_rate)
            expected["challenge"] = self.challenge_minor + passing + decline * self.challenge_abandon_rate
        return expected

    def break_evens_minor(self, probability: float) -> list[float]:
        """The amounts above 0 at which two actions are expected to cost the same, in no order.

        >>> [round(amount) for amount in Costs().break_evens_minor(0.05)]
        [9378]
        """
        at_0, at_1 = self.expected_minor(probability, 0.0), self.expected_minor(probability, _UNIT_MINOR)
        found = []
        for one, other in combinations(at_0, 2):
            start = at_0[one] - at_0[other]
            growth = (at_1[one] - at_1[other] - start) / _UNIT_MINOR
            if growth and -start / growth > 0:
                found.append(-start / growth)
        return found


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a payment is decided when no rule decides: by least expected cost, or by fixed thresholds.

    `challenge_at`, `review_at` and `block_at` are risk scores; 101 switches an action off. They also decide
    where the amount is unknown in the reference currency, because then no cost can be compared.

    >>> [Policy(challenge_at=40, review_at=50).by_score(score) for score in (39, 40, 50, 75)]
    ['allow', 'challenge', 'review', 'block']
    """

    method: Literal["expected_cost", "thresholds"] = "expected_cost"
    review_at: Score = ELEVATED_SCORE
    block_at: Score = HIGHEST_SCORE
    challenge_at: Score = SCORE_MAX + 1

    def by_score(self, risk_score: int) -> Choice:
        """The choice by the fixed thresholds."""
        if risk_score >= self.block_at:
            return "block"
        if risk_score >= self.review_at:
            return "review"
        return "challenge" if risk_score >= self.challenge_at else "allow"


_MILDEST_FIRST: tuple[Choice, ...] = get_args(Choice)


def least(costs: dict[str, float]) -> Choice:
    """The cheapest action; of equals the milder one."""
    choice: Choice = "allow"
    lowest = costs[choice]
    for action in _MILDEST_FIRST:
        cost = costs.get(action, lowest)
        if cost < lowest:
            choice, lowest = action, cost
    return choice


_KNOTS = (
    (log_odds(0.0001), 0.0),
    (log_odds(ELEVATED_PROBABILITY), float(ELEVATED_SCORE)),
    (log_odds(HIGHEST_PROBABILITY), float(HIGHEST_SCORE)),
    (log_odds(0.999), 100.0),
)
_SEGMENTS = [
    (low_logit, low, high_logit, high - low) for (low_logit, low), (high_logit, high) in pairwise(_KNOTS)
]


def risk_score(probability: float) -> int:
    """The probability of fraud as a whole number 0–100, growing with it.

    Linear in the log-odds between four knots: 0.0001 → 0, 0.10 → 65 (elevated), 0.40 → 75 (highest),
    0.999 → 100; rounded down, so that a level begins exactly at its probability.

    >>> risk_score(0.0), risk_score(0.099), risk_score(0.1), risk_score(0.4), risk_score(1.0)
    (0, 64, 65, 75, 100)
    """
    logit = log_odds(probability)
    if logit <= _KNOTS[0][0]:
        return 0
    for low_logit, low, high_logit, span in _SEGMENTS:
        if logit < high_logit:
            return int(low + span * (logit - low_logit) / (high_logit - low_logit))
    return 100
