"""The world of one seed: three processes, their disks, the links between, log and risk engine."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from events.clock import VirtualClock
from events.crash import watched
from events.moments import microseconds
from gateway.geo import Geography
from gateway.processor.composition import ProcessorParts, assemble
from gateway.scheduling import run_for_good
from gateway.surroundings import Surroundings
from gateway.wiring import Gateway
from simulator.acquirer.network import Network
from tests.gateway_world import FAST, KEYRING, START
from tests.processor_parts import KEYS
from tests.simulation import disks, invariants
from tests.simulation.links import (
    NETWORK_SECONDS_MAX,
    PROCESSOR_SECONDS_MAX,
    Link,
    ListenerOverLink,
    NetworkOverLink,
    PayDeskOverLink,
    ProcessorOverLink,
    RegistryOverLink,
)
from tests.simulation.payers import DirectoryOverLink, Payers
from tests.simulation.processes import Fates, Process, SimulatedScheduling, Stillness, ViolationError
from tests.simulation.rails import RailsOverLink, SimulatedRails
from tests.simulation.surroundings import SimulatedLog, SimulatedRisk, VirtualLimiter
from tests.virtual_time import run_virtually

GEOGRAPHY = Geography()
APRIL = START.replace(month=4)
MERCHANT_SECONDS_MAX = 30.0
QUIET_ROUNDS = 6
"""Looks, a second apart, at which nothing is owed: more than any poll or second try is apart."""
REST_SECONDS_MAX = 1500.0


class Entry(NamedTuple):
    """One authorization in the network's books."""

    state: str
    captured_minor: int
    refunded_minor: int
    authorized_minor: int


@dataclass(frozen=True)
class ProcessorProgram:
    """One life of the processor: its parts, and what its public listener needs beside them."""

    parts: ProcessorParts
    desk: PayDeskOverLink
    world: "World"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parts, name)


