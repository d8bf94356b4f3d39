"""What lies between two processes: messages are lost, late, doubled, overtaken, both ways."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.api.pay_desk import pay_desk
from gateway.errors import (
    ApiUnavailableError,
    GatewayError,
    IdempotencyReuseError,
    ProcessorUnavailableError,
    RequestInProgressError,
)
from gateway.pay_port import PayAnswer, PayOrder, PaySession, PaySessionOpened
from gateway.people.errors import InvalidTokenError, RateLimitedError, WrongMerchantError
from gateway.processor.acquirer_link import ANSWER_SECONDS_MAX as NETWORK_SECONDS_MAX
from gateway.processor.errors import AcquirerSilentError, AcquirerUnreachableError
from gateway.processor.messages import decode
from gateway.processor_client import ANSWER_SECONDS_MAX as PROCESSOR_SECONDS_MAX
from gateway.processor_port import (
    AnswerChanged,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
    TokenRegistered,
    TokenRegistration,
)
from tests.simulation.processes import KilledError, Process

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class NoAnswerError(Exception):
    """Nothing came back; anything may have happened."""


class NotThereError(Exception):
    """Nobody listens: nothing has arrived."""


class Weather(NamedTuple):
    """How bad a link is; each is a probability."""

    lost: float
    deaf: float
    doubled: float
    late: float
    unreachable: float

    @classmethod
    def drawn(cls, random: Random) -> "Weather":
        badness = random.choice((0.0, 0.02, 0.1, 0.3))
        return cls(*(badness * random.random() for _ in range(5)))


class Link:
    """One way of asking a process."""

    def __init__(self, world: Any, name: str, target: Process, random: Random, seconds_max: float) -> None:
        self._world = world
        self._name = name
        self._target = target
        self._random = random
        self._weather = Weather.drawn(random)
        self._seconds_max = seconds_max

    async def ask(self, what: str, call: Callable[[Any], Awaitable[T]]) -> T:
        """The answer of what the target serves; raises `NoAnswerError`, `NotThereError`."""
        weather, random = self._weather, self._random
        if self._struck(weather.unreachable):
            raise NotThereError
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        lost, doubled = self._struck(weather.lost), self._struck(weather.doubled)
        if lost:
            self._world.tell(f"{self._name}: {what} is lost")
        else:
            self._deliver(what, call, answer, deaf=self._struck(weather.deaf), alone=not doubled)
        if doubled:
            self._world.tell(f"{self._name}: {what} comes twice")
            self._deliver(what, call, answer, deaf=random.random() < 0.5, alone=lost)
        # A connection that breaks tells so at once, one that is silent takes its time.
        patience = self._seconds_max if random.random() < 0.5 or not lost else random.uniform(0.01, 1)
        await asyncio.wait((answer,), timeout=patience)
        if not answer.done():
            answer.cancel()
            raise NoAnswerError
        return answer.result()

    def _struck(self, probability: float) -> bool:
        return not self._world.calm and probability > 0 and self._random.random() < probability

    def _delay_seconds(self) -> float:
        if self._struck(self._weather.late):
            return self._random.choice((0.2, 1.0, 5.0, 12.0, 40.0)) * self._random.random()
        return 0.001 + 0.01 * self._random.random()

    def _deliver(
        self,
        what: str,
        call: Callable[[Any], Awaitable[T]],
        answer: "asyncio.Future[T]",
        *,
        deaf: bool,
        alone: bool,
    ) -> None:
        there, back = self._delay_seconds(), self._delay_seconds()
        self._world.spawn(self._carry(what, call, answer, there, back, deaf=deaf, alone=alone), self._name)

    async def _carry(
        self,
        what: str,
        call: Callable[[Any], Awaitable[T]],
        answer: "asyncio.Future[T]",
        there: float,
        back: float,
        *,
        deaf: bool,
        alone: bool,
    ) -> None:
        await asyncio.sleep(there)
        serving = self._target.serving
        if serving is None:
            # Where another copy is under way nobody can say that nothing has arrived.
            if alone:
                self._end(answer, NotThereError())
            return
        task = self._target.spawn(_called(call, serving), "request")
        await asyncio.wait((task,))
        if task.cancelled() or isinstance(error := task.exception(), KilledError):
            # The connection breaks with the process.
            await asyncio.sleep(back)
            self._end(answer, NoAnswerError())
            return
        if deaf:
            self._world.tell(f"{self._name}: the answer to {what} is lost")
            return
        await asyncio.sleep(back)
        if error is None:
            if not answer.done():
                answer.set_result(task.result())
        else:
            self._end(answer, error)

    def _end(self, answer: "asyncio.Future[Any]", error: BaseException) -> None:
        if not answer.done():
            answer.set_exception(error)


async def _called(call: Callable[[Any], Awaitable[T]], serving: Any) -> T:
    return await call(serving)


def over_the_wire(value: S) -> S:
    """What arrives of a body: as it is encoded and decoded between the programs."""
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))


class ProcessorOverLink:
    """The API's `Processor`: as `LinkedProcessor`, but for the network."""

    def __init__(self, link: Link, told: Callable[[ProcessorAnswer], None]) -> None:
        self._link = link
        self._told = told

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        sent = over_the_wire(request)
        return await self._ask(f"authorize {sent.attempt_id}", lambda processor: processor.authorize(sent))

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        sent = over_the_wire(request)
        return await self._ask(f"capture {attempt_id}", lambda processor: processor.capture(attempt_id, sent))

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        sent = over_the_wire(request)
        return await self._ask(f"reverse {attempt_id}", lambda processor: processor.reverse(attempt_id, sent))

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        sent = over_the_wire(request)
        return await self._ask(
            f"increment {attempt_id}", lambda processor: processor.increment(attempt_id, sent)
        )

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        sent = over_the_wire(request)
        return await self._ask(f"refund {attempt_id}", lambda processor: processor.refund(attempt_id, sent))

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return await self._ask(f"find {attempt_id}", lambda processor: processor.find(attempt_id))

    async def _ask(self, what: str, call: Callable[[Any], Awaitable[ProcessorAnswer]]) -> ProcessorAnswer:
        async def told(serving: Any) -> ProcessorAnswer:
            answer = await call(serving.port)
            self._told(answer)
            return answer

        try:
            return over_the_wire(await self._link.ask(what, told))
        except (NoAnswerError, NotThereError, GatewayError):
            raise ProcessorUnavailableError("no answer") from None


