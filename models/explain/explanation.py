"""A decision explained from what was stored with it: made again, weighed feature by feature, and turned.

Everything here is pure: who reads the log hands in the stored assessment, the payment, the controls and the
champion of the recorded versions, and says in `gaps` what is no longer there.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from events.vocabulary import Choice, Reason
from models.blending import BASE_LOGIT, blended, cold_share, contributions_of
from models.controls import Controls
from models.decision import combined, model_outcome
from models.errors import ExplainError
from models.explain.counterfactuals import Turn, smallest_turn
from models.feature import Row
from models.features import FEATURES_VERSION, POSITIONS
from models.observations import Assessment, Observation
from models.odds import log_odds, sigmoid
from models.online import BinnedLogisticRegression, linear_values
from models.reasons import EVERYTHING_ELSE, reason_of
from models.slots import Matrix, numbers_of, slots_of

Rescoring = Literal["equal", "different", "no_model"]
"""Whether the stored vector, scored again under its versions, gives the stored probability bit by bit."""

BoostingAgain = Literal["equal", "different", "gone", "none"]
"""Whether the boosting's snapshot gives the stored log-odds bit by bit; `gone`: taken as stored; `none`:
there was no boosting yet."""


@dataclass(frozen=True)
class Evidence:
    """What is left of a decision. `champion` None: its snapshot is gone; `gaps` says so, and what else is.

    `boosting` gives log-odds for numbers of rows; None: its snapshot is gone, or there was none.
    """

    assessment: Assessment
    observation: Observation
    controls: Controls
    champion: BinnedLogisticRegression | None
    gaps: tuple[str, ...] = ()
    boosting: Callable[[Matrix], Matrix] | None = None


@dataclass(frozen=True)
class Explanation:
    """A decision with its why.

    `contributions`: what speaks for fraud first; they add up to the log-odds. `choice_again` is what rules
    and costs of the evidence choose for the stored probability. `turn` None: nothing small turns it, or
    `searched` is False because the champion is gone.
    """

    evidence: Evidence
    contributions: list[Reason]
    rescoring: Rescoring
    boosting_again: BoostingAgain
    choice_again: Choice
    searched: bool
    turn: Turn | None


def explain(evidence: Evidence) -> Explanation:
    """Explain one decision; raises `ExplainError` where its vector belongs to another catalogue."""
    assessment = evidence.assessment
    if assessment.features_version != FEATURES_VERSION:
        raise ExplainError(
            f"the decision was made with version {assessment.features_version} of the feature catalogue; "
            f"this build reads version {FEATURES_VERSION}"
        )
    scoring = _Scoring(evidence)
    turn = None
    if evidence.champion is not None:
        turn = smallest_turn(
            choice=assessment.choice,
            observation=evidence.observation,
            row=assessment.features,
            controls=evidence.controls,
            probabilities=scoring.probabilities,
        )
    return Explanation(
        evidence=evidence,
        contributions=scoring.contributions(),
        rescoring=scoring.rescoring(),
        boosting_again=_boosting_again(evidence),
        choice_again=_choice(evidence),
        searched=evidence.champion is not None,
        turn=turn,
    )


def observation_of(assessment: Assessment) -> Observation:
    """What the vector itself still says of the payment, where its request is no longer in the log."""
    amount = assessment.features[POSITIONS["amount_minor"]]
    currency = assessment.features[POSITIONS["currency"]]
    method = assessment.features[POSITIONS["payment_method"]]
    return Observation(
        payment_id=assessment.payment_id,
        occurred_at_us=assessment.occurred_at_us,
        amount_minor=int(amount) if isinstance(amount, float) else 0,
        currency=currency if isinstance(currency, str) else "",
        payment_method=method if isinstance(method, str) else "card",
    )


def _choice(evidence: Evidence) -> Choice:
    assessment = evidence.assessment
    fired = evidence.controls.fired(evidence.observation, assessment.features)
    by_model, _ = model_outcome(
        assessment.probability, assessment.risk_score, evidence.observation, evidence.controls
    )
    return combined(fired, by_model)


class _Scoring:
    """The champion of the decision, and its stored vector."""

    def __init__(self, evidence: Evidence) -> None:
        self._assessment = evidence.assessment
        self._evidence = evidence
        champion = evidence.champion
        self._cold_share = 0.0 if champion is None else cold_share(champion.learned, champion.frauds)

    def probabilities(self, rows: Sequence[Row]) -> list[float]:
        """Rows under the champion; in the cold start with what the detector said of the stored vector."""
        logits = self._logits(rows)
        anomaly = self._assessment.anomaly
        if anomaly is not None:
            logits = [blended(logit, anomaly, BASE_LOGIT, self._cold_share) for logit in logits]
        return [sigmoid(logit) for logit in logits]

    def rescoring(self) -> Rescoring:
        """Score the stored vector again and compare the bits."""
        if self._evidence.champion is None:
            return "no_model"
        again = self.probabilities([self._assessment.features])[0]
        return "equal" if _bits(again) == _bits(self._assessment.probability) else "different"

    def contributions(self) -> list[Reason]:
        """Every active feature and cross, the strongest for fraud first, and everything else last."""
        assessment, champion = self._assessment, self._evidence.champion
        if champion is None:
            return [reason for reason in assessment.reasons if reason.contribution]
        numbers = numbers_of([assessment.features])
        slots = slots_of([assessment.features], numbers)[0].tolist()
        linear = linear_values(numbers)[0].tolist()
        shares = contributions_of(champion, slots, linear, assessment.anomaly)
        given = [
            reason_of(names, share, assessment.features, self._evidence.controls.rates.reference)
            for names, share in sorted(shares, key=lambda pair: -pair[1])
        ]
        rest = log_odds(assessment.probability) - sum(reason.contribution for reason in given)
        start = "where every payment starts"
        return [*given, Reason(feature=EVERYTHING_ELSE, text=start, contribution=rest)]

    def _logits(self, rows: Sequence[Row]) -> list[float]:
        champion = self._evidence.champion
        if champion is None:
            raise ExplainError("the champion of this decision is gone")
        numbers = numbers_of(rows)
        found: list[float] = champion.logits(numbers, slots_of(rows, numbers)).tolist()
        return found


def _boosting_again(evidence: Evidence) -> BoostingAgain:
    assessment = evidence.assessment
    if assessment.batch_version == 0:
        return "none"
    if evidence.boosting is None:
        return "gone"
    again = float(evidence.boosting(numbers_of([assessment.features]))[0])
    stored = assessment.features[POSITIONS["boosting_logit"]]
    return "equal" if isinstance(stored, float) and _bits(again) == _bits(stored) else "different"


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)
