"""A commit that seems to fail and is durable all the same: what it owes is done without a restart."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from typing import TypeVar

import pytest

from events.clock import VirtualClock
from gateway.errors import StoreUnavailableError
from gateway.processor import advice_rows, authentication_rows, rail_rows
from gateway.processor.rails import RailsProcessor
from gateway.processor.store import ProcessorStore, Work
from gateway.processor.turns import Turns
from gateway.processor.waiting import LOOK_AGAIN_SECONDS
from gateway.processor_port import AccountToCharge, AuthorizationRequest, ReversalRequest
from gateway.scheduling import InlineScheduling
from simulator.acs.challenge import LIFETIME_SECONDS
from tests.processor_parts import NOW, Bench, Listener, in_one_thread
from tests.rails_parts import RailsLine

T = TypeVar("T")


class DoubtfulStore(ProcessorStore):
    """A store that says of one commit that it failed, though it is durable; it counts its transactions."""

    def __init__(self) -> None:
        super().__init__(":memory:", InlineScheduling())
        self.lies = False
        self.transactions = 0

    async def transact(self, work: Work[T]) -> T:
        self.transactions += 1
        result = await super().transact(work)
        if self.lies:
            self.lies = False
            raise StoreUnavailableError("it cannot be told whether that is durable")
        return result


@in_one_thread
async def test_a_reversal_is_sent() -> None:
    store = DoubtfulStore()
    bench = Bench(store=store)
    token = await bench.token()

    def lie(answer: bytes) -> bytes:
        store.lies = True
        return answer[:-1]  # it does not fit, so the authorization is reversed

    bench.line.faults["0100"] = [lie]
    with pytest.raises(StoreUnavailableError):
        await bench.authorize("a", token)
    assert bench.processor.advices.waiting == 0

    await bench.repeat(LOOK_AGAIN_SECONDS)
    await asyncio.sleep(0.01)

    assert bench.line.types == ["0100", "0420"]
    assert bench.processor.advices.waiting == 0


@in_one_thread
async def test_a_cardholder_who_never_comes_back_is_asked_for() -> None:
    store = DoubtfulStore()
    bench = Bench(store=store)
    token = await bench.token("4000002760003184")
    await bench.cards.repeat_due()  # what an earlier run left: nothing
    look_up = bench.directory.look_up

    async def and_lie(question: object) -> object:
        store.lies = True
        return await look_up(question)  # type: ignore[arg-type]  # passed on as it came

    bench.directory.look_up = and_lie  # type: ignore[method-assign, assignment]  # the store lies from then
    with pytest.raises(StoreUnavailableError):
        await bench.authorize("a", token, authentication="required")

    bench.clock.advance(LIFETIME_SECONDS)
    await bench.cards.repeat_due()
    await asyncio.sleep(0.01)

    row = await store.transact(lambda db: authentication_rows.find(db, "a"))
    assert row is not None
    assert (row.state, row.result) == ("refused", "abandoned")


class Bank:
    """Accounts at the processor over a doubtful store."""

    def __init__(self) -> None:
        self.clock, self.store = VirtualClock(NOW), DoubtfulStore()
        self.line = RailsLine(self.clock, random.Random(1).randbytes)
        self.rails = RailsProcessor(
            store=self.store,
            rails=self.line,
            listener=Listener(),
            turns=Turns(InlineScheduling()),
            clock=self.clock,
        )

    async def pay(self) -> None:
        account = AccountToCharge(method="upi", provider="razorpay", handle="success@razorpay")
        request = AuthorizationRequest(
            attempt_id="a",
            token="",
            amount_minor=1000,
            currency="INR",
            merchant_id="m_1",
            merchant_category="5942",
            occurred_at=NOW,
            mode="test",
        )
        await self.rails.authorize(request, account)
        await self.rails.find("a")

    async def owed(self) -> list[rail_rows.OperationKey]:
        return await self.store.transact(rail_rows.waiting)


@in_one_thread
async def test_money_that_is_owed_back_at_the_rails_is_given_back() -> None:
    bank = Bank()
    await bank.pay()
    await bank.rails.repeat_due()
    bank.store.lies = True
    with pytest.raises(StoreUnavailableError):
        await bank.rails.reverse("a", ReversalRequest(occurred_at=NOW))
    assert len(await bank.owed()) == 1

    bank.clock.advance(LOOK_AGAIN_SECONDS)
    await bank.rails.repeat_due()

    assert await bank.owed() == []
    assert bank.line.books.moved_minor() == 0


@pytest.mark.parametrize("look", [advice_rows.waiting, authentication_rows.open_ones, rail_rows.waiting])
@in_one_thread
async def test_a_look_for_what_is_owed_reads_an_index_of_that_and_no_whole_table(
    look: Callable[[sqlite3.Connection], object],
) -> None:
    asked: list[str] = []

    def plan(database: sqlite3.Connection) -> list[str]:
        database.set_trace_callback(asked.append)
        look(database)
        database.set_trace_callback(None)
        return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]

    steps = await DoubtfulStore().transact(plan)

    assert [step for step in steps if "USING" not in step or "INDEX" not in step] == []


@in_one_thread
async def test_while_the_rails_are_silent_the_store_is_asked_for_what_is_owed_at_its_times_alone() -> None:
    bank = Bank()
    await bank.pay()
    await bank.rails.reverse("a", ReversalRequest(occurred_at=NOW))
    bank.line.faults = ["silent"] * 100
    for _ in range(10):
        bank.clock.advance(60)
        await bank.rails.repeat_due()
    before = bank.store.transactions

    for _ in range(80):
        bank.clock.advance(0.25)
        await bank.rails.repeat_due()

    assert bank.store.transactions == before
