"""What the flows count for `/metrics`, and how long things take them."""

from collections.abc import Mapping, Sequence
from typing import get_args

from events.metrics import counter, gauge, histogram
from events.types import DecisionMade
from events.vocabulary import Outcome

DECISIONS = counter("weir_decisions", "Decisions of the risk flow, made again ones included.", ["outcome"])
BATCH_SECONDS = histogram("weir_flow_batch_seconds", "One batch of the risk flow: taken up, scored, encoded.")
ANSWER_SECONDS = counter(
    "weir_flow_answer_seconds",
    "The same, once for each decision: divided by decisions their mean.",
)
REPLY_SECONDS = histogram("weir_flow_append_seconds", "One append of decisions to the log.")
CHECKPOINT_SECONDS = histogram(
    "weir_checkpoint_seconds",
    "How long the end of an epoch stopped the scoring: rows encoded and handed over.",
)
EPOCHS = gauge("weir_epoch_version", "Version of the state that the flow wrote last.")
STATE_ROWS = gauge(
    "weir_state_rows",
    "Rows of the risk flow's state in memory: profiles as objects (hot) and as bytes (packed), and payments.",
    ["place"],
)
REFUSED = counter("weir_flow_refused", "Records that a flow put into the dead letters.", ["flow"])
MODEL_VERSION = gauge("weir_model_version", "Version of each kind of model that decided last.", ["kind"])
CONTROL_VERSIONS = gauge(
    "weir_control_versions", "Sum of the versions of all controls that decided last: each change raises it."
)
LABELS = counter("weir_learned_labels", "Labels that the learner took in, by kind.", ["kind"])
SNAPSHOTS = counter("weir_model_snapshots", "Model snapshots that the learner published.", ["kind"])
EVENT_TIME = gauge("weir_learner_event_time_seconds", "Event time that the learner has reached, since 1970.")

_OUTCOMES = {outcome: DECISIONS.labels(outcome) for outcome in get_args(Outcome)}
_REFUSED = REFUSED.labels("risk")


def note_answers(decisions: Sequence[tuple[bytes, DecisionMade]], refused: int, seconds: float) -> None:
    """Count what a batch led to; `seconds` since it was taken up."""
    BATCH_SECONDS.observe(seconds)
    if refused:
        _REFUSED.inc(refused)
    if not decisions:
        return
    ANSWER_SECONDS.inc(seconds * len(decisions))
    for _, decision in decisions:
        _OUTCOMES[decision.outcome].inc()
    versions = decisions[-1][1].versions
    MODEL_VERSION.labels("online").set(versions.online)
    MODEL_VERSION.labels("batch").set(versions.batch)
    CONTROL_VERSIONS.set(sum(versions.controls.values()))


def note_rows(rows: Mapping[str, int]) -> None:
    """Show how many rows are in memory, by place."""
    for place, number in rows.items():
        STATE_ROWS.labels(place).set(number)
