"""A processor in one piece for tests: real vault, store, network and issuers, in one thread and in memory."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import msgspec

from events.clock import VirtualClock
from gateway.business_time import BusinessTime
from gateway.errors import AuthenticationError
from gateway.pay_port import PayAnswer, PayDesk, PayOrder, PaySession, PaySessionOpened
from gateway.people.errors import InvalidTokenError
from gateway.processor import advice_rows, authentication_rows
from gateway.processor.acquirer_link import ANSWER_SECONDS_MAX
from gateway.processor.advice_rows import Advice, AdviceKey, AdviceKind
from gateway.processor.card_input import CardInput, check
from gateway.processor.composition import ProcessorParts, assemble
from gateway.processor.directory import Lookup, Question
from gateway.processor.errors import AcquirerSilentError, AcquirerUnreachableError, DirectoryUnavailableError
from gateway.processor.message_format import decode, encode
from gateway.processor.pay import Pay
from gateway.processor.public_app import PublicListener
from gateway.processor.store import ProcessorStore
from gateway.processor.vault import VaultKeys
from gateway.processor_port import (
    AnswerChanged,
    AnswerListener,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
    TokenRegistered,
    TokenRegistration,
)
from gateway.scheduling import InlineScheduling, Scheduling
from simulator.acquirer.books import Books
from simulator.acquirer.network import Network
from simulator.acs import directory as issuers_directory
from simulator.acs.books import ChallengeBooks
from simulator.acs.directory import Directory
from tests.rails_parts import RailsLine

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
KEYS = VaultKeys(1, {1: b"w" * 32}, b"f" * 32)
GOOD_KEY = "sk_test_" + "0" * 48


class Line:
    """The line to the network: every message is counted, and `faults` happen to those of their type.

    A fault is `unreachable` (nothing arrives), `lost` (nothing arrives, nobody says so), `silent` (it
    arrives, its answer does not), or a function that changes the answer on its way.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.sent: list[dict[str, str]] = []
        self.faults: dict[str, list[str | Callable[[bytes], bytes]]] = {}
        self.silence_seconds = 0.0

    async def exchange(self, message: bytes) -> bytes:
        kind = decode(message)["t"]
        fault = self.faults[kind].pop(0) if self.faults.get(kind) else None
        if fault == "unreachable":
            raise AcquirerUnreachableError("not there")
        self.sent.append(decode(message))
        await asyncio.sleep(0)
        reply = None if fault == "lost" else self.network.handle_all([message])[0]
        unheard = reply is None or reply.message is None or reply.after_seconds >= ANSWER_SECONDS_MAX
        if unheard or fault == "silent" or reply is None or reply.message is None:
            await asyncio.sleep(self.silence_seconds)
            raise AcquirerSilentError("no answer")
        return fault(reply.message) if callable(fault) else reply.message

    @property
    def types(self) -> list[str]:
        return [fields["t"] for fields in self.sent]


class Registry:
    """The API's token registry, as far as the processor sees it."""

    def __init__(self) -> None:
        self.registered: list[TokenRegistration] = []

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        if registration.api_key != GOOD_KEY:
            raise AuthenticationError()
        self.registered.append(registration)
        return TokenRegistered(merchant_id="m_1", mode="test")


class DirectoryInReach:
    """The issuers' directory without a network; it can be away."""

    def __init__(self, issuers: Directory) -> None:
        self.issuers = issuers
        self.away = False
        self.asked: list[Question] = []

    async def look_up(self, question: Question) -> Lookup:
        self.asked.append(question)
        return self._told(
            self.issuers.look_up(issuers_directory.Question(**msgspec.structs.asdict(question)))
        )

    async def find(self, transaction_id: str) -> Lookup:
        return self._told(self.issuers.find(transaction_id))

    async def withdraw(self, transaction_id: str) -> Lookup:
        return self._told(self.issuers.withdraw(transaction_id))

    def _told(self, result: issuers_directory.Result) -> Lookup:
        if self.away:
            raise DirectoryUnavailableError("away")
        url = f"https://issuer.example/challenges/{result.secret}" if result.secret else None
        return Lookup(status=result.status, eci=result.eci, proof=result.proof, url=url)


