"""Processor and network keep the same books of an authorization, whatever is asked and whatever gets lost.

Stories are random: authorize, increase, capture, refund, reverse, in any order and any number, with messages
lost, doubled, late, with answers lost, and with the processor dying in the middle. In the end both sides tell
the same, every accepted operation counts once, and no money was made or lost.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ProcessorUnavailableError
from gateway.processor import attempts
from gateway.processor.errors import AcquirerSilentError, AcquirerUnreachableError
from gateway.processor.message_format import decode
from gateway.processor.store import ProcessorStore
from gateway.processor_port import ProcessorAnswer
from gateway.scheduling import InlineScheduling
from simulator.acquirer.books import Books
from simulator.acquirer.clearing import Clearing
from simulator.acquirer.network import Network
from simulator.acquirer.records import Authorization, Key
from tests.processor_parts import Bench, Line

CARDS = ("4000002500000003", "5105105105105100")
"""No documented test card: a credit card, and a prepaid one with little on it that may pay a part."""

Fate = Literal["arrives", "unreachable", "lost", "answer lost", "doubled", "late"]
FATES: tuple[Fate, ...] = ("arrives", "arrives", "unreachable", "lost", "answer lost", "doubled", "late")


class StormyLine(Line):
    """Each message has its fate; a late one arrives behind the one that comes next."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.fates: list[Fate] = []
        self.late: list[bytes] = []

    async def exchange(self, message: bytes) -> bytes:
        fate = self.fates.pop(0) if self.fates else "arrives"
        if fate == "unreachable":
            raise AcquirerUnreachableError("not there")
        self.sent.append(decode(message))
        await asyncio.sleep(0)
        waiting, self.late = self.late, [message] if fate == "late" else []
        answer = None if fate in ("lost", "late") else self.network.handle(message)
        for other in waiting:
            self.network.handle(other)
        if fate == "doubled":
            assert self.network.handle(message) == answer
        if answer is None or fate == "answer lost":
            raise AcquirerSilentError("no answer")
        return answer


@dataclass(frozen=True)
class Step:
    """One question of the API; `dies_after` steps of the event loop the processor dies, if at all."""

    kind: Literal["increment", "capture", "refund", "reverse"]
    name: str
    amount_minor: int
    final: bool
    dies_after: int | None


STEPS = st.builds(
    Step,
    kind=st.sampled_from(("increment", "increment", "capture", "capture", "refund", "reverse")),
    name=st.sampled_from(("1", "2", "3")),
    amount_minor=st.integers(1, 1_500),
    final=st.booleans(),
    dies_after=st.one_of(st.none(), st.integers(0, 16)),
)


@dataclass
class Life:
    """A processor that can die, with the network that outlives it."""

    folder: Path
    number: str
    books: Books = field(default_factory=lambda: Books(":memory:"))
    asked: dict[tuple[str, str], Step] = field(default_factory=dict)

    async def begin(self, fates: list[Fate]) -> None:
        await self._start()
        self.token = await self.bench.token(self.number)
        self.line.fates = fates

    async def authorize(self) -> ProcessorAnswer:
        return await self.bench.authorize("a", self.token, 1_000, "USD", partial_authorization=True)

    async def ask(self, step: Step) -> ProcessorAnswer:
        bench = self.bench
        if step.kind == "increment":
            return await bench.increment("a", step.amount_minor, step.name)
        if step.kind == "capture":
            return await bench.capture("a", step.amount_minor, step.name, final=step.final)
        if step.kind == "refund":
            return await bench.refund("a", step.amount_minor, step.name)
        return await bench.reverse("a")

    async def live(self, step: Step) -> None:
        """Ask, and die over it where the step says so."""
        # A caller asks the same under the same id, however often.
        first = self.asked.setdefault((step.kind, step.name), step)
        asking = asyncio.create_task(self.ask(first))
        if step.dies_after is None:
            await asyncio.wait([asking])
        else:
            for _ in range(step.dies_after):
                await asyncio.sleep(0)
            await self._die()
            asking.cancel()
            await asyncio.wait([asking])
            await self._start()
        with suppress(ProcessorUnavailableError, asyncio.CancelledError):
            asking.result()

    async def come_to_rest(self) -> dict[Step, ProcessorAnswer | None]:
        """Everything is asked until it is answered, and nothing is owed any more."""
        self.line.fates = []
        await self.authorize()
        answers: dict[Step, ProcessorAnswer | None] = {}
        for step in self.asked.values():
            answers[step] = await self.ask(step)
        while self.bench.processor.advices.waiting:
            await self.bench.repeat()
        for message in self.line.late:
            self.line.network.handle(message)
        return answers

    async def _start(self) -> None:
        scheduling = InlineScheduling()
        store = ProcessorStore(self.folder / "processor.sqlite", scheduling, synchronous="OFF")
        before = getattr(self, "line", None)
        self.bench = Bench(store=store, scheduling=scheduling, books=self.books, line=StormyLine)
        assert isinstance(self.bench.line, StormyLine)
        self.line = self.bench.line
        if before is not None:
            self.line.fates, self.line.late = before.fates, before.late
        await self.bench.cards.recover()

    async def _die(self) -> None:
        await self.bench.scheduling.stop()
        self.bench.store.close()