class World:
    """Everything of one seed. `calm` ends all faults; `story` is what happened, in order."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        # In half of all stories a law asks for a second factor.
        self.clock = VirtualClock(Random(f"{seed}/start").choice((START, APRIL)))
        self.calm = False
        self.story: list[tuple[float, str]] = []
        self.secrets: set[bytes] = set()
        self.stillness = Stillness()
        faults = Random(f"{seed}/faults")
        self._faults = faults
        self._slow = faults.choice((0.0, 0.01, 0.1))
        self._disk_badness = faults.choice((0.0, 0.0, 0.01, 0.05))
        self._disk_dishonesty = faults.choice((0.0, 0.0, 0.02, 0.1))
        self.fates = Fates(Random(f"{seed}/fates"))
        self.entropy = Random(f"{seed}/entropy").randbytes
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.blamed: str | None = None
        self.watch = invariants.Watch(self)
        self.log = SimulatedLog(self, Random(f"{seed}/log"))
        self.risk = SimulatedRisk(self, self.log, Random(f"{seed}/risk"))
        image, self.keys = disks.gateway_image()
        self.gateway_disk = self._disk(image)
        self.processor_disk = self._disk(disks.processor_image())
        self.acquirer_disk = self._disk(disks.acquirer_image())
        disks.engines().put(self.gateway_disk)
        self._watch_commits()
        self._connect(Random(f"{seed}/links"))

    def _watch_commits(self) -> None:
        self.gateway_disk.committed = self._gateway_committed
        self.processor_disk.committed = self._processor_committed

    def _disk(self, image: bytes) -> disks.Disk:
        disk = disks.disk_from(image)
        disk.fails = self._disk_fails
        disk.lies = self._disk_lies
        return disk

    def _connect(self, random: Random) -> None:
        self.gateway = Process(self, "gateway", self._start_gateway, self.gateway_disk.power_off)
        self.processor = Process(self, "processor", self._start_processor, self.processor_disk.power_off)
        self.acquirer = Process(self, "acquirer", self._start_acquirer, self.acquirer_disk.power_off)
        self.till = Link(self, "till", self.gateway, random, MERCHANT_SECONDS_MAX)
        self._to_processor = Link(self, "to processor", self.processor, random, PROCESSOR_SECONDS_MAX)
        self._to_registry = Link(self, "to registry", self.gateway, random, PROCESSOR_SECONDS_MAX)
        self._to_network = Link(self, "to network", self.acquirer, random, NETWORK_SECONDS_MAX)
        back = Link(self, "back", self.processor, random, MERCHANT_SECONDS_MAX)
        self.payers = Payers(self, Random(f"{self.seed}/payers"), back)
        self.rails = SimulatedRails(self, Random(f"{self.seed}/rails"), back)
        self._to_rails = Link(self, "to rails", self.rails, random, PROCESSOR_SECONDS_MAX)
        self._to_directory = Link(self, "to directory", self.payers, random, PROCESSOR_SECONDS_MAX)

    async def _start_gateway(self, scheduling: SimulatedScheduling) -> Gateway:
        gateway = Gateway(
            Surroundings(
                clock=self.clock,
                entropy=self.entropy,
                scheduling=scheduling,
                store=disks.SimulatedStore(self.gateway_disk, scheduling, self._disk_fails),
                log=self.log,
                processor=ProcessorOverLink(self._to_processor, self.watch.told),
                keyring=KEYRING,
                geography=GEOGRAPHY,
                deadline_seconds=0.25,
                limiter=VirtualLimiter(self.clock),
                hasher=FAST,
            )
        )
        await gateway.start(lambda: None if scheduling.dead else self.blame("a loop of the gateway died"))
        return gateway

    async def _start_processor(self, scheduling: SimulatedScheduling) -> "ProcessorProgram":
        parts = assemble(
            store=disks.SimulatedProcessorStore(self.processor_disk, scheduling),
            network=NetworkOverLink(self._to_network, self.acquirer),
            registry=RegistryOverLink(self._to_registry),
            keys=KEYS,
            clock=self.clock,
            scheduling=scheduling,
            entropy=self.entropy,
            directory=DirectoryOverLink(self._to_directory, self.payers),
            listener=ListenerOverLink(self._to_registry),
            return_base="https://processor.example",
            rails=RailsOverLink(self._to_rails, self.rails),
        )
        await parts.cards.recover()
        run_for_good(
            scheduling,
            parts.keep_house(scheduling),
            "housekeeping",
            lambda: None if scheduling.dead else self.blame("the processor's housekeeping died"),
        )
        return ProcessorProgram(parts, PayDeskOverLink(self._to_registry), self)

    async def _start_acquirer(self, _scheduling: SimulatedScheduling) -> Network:
        return Network(disks.SimulatedBooks(self.acquirer_disk), self.clock, b"issuers")

    @property
    def books(self) -> dict[tuple[str, str, str], Entry]:
        """The network's authorizations, increments apart."""
        rows = self.acquirer_disk.rows(_ENTRIES)
        return {row[:3]: Entry(*row[3:]) for row in rows}

    def tell(self, what: str) -> None:
        self.story.append((self.clock.monotonic(), what))

    def blame(self, what: str) -> None:
        """A violation: the story ends here."""
        self.tell(f"VIOLATION: {what}")
        if self.blamed is None:
            self.blamed = what

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Something of the world's own, which outlives every process."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._done)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def appended(self, record: Any) -> None:
        self.watch.appended(record)
        if record.topic == "assessments":
            self.risk.take(record)

    def disk_seconds(self) -> float:
        """How long a work on a disk waits: mostly only for those before it."""
        if self.calm or not self._slow or self._faults.random() >= self._slow:
            return 0
        return self._faults.choice((0.001, 0.01, 0.2, 1.0)) * self._faults.random()

    def downtime_seconds(self) -> float:
        return self._faults.choice((0.05, 0.5, 3, 12)) * self._faults.random()

    def _disk_fails(self) -> bool:
        return not self.calm and self._disk_badness > 0 and self._faults.random() < self._disk_badness

    def _processor_committed(self) -> None:
        self.stillness.happens()
        self.watch.processor_committed(self.processor_disk)

    def _disk_lies(self) -> bool:
        lies = not self.calm and self._faults.random() < self._disk_dishonesty
        if lies:
            self.tell("a commit is durable and is said to have failed")
        return lies

    def _gateway_committed(self) -> None:
        self.stillness.happens()
        self.watch.gateway_committed(self.gateway_disk, 3)

    def _passed(self, name: str) -> None:
        owner = name.partition(".")[0]
        process = {"gateway": self.gateway, "processor": self.processor, "acquirer": self.acquirer}.get(owner)
        if process is not None:
            process.passes(name)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            self.blame(f"the world itself failed: {task.exception()!r}")

    async def live(self, story: Any) -> None:
        """Start everything, let the story happen, then let all come to rest and look."""
        for process in (self.acquirer, self.processor, self.gateway):
            await process.rise()
        await story(self)
        await self._rest()
        invariants.at_rest(self)

    async def _rest(self) -> None:
        self.calm = self.fates.over = True
        self.tell("no more faults")
        give_up_at = self.clock.monotonic() + REST_SECONDS_MAX
        quiet = 0
        while quiet < QUIET_ROUNDS:
            self.require()
            if self.clock.monotonic() > give_up_at:
                raise ViolationError(f"it never comes to rest: {self.unrest()}")
            await asyncio.sleep(1.0)
            quiet = 0 if self.unrest() else quiet + 1

    def require(self) -> None:
        """Raise what was found."""
        if self.blamed is not None:
            raise ViolationError(self.blamed)

    def unrest(self) -> Counter[str]:
        """What is still owed or under way."""
        found: Counter[str] = Counter()
        for process in (self.gateway, self.processor, self.acquirer):
            found[f"{process.name} is down"] += process.serving is None
        for task in self._tasks:
            found[f"the world: {task.get_name()}"] += 1
        for name in (*self.gateway.names(), *self.processor.names()):
            passing = name.startswith(_PASSING)
            found[f"task {name}"] += passing
        for disk, owed in ((self.gateway_disk, OWED_BY_GATEWAY), (self.processor_disk, OWED_BY_PROCESSOR)):
            counts = ", ".join(f"({query})" for query in owed.values())
            now_us = str(microseconds(self.clock.now()))
            (counted,) = disk.rows(f"SELECT {counts}".replace(":now", now_us))
            found.update(dict(zip(owed, counted, strict=True)))
        return +found