class Listener:
    """The API, as far as changed answers go."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.passes_on: AnswerListener | None = None

    async def answer_changed(self, change: AnswerChanged) -> None:
        self.told.append(change.attempt_id)
        if self.passes_on is not None:
            await self.passes_on.answer_changed(change)


class NobodysDesk:
    """An API that knows nobody."""

    async def open(self, session: PaySession) -> PaySessionOpened:
        raise InvalidTokenError()

    async def pay(self, order: PayOrder) -> PayAnswer:
        raise InvalidTokenError()


class Bench:
    """A processor and its world; everything random comes from one seed."""

    def __init__(
        self,
        path: Path | Literal[":memory:"] = ":memory:",
        *,
        store: ProcessorStore | None = None,
        scheduling: Scheduling | None = None,
        clock: Any = None,
        line: type[Line] = Line,
        books: Books | None = None,
        registry: Any = None,
        seed: int = 1,
        return_base: str = "https://processor.example",
    ) -> None:
        self.clock = clock or VirtualClock(NOW)
        self.scheduling = scheduling or InlineScheduling()
        self.books = books or Books(":memory:")
        self.line = line(Network(self.books, self.clock, b"issuers"))
        self.registry = registry or Registry()
        self.store = store or ProcessorStore(path, self.scheduling)
        self.challenges = ChallengeBooks(":memory:")
        self.issuers = Directory(self.challenges, self.clock, random.Random(seed + 2).randbytes, b"issuers")
        self.directory = DirectoryInReach(self.issuers)
        self.listener = Listener()
        self.rails = RailsLine(self.clock, random.Random(seed + 3).randbytes)
        self.processor: ProcessorParts = assemble(
            store=self.store,
            network=self.line,
            registry=self.registry,
            keys=KEYS,
            clock=self.clock,
            scheduling=self.scheduling,
            entropy=random.Random(seed).randbytes,
            directory=self.directory,
            listener=self.listener,
            return_base=return_base,
            rails=self.rails,
        )
        self.cards = self.processor.cards
        self.urls: dict[str, str] = {}
        """Where the cardholder of an attempt was sent."""

    def public(self, *, desk: PayDesk | None = None, live_alone: bool = False) -> PublicListener:
        """The listener that cards come to; without a desk nobody can pay at it."""
        pay = Pay(
            tokens=self.processor.tokens, desk=desk or NobodysDesk(), entropy=random.Random(9).randbytes
        )
        return PublicListener(
            tokens=self.processor.tokens,
            cards=self.cards,
            rails=self.processor.rails,
            pay=pay,
            time=BusinessTime(self.clock),
            clock=self.clock,
            live_alone=live_alone,
        )

    async def token(self, number: str = "4242424242424242", **card: Any) -> str:
        given = CardInput(number=number, **{"exp_month": 12, "exp_year": 2031, "cvc": "737", **card})
        document = await self.processor.tokens.create(
            GOOD_KEY, check(given, self.clock.now()), self.clock.now()
        )
        return str(document["id"])

    async def authorize(
        self, attempt_id: str, token: str, amount_minor: int = 1000, currency: str = "EUR", **more: Any
    ) -> ProcessorAnswer:
        request = AuthorizationRequest(
            attempt_id=attempt_id,
            token=token,
            amount_minor=amount_minor,
            currency=currency,
            merchant_category="5942",
            **{"mode": "test", "merchant_id": "m_1", "occurred_at": self.clock.now(), **more},
        )
        answer = await self.processor.port.authorize(request)
        if answer.action is not None:
            self.urls[attempt_id] = answer.action.url
        return answer

    async def capture(
        self, attempt_id: str, amount_minor: int = 1000, capture_id: str = "1", *, final: bool = True
    ) -> ProcessorAnswer:
        request = CaptureRequest(
            capture_id=capture_id, amount_minor=amount_minor, final=final, occurred_at=self.clock.now()
        )
        return await self.cards.capture(attempt_id, request)

    async def increment(
        self, attempt_id: str, amount_minor: int = 500, increment_id: str = "1"
    ) -> ProcessorAnswer:
        request = IncrementRequest(
            increment_id=increment_id, amount_minor=amount_minor, occurred_at=self.clock.now()
        )
        return await self.cards.increment(attempt_id, request)

    async def refund(
        self, attempt_id: str, amount_minor: int = 1000, refund_id: str = "1"
    ) -> ProcessorAnswer:
        request = RefundRequest(refund_id=refund_id, amount_minor=amount_minor, occurred_at=self.clock.now())
        return await self.cards.refund(attempt_id, request)

    def type_code(self, attempt_id: str, code: str, times: int = 3) -> None:
        """The cardholder types a code in, again and again as long as it is wrong."""
        for _ in range(times):
            page = self.issuers.page(self.urls[attempt_id].rpartition("/")[2])
            assert page is not None
            self.issuers.answer(page, code)

    async def come_back(self, attempt_id: str) -> ProcessorAnswer:
        """The cardholder comes back from the issuer's page; what the API is told then."""
        row = await self.store.transact(lambda db: authentication_rows.find(db, attempt_id))
        assert row is not None
        await self.cards.returned(row.secret)
        return await self.cards.find(attempt_id)

    async def reverse(self, attempt_id: str) -> ProcessorAnswer:
        return await self.cards.reverse(attempt_id, ReversalRequest(occurred_at=self.clock.now()))

    async def repeat(self, seconds: float = 120.0) -> None:
        """Let the time pass that any advice waits for, and repeat what is due."""
        self.clock.advance(seconds)
        await self.processor.advices.repeat_due()

    async def states(self) -> dict[str, int]:
        """How many attempts are in each state at the acquirer."""
        return dict(Counter(self.books.states()))

    async def advice(self, attempt_id: str, kind: AdviceKind) -> Advice | None:
        """The first capture or refund, or the reversal of what is left."""
        key = AdviceKey(attempt_id, kind, "" if kind == "reversal" else "1")
        return await self.store.transact(lambda db: advice_rows.find(db, key))


def in_one_thread(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is a coroutine, run to its end."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


def changed(**fields: str) -> Callable[[bytes], bytes]:
    """An answer with other fields than the network gave it: `changed(f39="96")`."""

    def change(answer: bytes) -> bytes:
        return encode(
            {**carried(decode(answer)), **{name.removeprefix("f"): v for name, v in fields.items()}}
        )

    return change


def carried(fields: dict[str, str]) -> dict[str, str]:
    """The fields without the bitmaps that say which there are."""
    return {name: value for name, value in fields.items() if name not in {"p", "1", "h"}}