async def story(folder: Path, number: str, steps: list[Step], fates: list[Fate]) -> None:
    life = Life(folder, number)
    await life.begin(fates)
    await life.authorize()
    for step in steps:
        await life.live(step)
    answers = await life.come_to_rest()
    await agree(life, answers)
    await life._die()


async def agree(life: Life, answers: dict[Step, ProcessorAnswer | None]) -> None:
    ours = await life.bench.cards.find("a")
    attempt = await life.bench.store.transact(lambda db: attempts.find(db, "a"))
    assert attempt is not None
    key = Key("400001", attempt.reference, f"{attempt.stan:06}", attempt.transmitted_at)
    theirs = life.books.find(key)
    held = theirs is not None and theirs.state == "approved"

    assert held == (ours.status == "approved")
    assert (theirs is not None and theirs.state == "captured") == (ours.status == "captured")
    assert (theirs.captured_minor if theirs else 0) == ours.captured_minor
    assert (theirs.refunded_minor if theirs else 0) == ours.refunded_minor
    if theirs is not None and held:
        holds_the_same(life.books, theirs, ours)
    moved_minor = ours.captured_minor - ours.refunded_minor
    by_party = parties(life.books)
    assert sum(by_party.values()) == 0
    assert -by_party.get("cardholder", 0) == moved_minor
    for kind, total_minor in (("capture", ours.captured_minor), ("refund", ours.refunded_minor)):
        accepted = (
            s for s, a in answers.items() if s.kind == kind and a is not None and a.operation == "accepted"
        )
        assert sum(step.amount_minor for step in accepted) == total_minor
    assert ours.refunded_minor <= ours.captured_minor <= ours.authorized_minor


def holds_the_same(books: Books, theirs: Authorization, ours: ProcessorAnswer) -> None:
    """The network holds what the processor may still capture; dollars are billed as they are."""
    assert Clearing(books).authorized_minor(theirs) == ours.authorized_minor
    assert theirs.held_minor == ours.authorized_minor - ours.captured_minor


def parties(books: Books) -> dict[str, int]:
    sums: dict[str, int] = {}
    for account, amount_minor, _ in books.postings():
        party = account.partition(":")[0]
        sums[party] = sums.get(party, 0) + amount_minor
    return sums


@given(
    number=st.sampled_from(CARDS),
    steps=st.lists(STEPS, max_size=7),
    fates=st.lists(st.sampled_from(FATES), max_size=14),
)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_sides_keep_the_same_books_whatever_gets_lost(
    number: str, steps: list[Step], fates: list[Fate]
) -> None:
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").exists() else None) as folder:  # not a secret
        asyncio.run(story(Path(folder), number, steps, fates))
