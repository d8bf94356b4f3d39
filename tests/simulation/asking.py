"""Somebody who asks the programs for something: again and again under one key, and telling of it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

from gateway.errors import UnavailableError
from gateway.processor.card_input import CardInput, check
from tests.simulation import tills
from tests.simulation.links import Link, NoAnswerError, NotThereError
from tests.simulation.processes import ViolationError
from tests.simulation.tills import Answer
from tests.simulation.world import World

CVC = "737"
TRY_AGAIN = (409, 429, 503)


class Asking:
    """A shopper or a shop's program, by the name under which its questions are counted."""

    def __init__(self, world: World, random: Random, name: str) -> None:
        self.world = world
        self.random = random
        self.name = name
        self._questions = 0
        self._at_processor = Link(world, "to vault", world.processor, random, 30.0)

    async def post(
        self, what: str, path: str, body: dict[str, Any], *, key: str | None = None
    ) -> Answer | None:
        """What is asked is asked under one key of its own, however often."""
        self.world.watch.asked[self.name, what.partition(" ")[0]] += 1
        ask = partial(
            tills.post,
            path=path,
            body=body,
            key=key or self.world.keys.secret,
            idempotency_key=self.question(),
        )
        return await self.ask(what, ask)

    async def get(self, what: str, path: str) -> Answer | None:
        return await self.ask(what, lambda gateway: tills.get(gateway, path, key=self.world.keys.secret))

    def question(self) -> str:
        """The key of a new question."""
        self._questions += 1
        return f"{self.name}, question {self._questions}"

    async def ask(
        self, what: str, ask: Callable[[Any], Awaitable[Answer]], link: Link | None = None
    ) -> Answer | None:
        """The answer, None where it is a refusal or where nobody could be reached for long."""
        for _ in range(self.random.choice((1, 3))):
            try:
                answer = await (link or self.world.till).ask(f"{what} {self.name}", ask)
            except (NoAnswerError, NotThereError) as error:
                self.world.tell(f"{self.name}: {what}: {type(error).__name__}")
                await asyncio.sleep(self.random.choice((0, 0.5, 2)))
                continue
            except Exception as error:
                raise ViolationError(f"{what} failed: {error!r}") from error
            told = answer.body.get("status", "done") if answer.status < 400 else answer.code
            self.world.tell(f"{self.name}: {what}: {answer.status} {told}{' again' * answer.replayed}")
            if answer.status == 500:
                raise ViolationError(f"{what} was answered with 500: {answer.body}")
            if answer.status not in TRY_AGAIN:
                return answer
            await asyncio.sleep(self.random.choice((0, 0.5, 2)))
        return None

    async def ask_processor(self, what: str, ask: Callable[[Any], Awaitable[Answer]]) -> Answer | None:
        return await self.ask(what, ask, self._at_processor)

    async def token_of(self, number: str) -> str | None:
        """A token of the card; None where the vault could not be reached."""
        self.world.secrets.add(number.encode())
        now = self.world.clock.now()
        card = check(CardInput(number=number, exp_month=12, exp_year=2031, cvc=CVC), now)

        async def create(processor: Any) -> str:
            return str((await processor.tokens.create(self.world.keys.secret, card, now))["id"])

        for _ in range(3):
            try:
                return await self._at_processor.ask("make a token", create)
            except (NoAnswerError, NotThereError, UnavailableError):
                await asyncio.sleep(0.5)
        return None