class RegistryOverLink:
    """The processor's `TokenRegistry`: as `ApiRegistry`, but for the network."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        sent = over_the_wire(registration)
        try:
            return await self._link.ask("register a token", lambda gateway: gateway.tokens.register(sent))
        except (NoAnswerError, NotThereError, GatewayError):
            raise ApiUnavailableError("no answer") from None


class ListenerOverLink:
    """The processor's `AnswerListener`: as `ApiListener`, but for the network."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def answer_changed(self, change: AnswerChanged) -> None:
        sent = over_the_wire(change)
        try:
            await self._link.ask("a change", lambda gateway: gateway.payer_steps.answer_changed(sent))
        except (NoAnswerError, NotThereError, GatewayError):
            raise ApiUnavailableError("no answer") from None


REFUSALS = (
    *(InvalidTokenError, WrongMerchantError, RateLimitedError),
    *(RequestInProgressError, IdempotencyReuseError),
)
"""What the API's pay desk says beside its answers."""


class PayDeskOverLink:
    """The processor's `PayDesk`: as `ApiPayDesk`, but for the network."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def open(self, session: PaySession) -> PaySessionOpened:
        sent = over_the_wire(session)
        return await self._ask("a session", lambda gateway: pay_desk(gateway).open(sent))

    async def pay(self, order: PayOrder) -> PayAnswer:
        sent = over_the_wire(order)
        return await self._ask("an order", lambda gateway: pay_desk(gateway).pay(sent))

    async def _ask(self, what: str, call: Callable[[Any], Awaitable[S]]) -> S:
        try:
            return over_the_wire(await self._link.ask(what, call))
        except REFUSALS:
            raise
        except (NoAnswerError, NotThereError, GatewayError):
            raise ApiUnavailableError("no answer") from None


class NetworkOverLink:
    """The processor's `AcquirerNetwork`: as `AcquirerLink`, but for TCP."""

    def __init__(self, link: Link, network: Process) -> None:
        self._link = link
        self._network = network

    async def exchange(self, message: bytes) -> bytes:
        async def handled(network: Any) -> bytes:
            try:
                (reply,) = network.handle_all([message])
            except sqlite3.Error:
                # The acquirer's program ends where its disk fails, and is started anew.
                self._network.die("of its disk")
                raise KilledError from None
            if reply is None or reply.message is None:
                await asyncio.sleep(NETWORK_SECONDS_MAX)
                raise NoAnswerError
            await asyncio.sleep(reply.after_seconds)
            return bytes(reply.message)

        try:
            return await self._link.ask(decode(message)["t"], handled)
        except NotThereError:
            raise AcquirerUnreachableError("not there") from None
        except NoAnswerError:
            raise AcquirerSilentError("no answer") from None


__all__ = ["NETWORK_SECONDS_MAX", "PROCESSOR_SECONDS_MAX"]
