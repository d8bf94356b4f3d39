"""What the gateway acts on for an attempt, whoever decided it."""

from typing import Literal, NamedTuple

from events.vocabulary import Outcome

RiskLevel = Literal["normal", "elevated", "highest", "not_assessed"]


class EffectiveDecision(NamedTuple):
    """The decision in force; `decision_id` is the engine's, if any.

    An attempt that waits for its payer keeps it.
    """

    outcome: Outcome
    level: RiskLevel
    score: int | None
    reason: str | None
    message: str
    assessed: bool
    decision_id: str | None
    by: Literal["engine", "test_card", "fallback"]
    challenge: bool = False
    """Whether rules or costs want the payer authenticated first."""
