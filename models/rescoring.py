"""Stored assessments made again from their vectors alone, under models and controls of the same versions.

Challengers are left as stored: an assessment does not name their versions.
"""

from collections.abc import Sequence

import msgspec

from models.blending import BASE_LOGIT, BOOSTING, CHAMPION, blended
from models.controls import Controls
from models.decision import decide
from models.feature import Row
from models.features import FEATURES_VERSION
from models.observations import Assessment, Observation
from models.odds import sigmoid
from models.scorer import LOGIT_COLUMN, LOGIT_POSITION, Scorer
from models.slots import numbers_of, slots_of


def rescored(
    stored: Sequence[Assessment], observations: Sequence[Observation], scorer: Scorer, controls: Controls
) -> list[Assessment]:
    """What scorer and controls say of each stored vector; `observations` are those of the same payments.

    The detector of the cold start learned since: by how much it raised the log-odds is taken as stored. The
    versions of the answers are those of scorer, controls and this build.
    """
    rows: list[Row] = [list(one.features) for one in stored]
    logits = _logits(rows, scorer)
    return [
        _decided(*given, scorer, controls) for given in zip(stored, observations, rows, logits, strict=True)
    ]


def _logits(rows: Sequence[Row], scorer: Scorer) -> list[float]:
    """The champion's log-odds; sets the boosting's in the rows."""
    numbers = numbers_of(rows)
    if scorer.boosting is not None:
        logits = scorer.boosting.logits(numbers)
        numbers[:, LOGIT_COLUMN] = logits
        for row, value in zip(rows, logits.tolist(), strict=True):
            row[LOGIT_POSITION] = value
    found: list[float] = scorer.champion.logits(numbers, slots_of(rows, numbers)).tolist()
    return found


def _decided(
    stored: Assessment, observation: Observation, row: Row, logit: float, scorer: Scorer, controls: Controls
) -> Assessment:
    if stored.anomaly is not None:
        logit = blended(logit, stored.anomaly, BASE_LOGIT, scorer.cold_share)
    probability = sigmoid(logit)
    decision = decide(
        probability=probability,
        observation=observation,
        row=row,
        controls=controls,
        contributions=lambda: scorer.contributions(row, stored.anomaly),
    )
    return msgspec.structs.replace(
        stored,
        probability=probability,
        risk_score=decision.risk_score,
        outcome=decision.outcome,
        reasons=decision.reasons,
        rules=decision.rules,
        costs_minor=decision.costs_minor,
        challenged_by=decision.challenged_by,
        challenged_by_model=decision.challenged_by_model,
        features=row,
        features_version=FEATURES_VERSION,
        online_version=scorer.version(CHAMPION),
        batch_version=scorer.version(BOOSTING),
        controls_versions=controls.versions,
    )
