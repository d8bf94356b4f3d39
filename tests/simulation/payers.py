"""Payers: some attempts ask for theirs first. They come in time, fail, come too late or never.

This stands before the processor's heart as long as the processor itself sends nobody off; unlike a process it
forgets nothing.
"""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from random import Random
from typing import Any

from gateway.errors import GatewayError
from gateway.processor_port import (
    AnswerChanged,
    AuthorizationRequest,
    PayerAction,
    ProcessorAnswer,
    ReversalRequest,
)
from tests.simulation.links import Link, NoAnswerError, NotThereError


class Payers:
    """Who is asked for, and what they have done."""

    def __init__(self, world: Any, random: Random, to_api: Link) -> None:
        self._world = world
        self._random = random
        self._to_api = to_api
        self._share = random.choice((0.0, 0.0, 0.6))
        self._spared: set[str] = set()
        self.asked: dict[str, PayerAction] = {}

    def ask_for(self, request: AuthorizationRequest) -> bool:
        """Whether the attempt's payer has to do something now."""
        if request.attempt_id in self._spared:
            return request.attempt_id in self.asked
        self._spared.add(request.attempt_id)
        if self._random.random() >= self._share:
            return False
        until = request.occurred_at + timedelta(seconds=self._random.choice((5, 20, 60)))
        self.asked[request.attempt_id] = PayerAction(
            kind="three_d_secure", url="https://bank.example/", expires_at=until
        )
        self._world.spawn(self._come(request), "payer")
        return True

    async def _come(self, request: AuthorizationRequest) -> None:
        deed = self._random.choice(("authenticated", "authenticated", "failed", "never"))
        if deed == "never":
            return
        await asyncio.sleep(self._random.choice((0.1, 3, 10, 40)) * self._random.random())
        if self.asked.pop(request.attempt_id, None) is None:
            return
        self._world.tell(f"the payer of {request.attempt_id[:8]} is {deed}")
        while not await self._done(request, deed):
            await asyncio.sleep(0.3)
        for _ in range(self._random.choice((0, 1, 1, 2))):
            await self._tell(request.attempt_id)

    async def _done(self, request: AuthorizationRequest, deed: str) -> bool:
        serving = self._world.processor.serving
        if serving is None:
            return False
        work: Awaitable[ProcessorAnswer] = (
            serving.cards.authorize(request)
            if deed == "authenticated"
            else serving.cards.reverse(request.attempt_id, ReversalRequest(occurred_at=request.occurred_at))
        )
        task = self._world.processor.spawn(work, "request")
        await asyncio.wait((task,))
        return not task.cancelled() and task.exception() is None

    async def _tell(self, attempt_id: str) -> None:
        change = AnswerChanged(attempt_id=attempt_id)
        try:
            await self._to_api.ask("a change", lambda gateway: gateway.payer_steps.answer_changed(change))
        except (NoAnswerError, NotThereError, GatewayError):
            return


class CardsWithPayers:
    """The processor's port, with payers before it."""

    def __init__(self, cards: Any, payers: Payers) -> None:
        self._cards = cards
        self._payers = payers
        self.capture, self.increment, self.refund = cards.capture, cards.increment, cards.refund

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        known = await self._cards.find(request.attempt_id)
        if known.status == "unknown" and self._payers.ask_for(request):
            return self._asking(request.attempt_id)
        return await self._cards.authorize(request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        self._payers.asked.pop(attempt_id, None)
        return await self._cards.reverse(attempt_id, request)

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        if attempt_id in self._payers.asked:
            return self._asking(attempt_id)
        return await self._cards.find(attempt_id)

    def _asking(self, attempt_id: str) -> ProcessorAnswer:
        action = self._payers.asked.get(attempt_id)
        status = "unknown" if action is None else "action_required"
        return ProcessorAnswer(attempt_id=attempt_id, status=status, action=action)
