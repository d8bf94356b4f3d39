"""A gateway in one piece for tests: log in memory, processor and risk engine that do as they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from events.clock import Clock, SystemClock, VirtualClock
from events.codec import decode, encode
from events.ids import uuid7
from events.log.port import Outgoing, Record, TopicPartition
from events.topics import topic_named
from events.types import (
    AssessmentRequested,
    DecisionMade,
    Mode,
    Outcome,
    PaymentEvent,
    Versions,
)
from events.vocabulary import Reason
from gateway.auth import Caller, create_key
from gateway.counting import FAILURES_MAX
from gateway.event_recorder import EventRecorder
from gateway.geo import Geography
from gateway.keys.keyring import Keyring
from gateway.outbox import POLL_SECONDS
from gateway.payments.intents import Intent
from gateway.people.merchants import Merchant, MerchantSettings, create_merchant
from gateway.people.users import User, create_user
from gateway.processor_port import TestRisk, TokenRegistration
from gateway.rate_limits import OWN_PER_SECOND, Limiter
from gateway.scheduling import InlineScheduling, Scheduling
from gateway.store.database import open_engine
from gateway.store.writer import Store
from gateway.surroundings import Surroundings
from gateway.wiring import Gateway
from tests.memory_log import MemoryLog
from tests.obedient_processor import ObedientProcessor
from tests.stores import stores
from tests.virtual_time import run_virtually

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
KEYRING = Keyring(api_keys=b"a" * 32, entities=b"e" * 32, subjects=b"s" * 32, sign_ins=b"i" * 32)
FAST = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
"""How the world keeps passwords: what is kept the strong way is kept anew so when it fits."""

MERCHANT = Merchant(
    id="m_1",
    name="Books and Tea",
    category="5942",
    country="IN",
    status="active",
    settings=MerchantSettings(plan="scale"),
)


class Counter:
    """Bytes that never repeat and are the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return (b"\xab" * 24 + self._count.to_bytes(8, "big"))[-size:]


class ObedientRisk:
    """Answers every assessment with `outcome`, after `delay_seconds`; `silent` keeps it from answering."""

    def __init__(self, log: MemoryLog) -> None:
        self.outcome: Outcome = "allow"
        self.risk_score = 12
        self.challenged_by: list[str] = []
        self.challenged_by_model = False
        self.delay_seconds = 0.0
        self.silent = False
        self._log = log
        self._entropy = Counter()

    async def run(self) -> None:
        partitions = range(topic_named("assessments").partitions)
        reader = self._log.reader({TopicPartition("assessments", number): 0 for number in partitions})
        while True:
            for record in reader.poll(100, 0):
                if not self.silent:
                    await asyncio.sleep(self.delay_seconds)
                    self.answer(record)
            await asyncio.sleep(0.005)

    def answer(self, record: Record) -> None:
        request = decode(record.value)
        assert isinstance(request, AssessmentRequested)
        self.decide(request.payment_id, request.attempt, record)

    def decide(self, payment_id: str, attempt: int, record: Record) -> DecisionMade:
        decision = self.made(payment_id, attempt, record)
        self._log.append([Outgoing("decisions", record.key, encode(decision), record.partition)])
        return decision

    def made(self, payment_id: str, attempt: int, record: Record) -> DecisionMade:
        return DecisionMade(
            id=uuid7(START, self._entropy(10)),
            occurred_at=START,
            payment_id=payment_id,
            attempt=attempt,
            mode="test",
            assessment_id="assessment",
            request_partition=record.partition,
            request_offset=record.offset,
            assessed_at=START,
            outcome=self.outcome,
            probability=self.risk_score / 100,
            risk_score=self.risk_score,
            reasons=[Reason(feature="card_count_1h", text="This card is used often.")],
            rules=self.challenged_by,
            challenged_by=self.challenged_by,
            challenged_by_model=self.challenged_by_model,
            costs_minor={},
            features=[],
            challengers={},
            anomaly=None,
            versions=Versions(features=1, online=1, batch=0),
            sequence=1,
            shard=0,
        )