_PASSING = ("flight ", "debt ", "refund ", "payer of ", "decision ", "turn of ", "request")
"""How tasks begin that end by themselves; others are loops."""

_ENTRIES = """
    SELECT reference, stan, transmitted_at, state, captured_minor, refunded_minor, amount_minor + (
        SELECT coalesce(sum(more.amount_minor), 0) FROM authorizations more
        WHERE more.state = 'approved' AND more.reference = one.reference
        AND more.original_stan = one.stan AND more.original_transmitted_at = one.transmitted_at
    ) FROM authorizations one WHERE original_stan IS NULL
"""

OWED_BY_GATEWAY = {
    "attempts unfinished": "SELECT count(*) FROM attempts WHERE phase IN "
    "('assessing', 'incrementing', 'capturing', 'voiding', 'awaiting_payer', 'awaiting_confirm')",
    "captures due": "SELECT count(*) FROM intents WHERE capture_due_us <= :now AND NOT EXISTS"
    " (SELECT 1 FROM reviews WHERE reviews.id = review_id AND closed_us IS NULL)",
    "authorizations past their time": "SELECT count(*) FROM attempts"
    " WHERE phase = 'authorized' AND expires_us <= :now",
    "refunds owed": "SELECT count(*) FROM refunds WHERE status = 'pending'",
    "rows in the outbox": "SELECT count(*) FROM outbox",
}
OWED_BY_PROCESSOR = {
    "attempts in doubt": "SELECT count(*) FROM attempts WHERE status = 'sending'",
    "payers awaited": "SELECT count(*) FROM authentications WHERE state IN ('waiting', 'cleared')",
    "rails owed": "SELECT count(*) FROM rail_operations WHERE state = 'waiting'",
    "rails awaited": "SELECT count(*) FROM rail_orders WHERE state IN ('opening', 'waiting')",
    "increments in doubt": "SELECT count(*) FROM increments WHERE status = 'sending'",
    "advices waiting": "SELECT count(*) FROM advices WHERE state = 'waiting'",
}
"""What is owed or under way, and how many there are of it."""


def lived(seed: int, story: Any) -> World:
    """The world after a seed's story; raises `ViolationError`, with the world as `world`."""
    world = World(seed)
    try:
        with watched(world._passed):
            run_virtually(world.clock, lambda: world.live(story))
        world.require()
    except ViolationError as violation:
        violation.world = world
        raise
    return world
