"""Accounts that pay over rails: ask the payer, find out what came of it, keep or give back the money.

The order is durable before the payer is asked, and asked again under the same id where no answer came: the
rails never take it for a second one. What they say by themselves is a hint alone; the truth is asked for.
What is owed back is told until they have answered, across restarts too.
"""

import asyncio
from collections.abc import Awaitable
from functools import partial

import msgspec
import structlog

from events.clock import Clock
from events.crash import crash_point, declare
from gateway.errors import ProcessorUnavailableError, UnavailableError
from gateway.processor import rail_rows, rail_steps
from gateway.processor.errors import RailsSilentError
from gateway.processor.rail_rows import OperationKey, RailOperation, RailOrder
from gateway.processor.rail_steps import WHOLE, answer
from gateway.processor.rails_port import RailAnswer, RailQuestion, Rails
from gateway.processor.shop_address import shop_address
from gateway.processor.store import ProcessorStore
from gateway.processor.turns import Turns
from gateway.processor.waiting import Waiting
from gateway.processor_port import (
    AccountToCharge,
    AnswerChanged,
    AnswerListener,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)

declare(
    {
        "processor.rail_order.committed": "an order at the rails is durable, its payer was not asked",
        "processor.rail_order.heard": "what came of an order is durable, the API was not told",
        "processor.rail_order.owed": "what is owed back at the rails is durable, they were not told",
        "processor.rail_order.returned": "the rails have given back, the store still shows it as owed",
    }
)


