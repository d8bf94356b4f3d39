"""Accounts at the processor: one payment per order, whatever is lost or doubled; money given back once."""

import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.clock import VirtualClock
from gateway.errors import ProcessorUnavailableError
from gateway.processor.rail_declines import RAIL_DECLINES
from gateway.processor.rails import RailsProcessor
from gateway.processor.store import ProcessorStore
from gateway.processor.turns import Turns
from gateway.processor_port import (
    AccountToCharge,
    AnswerChanged,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)
from gateway.scheduling import InlineScheduling
from simulator.rails.testaddresses import TEST_ADDRESSES, TestAddress
from tests.processor_parts import NOW, in_one_thread
from tests.rails_parts import PAGES, RailsLine

ATTEMPT = "pi_1_1"


class Bank:
    """A processor of accounts with its rails; `told` are the attempts of which the API was told."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.scheduling = InlineScheduling()
        self.line = RailsLine(self.clock, random.Random(1).randbytes)
        self.store = ProcessorStore(":memory:", self.scheduling)
        self.told: list[str] = []
        self.rails = self.restarted()

    def restarted(self) -> RailsProcessor:
        """What a crash leaves: the store, and nothing in memory."""
        self.rails = RailsProcessor(
            store=self.store,
            rails=self.line,
            listener=self,
            turns=Turns(self.scheduling),
            clock=self.clock,
        )
        return self.rails

    async def answer_changed(self, change: AnswerChanged) -> None:
        self.told.append(change.attempt_id)

    async def authorize(self, handle: str = "ada@okbank", method: Any = "upi") -> ProcessorAnswer:
        request = AuthorizationRequest(
            attempt_id=ATTEMPT,
            token="pm_1",
            amount_minor=1000,
            currency="INR",
            merchant_id="m_1",
            mode="test",
            occurred_at=NOW,
            return_url="https://shop",
        )
        account = AccountToCharge(method=method, provider="okbank", handle=handle)
        return await self.rails.authorize(request, account)

    async def capture(self, amount: int = 1000, name: str = "1", *, final: bool = True) -> Any:
        request = CaptureRequest(capture_id=name, amount_minor=amount, final=final, occurred_at=NOW)
        return await self.rails.capture(ATTEMPT, request)

    async def refund(self, amount: int, name: str = "r1") -> Any:
        request = RefundRequest(refund_id=name, amount_minor=amount, occurred_at=NOW)
        return await self.rails.refund(ATTEMPT, request)

    async def reverse(self) -> Any:
        return await self.rails.reverse(ATTEMPT, ReversalRequest(occurred_at=NOW))

    async def decides(self, verdict: Any) -> None:
        if self.line.switch.find(ATTEMPT):
            self.line.payer(ATTEMPT, verdict)

    async def die(self) -> None:
        self.restarted()

    async def wait(self) -> None:
        self.clock.advance(90)
        await self.rails.repeat_due()

    async def settle(self) -> None:
        """Let time pass and tell the rails what is owed, until nothing is left."""
        self.line.faults.clear()
        for _ in range(3):
            self.clock.advance(120)
            await self.rails.repeat_due()


@pytest.mark.parametrize("known", TEST_ADDRESSES, ids=lambda known: known.address)
@in_one_thread
async def test_each_documented_address_ends_as_documented(known: TestAddress) -> None:
    bank = Bank()
    answer = await bank.authorize(known.address)
    if answer.status == "action_required":
        bank.clock.advance(known.after_seconds or 301)
        answer = await bank.rails.find(ATTEMPT)
    await bank.line.tell(bank.rails.changed)

    expected = known.reason
    if known.after_seconds is None:
        expected = "payment_collect_request_expired"
    assert answer.status == ("approved" if expected is None else "declined")
    assert answer.decline_code == (None if expected is None else RAIL_DECLINES[expected].decline_code)


@pytest.mark.parametrize(
    ("method", "handle", "kind"),
    [
        ("upi", "ada@okbank", "upi_collect"),
        ("upi", "", "upi_intent"),
        ("wallet", "", "redirect"),
        ("netbanking", "50100123", "redirect"),
    ],
)
@in_one_thread
async def test_the_payer_is_asked_in_the_way_of_the_method(method: str, handle: str, kind: str) -> None:
    answer = await Bank().authorize(handle, method)

    assert answer.status == "action_required"
    assert answer.action is not None
    assert answer.action.kind == kind
    assert answer.action.url.startswith(f"{PAGES}/orders/")
    assert (answer.action.link is not None) == (kind == "upi_intent")


@in_one_thread
async def test_an_answer_that_comes_twice_or_never_ends_the_attempt_once() -> None:
    for notices in (0, 1, 2):
        bank = Bank()
        await bank.authorize()
        bank.line.payer(ATTEMPT, "pay")

        for _ in range(notices):
            await bank.rails.changed(ATTEMPT)
        found = await bank.rails.find(ATTEMPT)

        assert found is not None
        assert found.status == "approved"
        assert bank.told == [ATTEMPT] * notices
        assert bank.line.books.moved_minor() == 1000


@pytest.mark.parametrize("fault", ["unreachable", "silent"])
@in_one_thread
async def test_a_payer_is_asked_once_though_the_question_has_to_be_repeated(fault: str) -> None:
    bank = Bank()
    bank.line.faults = [fault]

    first = await bank.authorize("success@razorpay")
    bank.restarted()
    again = await bank.authorize("success@razorpay")

    assert (first.status, again.status) == ("unknown", "approved")
    assert bank.line.books.moved_minor() == 1000


@in_one_thread
async def test_a_payer_who_pays_at_the_moment_of_the_reversal_gets_the_money_back() -> None:
    bank = Bank()
    await bank.authorize()
    bank.line.payer(ATTEMPT, "pay")
    bank.line.faults = ["silent"]

    reversed_ = await bank.reverse()
    bank.restarted()
    await bank.settle()
    late = await bank.authorize()

    assert (reversed_.status, late.status) == ("reversed", "reversed")
    assert reversed_.decline_code == "payment_collect_request_expired"
    assert bank.line.books.moved_minor() == 0


@in_one_thread
async def test_an_attempt_that_was_reversed_before_it_was_heard_of_asks_nobody() -> None:
    bank = Bank()

    # A card's, as far as anybody knows: the cards bury it too, also where a crash came before they had.
    assert await bank.reverse() is None
    assert await bank.reverse() is None
    assert await bank.rails.find(ATTEMPT) is None
    answer = await bank.authorize()

    assert answer.status == "reversed"
    assert bank.line.asked == []


@in_one_thread
async def test_what_is_not_captured_goes_back_to_the_payer() -> None:
    bank = Bank()
    await bank.authorize("success@razorpay")

    first = await bank.capture(300, "1", final=False)
    again = await bank.capture(300, "1", final=False)
    last = await bank.capture(200, "2")
    refused = await bank.capture(100, "3")
    await bank.settle()

    assert (first.status, again.captured_minor, last.status) == ("approved", 300, "captured")
    assert (last.captured_minor, refused.operation) == (500, "refused")
    assert bank.line.books.moved_minor() == 500


@in_one_thread
async def test_more_than_has_come_is_never_captured() -> None:
    bank = Bank()
    await bank.authorize("success@razorpay")

    refused = [await bank.capture(1001) for _ in range(2)]
    await bank.settle()

    assert {(one.status, one.operation) for one in refused} == {("reversed", "refused")}
    assert bank.line.books.moved_minor() == 0


@in_one_thread
async def test_a_refund_is_made_once_though_its_answer_was_lost() -> None:
    bank = Bank()
    await bank.authorize("success@razorpay")
    await bank.capture()
    bank.line.faults = ["silent"]

    with pytest.raises(ProcessorUnavailableError):
        await bank.refund(400)
    again = await bank.refund(400)
    too_much = await bank.refund(601, "r2")

    assert (again.operation, again.refunded_minor, too_much.operation) == ("accepted", 400, "refused")
    assert bank.line.books.moved_minor() == 600


@in_one_thread
async def test_nobody_pays_more_than_they_have_approved() -> None:
    bank = Bank()
    await bank.authorize("success@razorpay")

    answer = await bank.rails.increment(
        ATTEMPT, IncrementRequest(increment_id="1", amount_minor=100, occurred_at=NOW)
    )

    assert answer is not None
    assert (answer.operation, answer.decline_code) == ("refused", "transaction_not_allowed")


STEPS: dict[str, Any] = {
    "authorize": lambda bank, _: bank.authorize(),
    "find": lambda bank, _: bank.rails.find(ATTEMPT),
    "pay": lambda bank, _: bank.decides("pay"),
    "decline": lambda bank, _: bank.decides("decline"),
    "notice": lambda bank, _: bank.rails.changed(ATTEMPT),
    "capture": lambda bank, number: bank.capture(100, str(number)),
    "part": lambda bank, number: bank.capture(100, str(number), final=False),
    "refund": lambda bank, number: bank.refund(60, str(number)),
    "reverse": lambda bank, _: bank.reverse(),
    "restart": lambda bank, _: bank.die(),
    "wait": lambda bank, _: bank.wait(),
}
FAULTS = st.sampled_from([None, None, "silent", "unreachable"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from([None, None, "silent", "unreachable"])),
        max_size=14,
    )
)
def test_whatever_happens_in_whatever_order_the_two_sides_agree_on_the_money(
    story: list[tuple[str, str | None]],
) -> None:
    @in_one_thread
    async def live() -> None:
        bank = Bank()
        await bank.authorize()
        for number, (step, fault) in enumerate(story):
            bank.line.faults = [fault] if fault else []
            with suppress(ProcessorUnavailableError):
                await STEPS[step](bank, number)
        await bank.settle()
        found = await bank.rails.find(ATTEMPT)
        assert found is not None
        kept_minor = found.captured_minor - found.refunded_minor
        # What is approved and not captured yet has come, too.
        held_minor = found.authorized_minor - found.captured_minor if found.status == "approved" else 0
        assert bank.line.books.moved_minor() == kept_minor + held_minor

    live()
