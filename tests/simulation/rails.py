"""The rails of a story: the real switch and its books, asked over a link; its notices come, or do not."""

import asyncio
import json
from collections.abc import Coroutine
from random import Random
from typing import Any

from gateway.errors import GatewayError
from gateway.processor.errors import RailsSilentError
from simulator.rails.members import answered
from simulator.rails.orders import Order
from simulator.rails.switch import Switch
from simulator.rails.testaddresses import BY_ADDRESS
from tests.rails_parts import PAGES, RailsLine
from tests.simulation.links import Link, NoAnswerError, NotThereError

NOTICE_SECONDS = 1.0


class SimulatedRails:
    """The switch; unlike a process it never dies."""

    def __init__(self, world: Any, random: Random, notices: Link) -> None:
        self._world = world
        self._random = random
        self._notices = notices
        self._line = RailsLine(world.clock, world.entropy)
        self._telling = False
        self._asked: set[str] = set()

    @property
    def serving(self) -> Switch:
        return self._line.switch

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> "asyncio.Task[Any]":
        return asyncio.get_running_loop().create_task(work, name=name)

    def opened(self, order_id: str) -> None:
        """Its payer is asked; from the first order on members are told of changes."""
        if not self._telling:
            self._telling = True
            self._world.spawn(self._tell(), "notices")
        order = self.serving.find(order_id)
        if order is not None and order.handle not in BY_ADDRESS and order_id not in self._asked:
            self._asked.add(order_id)
            self._world.spawn(self._decide(order), "payer at the rails")

    async def _decide(self, order: Order) -> None:
        """What a payer does in the app, or on the page of a wallet or a bank."""
        deed: Any = self._random.choice(("pay", "pay", "pay", "decline", "never"))
        if deed != "never":
            await asyncio.sleep(self._random.choice((0.1, 3, 30)) * self._random.random())
            after = self.serving.decide(order, deed)
            self._world.tell(f"a payer at the rails: {deed} {order.order_id}, which is {after.state}")

    def orders(self) -> dict[str, tuple[str, int, int]]:
        """State, amount and what was given back, of each order."""
        rows = self._line.books._database.execute(
            "SELECT order_id, state, amount_minor, returned_minor FROM orders"
        )
        return {row[0]: row[1:] for row in rows}

    async def _tell(self) -> None:
        while not self._world.calm:
            for notice in self.serving.due_notices():
                order_id = notice.order_id
                try:
                    await self._notices.ask(
                        "a notice", lambda parts, order_id=order_id: parts.rails.changed(order_id)
                    )
                except (NoAnswerError, NotThereError, GatewayError):
                    self.serving.told(notice, arrived=False)
                else:
                    self.serving.told(notice, arrived=True)
            await asyncio.sleep(NOTICE_SECONDS)


class RailsOverLink(RailsLine):
    """The processor's `Rails`: as `RailsLink`, but for the network."""

    def __init__(self, link: Link, rails: SimulatedRails) -> None:
        self._link = link
        self._rails = rails

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        async def asked(switch: Switch) -> tuple[int, bytes]:
            reply = answered(switch, PAGES, method, path, body)
            if path == "/orders":
                self._rails.opened(json.loads(body)["order_id"])
            return reply

        try:
            status, content = await self._link.ask(f"{method} {path[:12]}", asked)
        except (NoAnswerError, NotThereError):
            raise RailsSilentError("no answer") from None
        return status, content
