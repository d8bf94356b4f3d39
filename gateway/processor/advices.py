"""Captures, refunds and reversals are told to the acquirer until it answers, across restarts too."""

import asyncio
from functools import partial

import msgspec
import structlog

from events.clock import Clock
from events.crash import crash_point, declare
from gateway.processor import advice_rows, messages, transitions
from gateway.processor.advice_rows import Advice, AdviceKey
from gateway.processor.attempts import Attempt
from gateway.processor.declines import TEMPORARY
from gateway.processor.errors import AcquirerError, MisfitAnswerError
from gateway.processor.network import AcquirerNetwork
from gateway.processor.store import ProcessorStore
from gateway.processor.turns import Turns
from gateway.processor.waiting import Waiting
from gateway.scheduling import Scheduling

declare(
    {
        "processor.advice.answered": "the acquirer has answered an advice, the answer is nowhere yet",
        "processor.advice.recorded": "the answer to an advice is durable, nobody was told",
    }
)

SENT_TOGETHER_MAX = 16
"""Else one that gets no answer makes all behind it wait; more would crowd out authorizations."""


class Advices:
    """Sends advices. `send` and `deliver` must be called by whoever has the attempt's turn."""

    def __init__(
        self,
        *,
        store: ProcessorStore,
        network: AcquirerNetwork,
        turns: Turns,
        clock: Clock,
        scheduling: Scheduling,
    ) -> None:
        self._store = store
        self._network = network
        self._turns = turns
        self._scheduling = scheduling
        self._waiting = Waiting(store, advice_rows.waiting, clock)
        self._log = structlog.get_logger("processor")

    async def load(self) -> None:
        """Take up what an earlier run left."""
        await self._waiting.load()

    def watch(self, key: AdviceKey) -> None:
        """The advice is durable and will be sent at the next `repeat_due`."""
        self._waiting.watch(key)

    @property
    def waiting(self) -> int:
        """How many advices wait for an answer."""
        return len(self._waiting)

    async def repeat_due(self) -> None:
        """Send once each advice whose time has come and whose attempt nobody else works on."""
        due = await self._waiting.due()
        for first in range(0, len(due), SENT_TOGETHER_MAX):
            batch = due[first : first + SENT_TOGETHER_MAX]
            free = [key for key in batch if not self._turns.busy(key.attempt_id)]
            await asyncio.gather(
                *(self._turns.take(key.attempt_id, partial(self.deliver, key)) for key in free)
            )

    async def deliver(self, key: AdviceKey, *, durably: bool = False) -> Advice:
        """Send it once more, if the acquirer has not answered; the advice as it stands then."""
        attempt, advice = await self._store.transact(lambda db: transitions.count_transmission(db, key))
        return await self.send(attempt, advice, durably=durably)

    async def send(self, attempt: Attempt, advice: Advice, *, durably: bool = False) -> Advice:
        """Send an advice that is durable and counted; it stays `waiting` until the acquirer answers.

        `durably` waits until the answer is durable too: the store then shows the attempt as it is after it.
        """
        if advice.state != "waiting":
            self._waiting.end(advice.key)
            return advice
        self._waiting.postpone(advice.key)
        return await self._exchange(attempt, advice, durably=durably)

    async def _exchange(self, attempt: Attempt, advice: Advice, *, durably: bool) -> Advice:
        question = messages.advice_message(attempt, advice)
        try:
            fields = messages.read_answer(question, await self._network.exchange(question))
        except (AcquirerError, MisfitAnswerError) as error:
            self._log.warning(
                "advice not answered",
                kind=advice.kind,
                reference=attempt.reference,
                error=type(error).__name__,
            )
            return advice
        crash_point("processor.advice.answered")
        if fields["39"] in TEMPORARY:
            return advice
        answered = msgspec.structs.replace(
            advice,
            state="accepted" if fields["39"] == messages.ACCEPTED else "refused",
            response=fields["39"],
        )
        return await self._take_answer(attempt, answered, durably=durably)

    async def _take_answer(self, attempt: Attempt, answered: Advice, *, durably: bool) -> Advice:
        """Record the answer.

        Nobody need wait for the disk where the acquirer accepted: after a power loss, or where the store
        could not take it, the advice still waits, is sent again, and gets the same answer.
        """
        if answered.state == "accepted" and not durably:
            self._scheduling.spawn(self._record(answered), "advice answered")
            return answered
        if answered.state == "refused":
            self._log.error(
                "advice refused",
                kind=answered.kind,
                reference=attempt.reference,
                response=answered.response,
            )
        await self._record(answered)
        return answered

    async def _record(self, answered: Advice) -> None:
        await self._store.transact(lambda db: transitions.record_answer(db, answered))
        self._waiting.end(answered.key)
        if answered.kind == "capture" and answered.state == "refused":
            self.watch(AdviceKey(answered.attempt_id, "reversal", ""))
        crash_point("processor.advice.recorded")
