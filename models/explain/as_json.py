"""An explanation as plain data, for programs: all that the text says, and the whole vector."""

from typing import Any

import msgspec

from events.moments import moment
from models.explain.as_text import change_in_words
from models.explain.explanation import Explanation
from models.features import CATALOGUE, POSITIONS
from models.rules.fired import fired_rules
from models.rules.rule import ENTITY_FIELDS
from models.wording import present


def plain(explanation: Explanation) -> dict[str, Any]:
    """Members that JSON has; what is missing is None."""
    evidence = explanation.evidence
    assessment, observation = evidence.assessment, evidence.observation
    return {
        "payment": assessment.payment_id,
        "occurred_at": f"{moment(assessment.occurred_at_us):%Y-%m-%dT%H:%M:%S.%fZ}",
        "amount_minor": observation.amount_minor,
        "currency": observation.currency,
        "outcome": assessment.outcome,
        "choice": assessment.choice,
        "probability": assessment.probability,
        "risk_score": assessment.risk_score,
        "expected_costs_minor": assessment.costs_minor,
        "reference_currency": evidence.controls.rates.reference,
        "rules": [rule._asdict() for rule in fired_rules(assessment, evidence.controls)],
        "choice_again": explanation.choice_again,
        "entities": {name: getattr(observation, name) for name in ENTITY_FIELDS},
        "reasons": [msgspec.to_builtins(reason) for reason in assessment.reasons],
        "contributions": [msgspec.to_builtins(reason) for reason in explanation.contributions],
        "features": _features(explanation),
        "smallest_change": _turn(explanation),
        "versions": {
            "features": assessment.features_version,
            "champion": assessment.online_version,
            "boosting": assessment.batch_version,
            "controls": assessment.controls_versions,
        },
        "anomaly": assessment.anomaly,
        "scored_again": explanation.rescoring,
        "boosting_again": explanation.boosting_again,
        "gaps": list(evidence.gaps),
    }


def _features(explanation: Explanation) -> list[dict[str, Any]]:
    row = explanation.evidence.assessment.features
    return [
        {
            "name": feature.name,
            "value": value if present(value := row[POSITIONS[feature.name]]) else None,
            "unit": feature.unit,
            "meaning": feature.meaning,
        }
        for feature in CATALOGUE
    ]


def _turn(explanation: Explanation) -> dict[str, Any] | None:
    turn, evidence = explanation.turn, explanation.evidence
    if turn is None:
        return None
    row, reference = evidence.assessment.features, evidence.controls.rates.reference
    return {
        "choice": turn.choice,
        "probability": turn.probability,
        "rules": list(turn.rules),
        "changes": [
            {
                "name": change.name,
                "before": change.before,
                "after": change.after,
                "words": change_in_words(change, evidence.observation, row, reference),
            }
            for change in turn.changes
        ],
    }