class World:
    """A gateway with all that is around it: `async with World(tmp_path) as world`."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        scheduling: Scheduling | None = None,
        deadline_seconds: float = 5.0,
        synchronous: str = "FULL",
    ) -> None:
        self._synchronous = synchronous
        self.folder = folder
        self.clock = clock or SystemClock()
        self.scheduling = scheduling or InlineScheduling()
        self.log = MemoryLog()
        self.processor = ObedientProcessor()
        self.risk = ObedientRisk(self.log)
        self.entropy = Counter()
        self.deadline_seconds = deadline_seconds
        self.hasher = FAST
        self.limiter: Limiter | None = None
        self.own_per_second = OWN_PER_SECOND
        self.failures_max = FAILURES_MAX
        self.relay_poll_seconds = POLL_SECONDS
        self.keys: dict[Mode, str] = {}
        self.instance_name = "api"
        self.failed = asyncio.Event()
        """Set when a loop of the gateway died: its program would end."""

    async def __aenter__(self) -> "World":
        await self.open()
        recorder = EventRecorder(self.entropy)
        await self.store.write(
            lambda c: create_merchant(c, recorder, MERCHANT, at=self.clock.now(), actor="test")
        )
        for mode in ("test", "live"):
            self.keys[mode] = await self.store.write(lambda c, mode=mode: self._key(c, recorder, mode))
        await self.gateway.start(self.failed.set)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gateway.stop()

    async def open(self) -> None:
        engine = open_engine(stores.url(self.folder), synchronous=self._synchronous)
        self.store = Store(engine, self.scheduling)
        self.gateway = Gateway(
            Surroundings(
                clock=self.clock,
                entropy=self.entropy,
                scheduling=self.scheduling,
                store=self.store,
                log=self.log,
                processor=self.processor,
                keyring=KEYRING,
                geography=Geography(),
                deadline_seconds=self.deadline_seconds,
                hasher=self.hasher,
                instance_name=self.instance_name,
                limiter=self.limiter,
                own_per_second=self.own_per_second,
                failures_max=self.failures_max,
                relay_poll_seconds=self.relay_poll_seconds,
            )
        )
        self.scheduling.spawn(self.risk.run(), "risk")

    async def restart(self) -> None:
        """Stop without finishing anything, and start again on the same disk, log and processor."""
        await self.gateway.stop()
        await self.open()
        await self.gateway.start(self.failed.set)

    async def caller(self, mode: Mode = "test", at: datetime | None = START) -> Caller:
        time = at.isoformat() if at and mode == "test" else None
        return await self.gateway.keys.authenticate(self.keys[mode], time)

    async def token(self, *, name: str = "tok_1", test_risk: TestRisk | None = None, **facts: Any) -> str:
        registration = TokenRegistration(
            api_key=facts.pop("api_key", self.keys["test"]),
            token=name,
            fingerprint=facts.pop("fingerprint", "fingerprint-1"),
            bin="424242",
            last4="4242",
            brand="visa",
            exp_month=12,
            exp_year=2030,
            test_risk=test_risk,
            **{"funding": "credit", "issuer_country": "US", **facts},
        )
        await self.gateway.tokens.register(registration)
        return name

    async def intent(self, payment_id: str) -> Intent:
        return await self.gateway.payments.retrieve(await self.caller(), payment_id)

    async def until(self, condition: Any, seconds: float = 30.0) -> None:
        """Wait until an (async) condition holds; fails when it does not in time."""
        give_up_at = self.clock.monotonic() + seconds
        while not (await condition() if asyncio.iscoroutinefunction(condition) else condition()):
            assert self.clock.monotonic() < give_up_at, "the condition never held"
            await asyncio.sleep(0.01)

    def payment_events(self, payment_id: str) -> list[str]:
        """The types of a payment's events on the log, in their order; one that came twice counts once."""
        found = {e.id: e for e in self.log.events("payments") if isinstance(e, PaymentEvent)}
        own = [event for event in found.values() if event.payment_id == payment_id]
        own.sort(key=lambda event: event.sequence)
        assert [event.sequence for event in own] == list(range(1, len(own) + 1))
        return [str(type(event).__struct_config__.tag) for event in own]

    def _key(self, connection: Any, recorder: EventRecorder, mode: Mode) -> str:
        return create_key(
            connection,
            recorder,
            merchant_id=MERCHANT.id,
            mode=mode,
            secret=KEYRING.api_keys,
            entropy=self.entropy,
            at=self.clock.now(),
            actor="test",
        ).secret


PASSWORD = "correct horse 42"


async def make_user(world: World, name: str) -> User:
    """One of the merchant's people, of test mode."""
    recorder = EventRecorder(world.entropy)
    given: dict[str, Any] = {"merchant_id": MERCHANT.id, "mode": "test", "password": PASSWORD}
    return await world.store.write(
        lambda c: create_user(c, recorder, name=name, entropy=world.entropy, at=START, actor="test", **given)
    )


def live_through(
    folder: Path, story: Callable[[World], Awaitable[None]], deadline_seconds: float = 20.0
) -> None:
    """Run a story in a world of its own, whose risk engine has as good as for ever unless told otherwise."""

    async def live() -> None:
        async with World(folder, deadline_seconds=deadline_seconds) as world:
            await story(world)

    asyncio.run(live())


def live_virtually(
    folder: Path, story: Callable[[World], Awaitable[None]], deadline_seconds: float = 20.0
) -> None:
    """The same in virtual time, for stories in which much of it passes."""
    clock = VirtualClock(START)

    async def live() -> None:
        async with World(folder, clock=clock, deadline_seconds=deadline_seconds) as world:
            await story(world)

    run_virtually(clock, live)
