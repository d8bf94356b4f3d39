"""What an attempt's end commits: state, events, review and debts, all in one commit.

A commit may leave a debt: a capture or a void that the processor has yet to be told (`debts`). The intent
already shows the end, because a capture of what was authorized, and a void of what was not captured, are all
but sure; where the network does refuse a capture, `debts` takes that end back.
"""

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from events.ids import Entropy
from events.moments import microseconds, moment
from events.types import DecisionMade, PaymentActionRequired, PaymentAuthorized, PaymentBlocked
from gateway.errors import ConflictError
from gateway.event_recorder import EventRecorder
from gateway.instances import TakenOverError
from gateway.metrics import LATE_DECISIONS
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.admission import give_back_in
from gateway.payments.authentications import (
    authenticated_in,
    with_authentication,
    without_withdrawn,
)
from gateway.payments.debts import Debts
from gateway.payments.declining import decline_in
from gateway.payments.delayed_captures import capture_due_us
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.intents import Attempt, CaptureOwed, Intent, VoidOwed, owing, reached
from gateway.payments.late_decisions import act_late_in
from gateway.payments.outcomes import (
    BLOCKED_ERROR,
    authorized_outcome,
    blocked_outcome,
    declined_outcome,
    ruling,
)
from gateway.payments.partial_authorizations import cut_to_part_in, whole_again
from gateway.payments.precedence import IN_TIME
from gateway.payments.refunds import Refunds
from gateway.payments.reviews import open_review_in
from gateway.payments.second_confirms import Confirmed, as_it_stands, await_confirmation_in, lapse_in
from gateway.payments.steps import Phase
from gateway.processor_port import ProcessorAnswer
from gateway.store.idempotency_rows import claim_in
from gateway.store.intent_rows import intent_and_attempt, load_attempt, load_intent, save_attempt, save_intent
from gateway.store.method_rows import make_consent_effective
from gateway.store.writer import Store

_replace = msgspec.structs.replace

_UNEXPLAINED: dict[Phase, str] = {"awaiting_payer": "payment_intent_authentication_failure"}
"""Why an attempt was declined, by its phase, where the processor does not say."""


