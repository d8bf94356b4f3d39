"""What a payer has to do before an attempt can end: be authenticated, approve, come back from elsewhere.

While it waits nobody in this program drives the attempt: the processor finds out what came of it and says
that its answer has changed. That word may be lost, so each attempt is asked for again from time to time. Past
its time, by the attempt's own clock, it is taken back, and ends as declined. So does one that its payer has
approved and that its merchant does not confirm again, where it said that it would (`second_confirms`).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from events.clock import Clock
from events.crash import crash_point, declare
from events.moments import microseconds, moment
from events.vocabulary import Mode
from gateway.auth import Caller
from gateway.errors import ConflictError, GatewayError, ProcessorUnavailableError, UnavailableError
from gateway.instances import TakenOverError
from gateway.payments.attempt_ends import AttemptEnds
from gateway.payments.intents import Attempt, Intent
from gateway.payments.second_confirms import Confirmed
from gateway.processor_port import AnswerChanged, Processor, ProcessorAnswer, ReversalRequest
from gateway.scheduling import Scheduling
from gateway.store.intent_rows import attempts_awaiting_payer, load_awaiting_payer
from gateway.store.writer import Store

declare({"gateway.payer.answered": "a payer's step has its answer, the intent does not show it yet"})

SWEEP_SECONDS = 1.0
"""How often attempts are looked for whose time is over, or that a late decision has blocked."""
ASK_AGAIN_SECONDS = 15.0
"""How often one is asked for whose change nobody has told."""
TELLER_SECONDS_MAX = 5.0
"""How long whoever tells of a change waits for the attempt's end."""

_log = structlog.get_logger("gateway.payer_steps")


class PayerSteps:
    """All attempts that wait for their payers."""

    def __init__(
        self,
        *,
        store: Store,
        ends: AttemptEnds,
        processor: Processor,
        scheduling: Scheduling,
        clock: Clock,
        now: Callable[[Mode], datetime],
    ) -> None:
        """`now` is the business time of a mode."""
        self._store = store
        self._ends = ends
        self._processor = processor
        self._scheduling = scheduling
        self._clock = clock
        self._now = now
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._ask_at: dict[str, float] = {}

    async def run(self) -> None:
        """Sweep until canceled."""
        while True:
            try:
                await self.sweep()
            except GatewayError as error:
                _log.warning("the sweep is put off", error=type(error).__name__)
            await self._scheduling.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Ask for every attempt whose turn it is."""
        waiting = await self._store.read(attempts_awaiting_payer)
        now = self._clock.monotonic()
        # The first time is after a pause, too: the payer has only just been sent off.
        self._ask_at = {a.id: self._ask_at.get(a.id, now + ASK_AGAIN_SECONDS) for a, _ in waiting}
        for attempt, mode in waiting:
            by_payer = attempt.phase == "awaiting_payer" and now >= self._ask_at[attempt.id]
            if by_payer or self._must_end(attempt, mode):
                self._ask_at[attempt.id] = now + ASK_AGAIN_SECONDS
                self._ask(attempt, mode)

    async def answer_changed(self, change: AnswerChanged) -> None:
        """Ask for the attempt, and wait a while for its end; what waits for no payer is passed over."""
        under_way = self._asking.get(change.attempt_id)
        if under_way is not None:
            # It may have asked before the answer changed.
            await asyncio.wait({under_way}, timeout=TELLER_SECONDS_MAX)
        found = await self._store.read(lambda c: load_awaiting_payer(c, change.attempt_id))
        if found is not None:
            await asyncio.wait({self._ask(*found)}, timeout=TELLER_SECONDS_MAX)

    async def confirm(self, caller: Caller, intent: Intent, attempt: Attempt) -> Intent:
        """Go on with what was begun before: nothing, where its payer is still at it, else its end.

        Raises `ConflictError` where its time is over this very moment.
        """
        if attempt.phase == "awaiting_payer":
            return intent
        if attempt.decision is None or self._must_end(attempt, intent.mode):
            raise ConflictError()
        answer = await self._processor.find(attempt.id)
        if answer.status in ("action_required", "unknown"):
            raise ProcessorUnavailableError("The processor cannot say what became of the payment. Try again.")
        return await self._ends.end(attempt, attempt.decision, answer, Confirmed(caller.request_key))

    def _ask(self, attempt: Attempt, mode: Mode) -> "asyncio.Task[None]":
        task = self._asking.get(attempt.id)
        if task is None:
            task = self._scheduling.spawn(self._end_if_answered(attempt, mode), f"payer of {attempt.id}")
            self._asking[attempt.id] = task
            task.add_done_callback(lambda _: self._asking.pop(attempt.id, None))
        return task

    async def _end_if_answered(self, attempt: Attempt, mode: Mode) -> None:
        if attempt.decision is None:
            raise ValueError(f"attempt {attempt.id} waits for its payer, and it is not kept what was decided")
        try:
            if attempt.phase == "awaiting_confirm" and not _is_blocked(attempt):
                if self._must_end(attempt, mode):
                    await self._ends.lapse(attempt)
                return
            answer = await self._answer(attempt, mode)
            if answer.status not in ("action_required", "unknown"):
                crash_point("gateway.payer.answered")
                await self._ends.end(attempt, attempt.decision, answer)
        except (UnavailableError, ConflictError, TakenOverError) as error:
            # No fault, and asked for again soon: many at once on a slow machine are worth no warning.
            _log.info("the payer's step is asked for again", attempt=attempt.id, error=type(error).__name__)

    async def _answer(self, attempt: Attempt, mode: Mode) -> ProcessorAnswer:
        answer = await self._processor.find(attempt.id)
        open_still = answer.status in ("action_required", "unknown") and self._must_end(attempt, mode)
        # What the payer did in time counts, though it is heard of late; but not against a block,
        # nor once it was committed that the attempt is given up: its reversal may have left.
        is_given_up = _is_blocked(attempt) or attempt.debt is not None
        if open_still or (answer.status == "approved" and is_given_up):
            await self._ends.give_up(attempt)
            request = ReversalRequest(occurred_at=moment(attempt.moment_us))
            return await self._processor.reverse(attempt.id, request)
        return answer

    def _must_end(self, attempt: Attempt, mode: Mode) -> bool:
        """Whether its time is over, or it is blocked since: it must not be authorized any more."""
        until_us = attempt.payer_until_us
        is_over = until_us is not None and microseconds(self._now(mode)) >= until_us
        return is_over or _is_blocked(attempt)


def _is_blocked(attempt: Attempt) -> bool:
    return attempt.decision is not None and attempt.decision.outcome == "block"