class RailsProcessor:
    """The port's calls for attempts that accounts pay; each gives None for an attempt that is a card's."""

    def __init__(
        self,
        *,
        store: ProcessorStore,
        rails: Rails,
        listener: AnswerListener,
        turns: Turns,
        clock: Clock,
    ) -> None:
        self._store = store
        self._rails = rails
        self._listener = listener
        self._turns = turns
        self._owed = Waiting(store, rail_rows.waiting, clock)
        self._log = structlog.get_logger("processor.rails")

    async def authorize(self, request: AuthorizationRequest, account: AccountToCharge) -> ProcessorAnswer:
        return await self._turns.take(request.attempt_id, lambda: self._authorize(request, account))

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer | None:
        return await self._turns.take(attempt_id, lambda: self._capture(attempt_id, request))

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer | None:  # noqa: ARG002  # the port's shape
        """Refused: every payment by an account needs its payer's own approval."""
        order = await self._found(attempt_id)
        if order is None:
            return None
        refused = answer(attempt_id, order, "refused")
        return msgspec.structs.replace(refused, decline_code="transaction_not_allowed")

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer | None:
        return await self._turns.take(attempt_id, lambda: self._refund(attempt_id, request))

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer | None:  # noqa: ARG002  # the port's shape
        return await self._turns.take(attempt_id, lambda: self._reverse(attempt_id))

    async def find(self, attempt_id: str) -> ProcessorAnswer | None:
        """Where the attempt stands; of one whose payer is asked, the rails are asked first."""
        return await self._turns.take(attempt_id, lambda: self._find(attempt_id))

    async def changed(self, attempt_id: str) -> None:
        """The rails hint that an order has changed: ask, and have the API ask."""
        found = await self.find(attempt_id)
        if found is not None and found.status not in ("unknown", "action_required"):
            try:
                await self._listener.answer_changed(AnswerChanged(attempt_id=attempt_id))
            except UnavailableError:
                self._log.warning("the API could not be told that an answer has changed")

    async def repeat_due(self) -> None:
        """Tell the rails what is owed back and not answered yet, each at its time."""
        free = [key for key in await self._owed.due() if not self._turns.busy(key.attempt_id)]
        await asyncio.gather(
            *(self._turns.take(key.attempt_id, partial(self._tell_again, key)) for key in free)
        )

    async def _authorize(self, request: AuthorizationRequest, account: AccountToCharge) -> ProcessorAnswer:
        order = await self._store.transact(lambda db: rail_steps.begin(db, request, account))
        if order.state == "opening":
            crash_point("processor.rail_order.committed")
            asked = RailQuestion(
                order_id=request.attempt_id,
                method=account.method,
                provider=account.provider,
                handle=account.handle,
                amount_minor=request.amount_minor,
                currency=request.currency,
                merchant=order.merchant,
                return_url=shop_address(request) or "",
                is_test=request.mode == "test",
            )
            return answer(request.attempt_id, await self._heard(order, self._rails.open(asked)))
        return answer(request.attempt_id, order)

    async def _find(self, attempt_id: str) -> ProcessorAnswer | None:
        order = await self._found(attempt_id)
        if order is not None and order.state in ("opening", "waiting"):
            order = await self._heard(order, self._rails.find(attempt_id))
        return None if order is None or order.is_tombstone else answer(attempt_id, order)

    async def _heard(self, order: RailOrder, asked: Awaitable[RailAnswer | None]) -> RailOrder | None:
        """The order after the rails' answer; as it was where there is none."""
        try:
            told = await asked
        except RailsSilentError as error:
            self._log.warning("the rails do not answer", attempt=order.attempt_id, error=str(error))
            return order
        if told is None or (told.state == "pending" and order.state == "waiting"):
            return order
        after = await self._store.transact(lambda db: rail_steps.heard(db, order.attempt_id, told))
        crash_point("processor.rail_order.heard")
        return after

    async def _capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer | None:
        order, end = await self._store.transact(lambda db: rail_steps.capture(db, attempt_id, request))
        if order is None:
            return None
        self._owed.look()
        crash_point("processor.rail_order.owed")
        return answer(attempt_id, order, end)

    async def _reverse(self, attempt_id: str) -> ProcessorAnswer | None:
        order = await self._store.transact(lambda db: rail_steps.reverse(db, attempt_id))
        if order is None:
            return None
        self._owed.look()
        crash_point("processor.rail_order.owed")
        return answer(attempt_id, order)

    async def _refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer | None:
        order, refund = await self._store.transact(
            lambda db: rail_steps.begin_refund(db, attempt_id, request)
        )
        if order is None:
            return None
        if refund is None:
            return answer(attempt_id, order, "refused")
        if refund.state == "waiting":
            self._owed.look()
            crash_point("processor.rail_order.owed")
            if not await self._tell(refund):
                raise ProcessorUnavailableError("The rails have not confirmed yet. Ask again.")
            return await self._refund(attempt_id, request)
        return answer(attempt_id, order, refund.state)

    async def _tell_again(self, key: OperationKey) -> None:
        owed = await self._store.transact(lambda db: rail_rows.find_operation(db, *key))
        if owed is not None and owed.state == "waiting":
            await self._tell(owed)
        else:
            self._owed.end(key)

    async def _tell(self, owed: RailOperation) -> bool:
        """Whether the rails have answered what is owed."""
        order = await self._found(owed.attempt_id)
        if order is None:
            raise LookupError("something is owed of an order that is not there")
        self._owed.postpone(owed.key)
        try:
            if owed.operation_id == WHOLE and owed.kind == "return":
                await self._rails.give_back(rail_steps.question(order))
                accepted = True
            else:
                name = f"{owed.kind}-{owed.operation_id}"
                accepted = await self._rails.refund(owed.attempt_id, name, owed.amount_minor)
        except RailsSilentError:
            return False
        crash_point("processor.rail_order.returned")
        if not accepted:
            self._log.error("the rails refuse to give back", attempt=owed.attempt_id, kind=owed.kind)
        await self._store.transact(lambda db: rail_steps.answered(db, owed, accepted=accepted))
        self._owed.end(owed.key)
        return True

    async def _found(self, attempt_id: str) -> RailOrder | None:
        return await self._store.transact(lambda db: rail_rows.find(db, attempt_id))