@dataclass(frozen=True, kw_only=True)
class AttemptEnds:
    """Ends attempts, once each."""

    store: Store
    entropy: Entropy
    recorder: EventRecorder
    relay: Relay
    debts: Debts
    refunds: Refunds

    async def end(
        self,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer | None,
        confirmed: Confirmed | None = None,
    ) -> Intent:
        """Commit the attempt's end, or that its payer, or after that its merchant, has to do something first.

        Where it has an end already, that one stands. Raises `ConflictError` where it was blocked or given up
        meanwhile and approved all the same (it has to be taken back first), or is confirmed again too late,
        `TakenOverError` where another drives it.
        """
        intent, after = await self.store.write(
            lambda c: self._end_in(c, attempt, decision, answer, confirmed), intent_and_attempt(attempt)
        )
        self.relay.nudge()
        self.debts.drive(after)
        return intent

    async def give_up(self, attempt: Attempt) -> None:
        """Commit that the attempt is being taken back: from then on nobody may end it as approved.

        Only then may the processor be told, for another instance may have been driving it on for a while.
        Raises `TakenOverError` where it is another's, or has its end.
        """
        await self.store.write(lambda c: _give_up_in(c, attempt))

    async def lapse(self, attempt: Attempt) -> None:
        """Give back what its merchant did not confirm again in time; a second time it changes nothing."""
        after = await self.store.write(lambda c: lapse_in(c, self.recorder, attempt))
        self.relay.nudge()
        if after is not None:
            self.debts.drive(after)

    async def act_late(self, late: DecisionMade) -> None:
        """Let a decision act that came after a fallback's; a second time it changes nothing."""
        after = await self.store.write(
            lambda connection: act_late_in(connection, self.recorder, self.entropy, late)
        )
        LATE_DECISIONS.inc()
        self.relay.nudge()
        if after is not None:
            self.debts.drive(after)
            await self.refunds.drive_for(late.payment_id)

    def _end_in(
        self,
        connection: Connection,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer | None,
        confirmed: Confirmed | None,
    ) -> tuple[Intent, Attempt]:
        intent = load_intent(connection, attempt.payment_id)
        stored = load_attempt(connection, attempt.payment_id, attempt.number)
        if stored is not None and stored.decision is not None:
            answer = without_withdrawn(stored.decision, answer)
        must_confirm = intent.confirmation_method == "manual" and confirmed is None
        if stored is None or _changes_nothing(stored, answer, must_confirm=must_confirm):
            return as_it_stands(intent, confirmed), stored or attempt
        if stored.phase == "assessing" and stored.owner != attempt.owner:
            raise TakenOverError
        # What was decided before the payer was sent off, or since then, is what counts.
        decision = stored.decision or decision
        if _is_approved(answer) and (decision.outcome == "block" or stored.debt is not None):
            raise ConflictError()
        after = _replace(stored, assessed=decision.assessed, decision_id=decision.decision_id, debt=None)
        intent = _replace(intent, not_assessed=not decision.assessed)
        if stored.phase != "awaiting_confirm":
            intent = authenticated_in(connection, self.recorder, intent, after, answer)
        if answer is not None and must_confirm and stored.phase == "awaiting_payer" and _is_approved(answer):
            intent, after = await_confirmation_in(connection, self.recorder, intent, after, answer)
        else:
            intent, after = self._taken_on_in(connection, intent, after, decision, answer)
        intent = with_authentication(intent, answer)
        if confirmed is not None:
            claim_in(connection, confirmed.request_key, intent.id, attempt=after.number)
        if after.phase in ("blocked", "declined"):
            give_back_in(connection, intent, after)
            intent = whole_again(intent, after)
        save_attempt(connection, after)
        return save_intent(connection, intent), after

    def _taken_on_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer | None,
    ) -> tuple[Intent, Attempt]:
        """At its end, or at what its payer has to do first."""
        if answer is not None and answer.status == "action_required":
            return self._await_payer_in(connection, intent, attempt, decision, answer)
        if decision.outcome == "block":
            return self._block_in(connection, intent, attempt, decision, answer)
        if answer is not None and answer.status == "approved":
            return self._authorize_in(connection, intent, attempt, decision, answer)
        return self._decline_in(connection, intent, attempt, decision, answer)

    def _await_payer_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer,
    ) -> tuple[Intent, Attempt]:
        if answer.action is None:
            raise ValueError(f"attempt {attempt.id} needs its payer, and nobody says what for")
        intent = intents.action_required(intent, answer.action)
        event = PaymentActionRequired(
            **self.recorder.header(intent, moment(attempt.moment_us)),
            attempt=attempt.number,
            kind=answer.action.kind,
            ruling=ruling(decision),
        )
        attempt = _replace(
            reached(attempt, "awaiting_payer"),
            decision=decision,
            payer_until_us=microseconds(answer.action.expires_at),
        )
        return self.recorder.record_step(connection, intent, event), attempt

    def _block_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer | None,
    ) -> tuple[Intent, Attempt]:
        # A block has an answer only after a crash: the flight before it had asked, on a fallback's word.
        approved_before = answer is not None and answer.approval_code is not None
        outcome = blocked_outcome(decision, after_approval=approved_before)
        intent = intents.refused(intent, "block", outcome, BLOCKED_ERROR)
        event = PaymentBlocked(
            **self.recorder.header(intent, moment(attempt.moment_us)),
            attempt=attempt.number,
            reason=decision.reason or "rule",
            ruling=ruling(decision),
        )
        intent = self.recorder.record_step(connection, intent, event)
        return intent, reached(attempt, "blocked")

    def _decline_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer | None,
    ) -> tuple[Intent, Attempt]:
        code = (answer.decline_code if answer else None) or _UNEXPLAINED.get(
            attempt.phase, "processing_error"
        )
        reversed_ = answer is not None and answer.status == "reversed"
        if attempt.phase == "awaiting_payer" and answer is not None and answer.approval_code is None:
            # What was taken back before its payer did anything was never approved.
            reversed_ = False
        outcome = declined_outcome(decision, code, answer, reversed_=reversed_)
        intent = decline_in(connection, self.recorder, intent, attempt, decision, code, outcome, answer)
        return intent, reached(attempt, "declined")

    def _authorize_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        decision: EffectiveDecision,
        answer: ProcessorAnswer,
    ) -> tuple[Intent, Attempt]:
        outcome = authorized_outcome(decision)
        intent = cut_to_part_in(connection, intent, attempt, answer)
        attempt = _replace(
            reached(attempt, "authorized"),
            approval_code=answer.approval_code,
            network_reference=answer.network_reference,
        )
        delay_hours = intent.capture_delay_hours
        # Until its hour a capture that was put off is as one that the merchant makes.
        effect = IN_TIME[decision.outcome]["manual" if delay_hours else intent.capture_method]
        if effect == "captured":
            # The capture is owed from this commit on: no crash leaves an authorization that nobody captures.
            intent = intents.succeeded(intent, outcome)
            debt = CaptureOwed(amount_minor=intent.amount_received_minor, since_us=attempt.moment_us)
            attempt = owing(attempt, debt)
        else:
            held, why = effect == "held", outcome.reason
            review_id = open_review_in(connection, self.entropy, intent, attempt, why) if held else None
            intent = intents.authorized(intent, outcome, review_id)
            if delay_hours is not None:
                due_us = capture_due_us(attempt.moment_us, delay_hours, attempt.expires_us)
                intent = _replace(intent, capture_due_us=due_us)
        if effect != "held":
            make_consent_effective(connection, intent, attempt.moment_us)
        event = PaymentAuthorized(
            **self.recorder.header(intent, moment(attempt.moment_us)),
            attempt=attempt.number,
            authorization_id=attempt.id,
            approval_code=answer.approval_code,
            network_reference=answer.network_reference,
            asked_minor=attempt.asked_minor,
            held=effect == "held",
            assessed=decision.assessed,
            ruling=ruling(decision),
        )
        return self.recorder.record_step(connection, intent, event), attempt


def _give_up_in(connection: Connection, attempt: Attempt) -> None:
    stored = load_attempt(connection, attempt.payment_id, attempt.number)
    if stored is None or stored.phase != attempt.phase or stored.owner != attempt.owner:
        raise TakenOverError
    save_attempt(connection, _replace(stored, debt=VoidOwed(since_us=stored.moment_us)))


def _changes_nothing(attempt: Attempt, answer: ProcessorAnswer | None, *, must_confirm: bool) -> bool:
    """Whether it has its end, or waits still for what it waited for."""
    sends_payer = answer is not None and answer.status == "action_required"
    if attempt.phase == "awaiting_payer":
        return sends_payer
    if attempt.phase == "awaiting_confirm":
        # Who was told that the commit had failed says again that the payer was sent off, and is overtaken.
        return sends_payer or (must_confirm and _is_approved(answer))
    return attempt.phase != "assessing"


def _is_approved(answer: ProcessorAnswer | None) -> bool:
    return answer is not None and answer.status == "approved"
