"""`weir explain PAYMENT`: what was done with a payment, and what the log holds of the engine's decision.

The log is only read, from its start to its present end. What it no longer holds (a model snapshot or a
control that compaction replaced) is said in the explanation, never guessed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeVar

import msgspec

from events.log.port import Log, TopicPartition
from events.log.reading import events_until_end, readable, records_between
from events.types import AssessmentRequested, ControlChanged, DecisionMade, Event, ModelPublished
from models.blending import BOOSTING, CHAMPION
from models.controls import Control, Controls, builtin_controls
from models.errors import ControlError
from models.explain.as_json import plain
from models.explain.as_text import render
from models.explain.explanation import Evidence, Explanation, explain, observation_of
from models.observations import Observation
from models.online import BinnedLogisticRegression
from models.slots import Matrix
from pipelines import observe
from pipelines.errors import NotInLogError, UnusableEventError
from pipelines.payment_end import PaymentEnd, payment_end
from pipelines.payment_labels import PaymentLabels, payment_labels

E = TypeVar("E", bound=Event)


_UNASKED = (
    "nobody asked the payer to be authenticated, as the engine wanted: it was too late, or not possible"
)

_OTHER_IDS = {"tok_": "a token", "prv_": "a review", "acct_": "a merchant", "card_": "a card's surrogate"}


class ExplainedAttempt(NamedTuple):
    """What the log tells of one attempt: what was done, what labels say of its payment, what the engine
    thought; None: not there (yet).
    """

    end: PaymentEnd | None
    labels: PaymentLabels
    decision: Explanation | None


def explained_attempt(log: Log, payment_id: str, attempt: int | None = None) -> ExplainedAttempt:
    """A payment's attempt (its latest, unless told).

    Raises `NotInLogError` where nothing of it is in the log, `ExplainError` where it cannot be explained.
    """
    end, labels = payment_end(log, payment_id, attempt), payment_labels(log, payment_id)
    try:
        decision = explain(evidence_of(log, payment_id, end.attempt if end else attempt))
        if end is not None and end.is_unasked and decision.evidence.assessment.challenge:
            end = end._replace(lines=[*end.lines, _UNASKED])
        return ExplainedAttempt(end, labels, decision)
    except NotInLogError:
        if end is None:
            raise
        return ExplainedAttempt(end, labels, None)


def explain_payment(
    log: Log,
    payment_id: str,
    attempt: int | None = None,
    *,
    entities: bool = True,
    features: bool = False,
) -> str:
    """What was done with it and why, what became known of it, then what the engine thought, as text.

    Raises as `explained_attempt`.
    """
    end, labels, decision = explained_attempt(log, payment_id, attempt)
    text = "  nothing that is in the log (yet)"
    if decision is not None:
        text = render(decision, entities=entities, features=features)
    known = _paragraph("What became known of it, by labels:", labels.lines())
    if end is None:
        return f"{known}\n\n{text}"
    done = _paragraph(f"What was done with payment {payment_id}, attempt {end.attempt}:", end.lines)
    return f"{done}\n\n{known}\n\nWhat the engine thought:\n{text}"


def _paragraph(head: str, lines: list[str]) -> str:
    return "\n".join([head, *(f"  {line}" for line in lines)])


def explain_as_json(log: Log, payment_id: str, attempt: int | None = None) -> str:
    """The same as JSON, with every feature; raises as `explained_attempt`."""
    end, labels, decision = explained_attempt(log, payment_id, attempt)
    done = None if end is None else {"attempt": end.attempt, "lines": end.lines}
    told = {
        "done": done,
        "labels": labels.plain(),
        "counts_as_fraud": labels.fraud,
        "thought": None if decision is None else plain(decision),
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def evidence_of(log: Log, payment_id: str, attempt: int | None = None) -> Evidence:
    """Everything of the decision that the log still holds; raises `NotInLogError`."""
    decision = _decision(log, payment_id, attempt)
    assessment = observe.assessment(decision)
    gaps: list[str] = []
    observation = _observation(log, decision)
    if observation is None:
        observation = observation_of(assessment)
        gaps.append("the request is no longer in the log: lists and merchant's costs are left out")
    boosting = _boosting(log, decision, gaps)
    return Evidence(
        assessment=assessment,
        observation=observation,
        controls=_controls(log, decision, gaps),
        champion=_champion(log, decision, gaps),
        gaps=tuple(gaps),
        boosting=boosting,
    )


def events_of(log: Log, topic: str, kind: type[E], mentioning: str = "") -> Iterator[E]:
    """Every readable event of one type in a topic, up to its present end; see `events_until_end`."""
    for _, event in events_until_end(log, topic, mentioning):
        if isinstance(event, kind):
            yield event


def _decision(log: Log, payment_id: str, attempt: int | None) -> DecisionMade:
    latest: DecisionMade | None = None
    for decision in events_of(log, "decisions", DecisionMade, payment_id):
        wanted = decision.payment_id == payment_id and attempt in (None, decision.attempt)
        if wanted and (latest is None or decision.attempt >= latest.attempt):
            latest = decision
    if latest is None:
        for prefix, what in _OTHER_IDS.items():
            if payment_id.startswith(prefix):
                raise NotInLogError(f"this is {what}, not a payment: give the payment's id, pi_…")
        which = "" if attempt is None else f", attempt {attempt}"
        raise NotInLogError(
            f"the log holds no decision on payment {payment_id}{which}: check the id (pi_…) and the log's "
            "URL; a payment that was never confirmed has none"
        )
    return latest


def _observation(log: Log, decision: DecisionMade) -> Observation | None:
    topic, partition = "assessments", decision.request_partition
    if not log.starts(topic)[partition] <= decision.request_offset < log.ends(topic)[partition]:
        return None
    place, offset = TopicPartition(topic, partition), decision.request_offset
    for record in records_between(log, place, offset, offset + 1):
        event = readable(record)
        if isinstance(event, AssessmentRequested) and event.id == decision.assessment_id:
            with suppress(UnusableEventError):
                return observe.observation(event)
    return None


def _controls(log: Log, decision: DecisionMade, gaps: list[str]) -> Controls:
    """The controls of the recorded versions, as far as the log still has them.

    Of two bodies under one version the later is in force, once it is published: the decision had the last of
    those that are dated no later than itself.
    """
    wanted = decision.versions.controls
    found = {control.name: control for control in builtin_controls()}
    for changed in events_of(log, "controls", ControlChanged):
        before = found[changed.name].version if changed.name in found else -1
        known = changed.version > before or changed.occurred_at <= decision.assessed_at
        if before <= changed.version <= wanted.get(changed.name, -1) and known:
            found[changed.name] = observe.control(changed)
    for name, version in wanted.items():
        if name not in found or found[name].version != version:
            gaps.append(f"version {version} of the control {name} is no longer in the log")
    kept = [control for name, control in found.items() if name in wanted]
    return _readable(kept, gaps)


def _readable(entries: list[Control], gaps: list[str]) -> Controls:
    controls = Controls.builtin().only({control.name for control in entries})
    for control in entries:
        try:
            controls = controls.changed(control.name, control.kind, control.version, control.body)
        except ControlError as error:
            gaps.append(f"the control {control.name} cannot be read by this build: {error.reason}")
    return controls


def _champion(log: Log, decision: DecisionMade, gaps: list[str]) -> BinnedLogisticRegression | None:
    version = decision.versions.online
    # The champion as the build makes it, before any label.
    if version == 0:
        return BinnedLogisticRegression()
    state = _state(log, CHAMPION, version)
    if state is None:
        gaps.append(
            f"version {version} of the champion is no longer in the log: only stored reasons are left"
        )
        return None
    try:
        return BinnedLogisticRegression.decode(state)
    except (msgspec.DecodeError, ValueError, IndexError):
        gaps.append(f"version {version} of the champion cannot be read by this build")
        return None


def _boosting(log: Log, decision: DecisionMade, gaps: list[str]) -> Callable[[Matrix], Matrix] | None:
    version = decision.versions.batch
    state = _state(log, BOOSTING, version) if version else None
    if state is None:
        return None
    # Here, for it loads the library that it learns with: most of what explaining a decision would take.
    from models.boosting import Boosting, BoostingScorer

    try:
        return BoostingScorer(Boosting.decode(state)).logits
    except (msgspec.DecodeError, ValueError, IndexError):
        gaps.append(f"version {version} of the boosting cannot be read by this build")
        return None


def _state(log: Log, name: str, version: int) -> bytes | None:
    for published in events_of(log, "models", ModelPublished):
        if published.name == name and published.version == version:
            return published.state
    return None
