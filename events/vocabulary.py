"""Words with one meaning everywhere: the closed choices that events, models, flows and gateway share."""

from typing import Literal

import msgspec

Mode = Literal["test", "live"]
"""Test payments move no money; the two worlds never mix in a merchant's lists."""

Outcome = Literal["allow", "review", "block"]
"""What is done with a payment."""

RuleAction = Literal["allow", "block", "review", "challenge"]
"""What a rule may ask for: an outcome, or, whatever the outcome, that the payer is authenticated first."""

Choice = Literal["allow", "challenge", "review", "block"]
"""What rules and model choose, the mildest first; `challenge`: to allow, once the payer was authenticated."""

AccountMethod = Literal["upi", "wallet", "netbanking"]
"""How an account pays that is no card: each over its own rails."""

PaymentMethodType = Literal["card", AccountMethod]
"""What a payment may be paid with."""

Funding = Literal["credit", "debit", "prepaid", "unknown"]
"""Where a card's money comes from."""

ReportedKind = Literal[
    "fraud_dispute", "other_dispute", "early_fraud_warning", "analyst_verdict", "confirmed_genuine"
]
"""Labels that someone reports; `models.labels` says what each of them means."""

LabelKind = Literal[ReportedKind, "matured"]
"""`matured`: nobody reported the payment within its horizon."""

COMMAND_LINE = "command-line"
"""The actor of what an operator did with a command of `weir`, in the audit trail."""

ControlKind = Literal["rule", "list", "costs", "policy", "rates"]
ModelKind = Literal["online", "batch", "challenger"]

LateEffect = Literal["held", "voided", "refunded", "marked"]
"""What a decision that came late still did: see `events.types.PaymentDecidedLate`."""

RefundReason = Literal["late_block", "rejected_review", "unapproved_review"]
"""Why captured money is given back: a block, or a person's rejection, came after the capture (of a part); or
a review held the payment when the network refused to let the rest be captured."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason in words: the feature or rule, its value, what is usual, and its share of the log-odds."""

    feature: str
    text: str
    value: float | str | None = None
    usual: float | None = None
    contribution: float = 0.0


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway acted on for an attempt, on whose word, and what its merchant was told of it.

    `test_card`: a documented test card has its own outcome, whatever the engine says. `risk_score` None: no
    score was known in time. `unchallenged`: a late decision wanted the payer challenged, whom nobody
    could ask any more.
    """

    by: Literal["engine", "test_card", "fallback"]
    outcome: Outcome
    risk_score: int | None
    text: str
    unchallenged: bool = False
