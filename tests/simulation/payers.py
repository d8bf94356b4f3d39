"""Payers: their issuers' real directory, and what they do at its page: in time, wrongly or never."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import msgspec

from gateway.errors import GatewayError
from gateway.processor.directory import Lookup, Question
from gateway.processor.errors import DirectoryUnavailableError
from simulator.acs import directory as issuers
from simulator.acs.books import ChallengeBooks
from tests.simulation.links import Link, NoAnswerError, NotThereError, over_the_wire

TEST_CODE, WRONG_CODE = "1234", "1"


class Payers:
    """The directory, and everybody who is sent to its pages; unlike a process it never dies."""

    def __init__(self, world: Any, random: Random, back: Link) -> None:
        self._world = world
        self._random = random
        self._back = back
        self.serving = issuers.Directory(ChallengeBooks(":memory:"), world.clock, world.entropy, b"issuers")
        self._sent_off: set[str] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> "asyncio.Task[Any]":
        return asyncio.get_running_loop().create_task(work, name=name)

    def send_off(self, secret: str, question: Question) -> None:
        """A payer is on the way to the page of this address."""
        if secret not in self._sent_off:
            self._sent_off.add(secret)
            self._world.spawn(self._visit(secret, question.return_url.rpartition("/")[2]), "payer")

    async def _visit(self, secret: str, way_back: str) -> None:
        random = self._random
        deed = random.choice(("right",) * 6 + ("wrong",) * 3 + ("cancel",) * 2 + ("never",))
        if deed == "never":
            return
        await asyncio.sleep(random.choice((0.1, 3, 30)) * random.random())
        self._world.tell(f"a payer at the bank's page: {deed}")
        self._do(secret, deed)
        if random.random() < 0.2:
            return
        for _ in range(random.choice((1, 1, 2))):
            try:
                await self._back.ask("a payer comes back", lambda parts: parts.cards.returned(way_back))
            except (NoAnswerError, NotThereError, GatewayError):
                await asyncio.sleep(1)

    def _do(self, secret: str, deed: str) -> None:
        for _ in range(3 if deed == "wrong" else 1):
            transaction = self.serving.page(secret)
            if transaction is None:
                return
            if deed == "cancel":
                self.serving.cancel(transaction)
            else:
                self.serving.answer(transaction, TEST_CODE if deed == "right" else WRONG_CODE)


class DirectoryOverLink:
    """The processor's `Directory`: as `DirectoryLink`, but for the network."""

    def __init__(self, link: Link, payers: Payers) -> None:
        self._link = link
        self._payers = payers

    async def look_up(self, question: Question) -> Lookup:
        sent = over_the_wire(question)
        asked = issuers.Question(**msgspec.structs.asdict(sent))

        async def answered(directory: issuers.Directory) -> issuers.Result:
            return directory.look_up(asked)

        result = await self._ask("look up a card", answered)
        if result.secret is not None:
            self._payers.send_off(result.secret, sent)
        return _lookup(result)

    async def find(self, transaction_id: str) -> Lookup:
        async def found(directory: issuers.Directory) -> issuers.Result:
            return directory.find(transaction_id)

        return _lookup(await self._ask("ask for a payer", found))

    async def withdraw(self, transaction_id: str) -> Lookup:
        async def withdrawn(directory: issuers.Directory) -> issuers.Result:
            return directory.withdraw(transaction_id)

        return _lookup(await self._ask("withdraw a challenge", withdrawn))

    async def _ask(self, what: str, call: Any) -> issuers.Result:
        try:
            return await self._link.ask(what, call)
        except (NoAnswerError, NotThereError):
            raise DirectoryUnavailableError("no answer") from None


def _lookup(result: issuers.Result) -> Lookup:
    url = f"https://issuer.example/challenges/{result.secret}" if result.secret else None
    return Lookup(status=result.status, eci=result.eci, proof=result.proof, url=url)
