"""Rails in one piece for tests: the real switch and books behind the real JSON, with faults on the line."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from events.clock import Clock
from events.ids import Entropy
from gateway.processor.errors import RailsSilentError
from gateway.processor.rails_port import RailAnswer, RailQuestion
from simulator.rails.books import RailsBooks
from simulator.rails.members import answered
from simulator.rails.switch import Switch, Verdict

PAGES = "https://pages"


class RailsLine:
    """`gateway.processor.rails_port.Rails` over the switch in memory.

    Each question meets the next of `faults`: `unreachable` (nothing arrives) or `silent` (it arrives, its
    answer does not).
    """

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self.books = RailsBooks(":memory:")
        self.switch = Switch(self.books, clock, entropy)
        self.faults: list[str] = []
        self.asked: list[str] = []

    async def open(self, question: RailQuestion) -> RailAnswer:
        return await self._order("POST", "/orders", question)

    async def find(self, order_id: str) -> RailAnswer | None:
        status, body = await self._ask("GET", f"/orders/{order_id}", b"")
        return None if status == 404 else msgspec.json.decode(body, type=RailAnswer)

    async def give_back(self, question: RailQuestion) -> RailAnswer:
        return await self._order("POST", f"/orders/{question.order_id}/give_back", question)

    async def refund(self, order_id: str, refund_id: str, amount_minor: int) -> bool:
        asked = {"refund_id": refund_id, "amount_minor": amount_minor}
        _, body = await self._ask("POST", f"/orders/{order_id}/refunds", msgspec.json.encode(asked))
        return bool(msgspec.json.decode(body)["accepted"])

    def payer(self, order_id: str, verdict: Verdict) -> None:
        """The payer decides; nobody is told yet."""
        order = self.switch.find(order_id)
        assert order is not None
        self.switch.decide(order, verdict)

    async def tell(self, tell: Callable[[str], Any]) -> int:
        """Tell the member what it is to be told now; gives how often."""
        count = 0
        while notices := self.switch.due_notices():
            for notice in notices:
                await tell(notice.order_id)
                self.switch.told(notice, arrived=True)
                count += 1
        return count

    async def _order(self, method: str, path: str, question: RailQuestion) -> RailAnswer:
        _, body = await self._ask(method, path, msgspec.json.encode(question))
        return msgspec.json.decode(body, type=RailAnswer)

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        fault = self.faults.pop(0) if self.faults else None
        self.asked.append(f"{method} {path}")
        await asyncio.sleep(0)
        if fault == "unreachable":
            raise RailsSilentError("not there")
        status, content = answered(self.switch, PAGES, method, path, body)
        assert status in (200, 404), (status, content)
        if fault == "silent":
            raise RailsSilentError("no answer")
        return status, content
