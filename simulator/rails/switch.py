"""The rails themselves: orders of members, what their payers do, and who is told of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from events.clock import Clock
from simulator.rails import orders
from simulator.rails.books import Notice, RailsBooks
from simulator.rails.orders import MICROSECONDS, Order
from simulator.rails.testaddresses import BY_ADDRESS, TestAddress

NOTICE_PAUSES_SECONDS = (1, 5, 30)
"""After a notice that did not arrive; then nobody is told any more, and members ask by themselves."""

Verdict = Literal["pay", "decline"]


class Switch:
    """All rails in one; `entropy` makes the addresses of pages."""

    def __init__(self, books: RailsBooks, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._books = books
        self._clock = clock
        self._entropy = entropy

    def open(self, asked: Order) -> Order:
        """Take an order; one that is known stays as it is, so that nobody pays twice for one id."""
        known = self._books.order(asked.order_id)
        if known is not None:
            return self._current(known)
        now_us = self._now_us
        seconds = orders.lifetime_seconds(asked.method, asked.handle)
        order = replace(
            asked,
            secret=self._entropy(16).hex(),
            opened_us=now_us,
            expires_us=now_us + seconds * MICROSECONDS,
        )
        with self._books.together():
            self._books.keep(order)
        return self._current(order)

    def find(self, order_id: str) -> Order | None:
        """The order as it stands, None where it was never heard of."""
        known = self._books.order(order_id)
        return None if known is None else self._current(known)

    def page(self, secret: str) -> Order | None:
        """The order whose page has this address."""
        known = self._books.order_of_page(secret)
        return None if known is None else self._current(known)

    def give_back(self, asked: Order) -> Order:
        """No payer can pay it any more, and what was paid goes back; also one that never arrived."""
        known = self._books.order(asked.order_id)
        if known is None:
            known = replace(asked, secret=self._entropy(16).hex(), opened_us=self._now_us, expires_us=0)
        after = orders.given_back(known)
        with self._books.together():
            self._books.keep(after)
        return after

    def refund(self, order_id: str, refund_id: str, amount_minor: int) -> bool:
        """Whether so much goes back; the same refund again has the same answer."""
        known = self._books.refund(order_id, refund_id)
        if known is not None:
            return known
        order = self._books.order(order_id)
        accepted = order is not None and orders.may_refund(order, amount_minor)
        with self._books.together():
            self._books.keep_refund(order_id, refund_id, amount_minor, accepted=accepted)
            if order is not None and accepted:
                self._books.keep(replace(order, returned_minor=order.returned_minor + amount_minor))
        return accepted

    def decide(self, order: Order, verdict: Verdict) -> Order:
        """The payer decides, on a page or in the app."""
        order = self._current(self._books.order(order.order_id) or order)
        return self._changed(
            orders.paid(order) if verdict == "pay" else orders.declined(order, orders.DECLINED)
        )

    def sweep(self) -> None:
        """Let time do its work on every order that waits."""
        for order in self._books.pending():
            self._current(order)

    def due_notices(self) -> list[Notice]:
        """What members are to be told now."""
        return self._books.notices(self._now_us)

    def told(self, notice: Notice, *, arrived: bool) -> None:
        """A member was told, or could not be."""
        if arrived:
            after = notice._replace(left=notice.left - 1, tries=0)
        elif notice.tries >= len(NOTICE_PAUSES_SECONDS):
            after = notice._replace(left=0)
        else:
            pause_us = NOTICE_PAUSES_SECONDS[notice.tries] * MICROSECONDS
            after = notice._replace(tries=notice.tries + 1, due_us=self._now_us + pause_us)
        with self._books.together():
            self._books.keep_notice(after)

    @property
    def _now_us(self) -> int:
        return round(self._clock.now().timestamp() * MICROSECONDS)

    def _current(self, order: Order) -> Order:
        """The order after what its payer, and time, have done by now."""
        if order.state != "pending":
            return order
        now_us = self._now_us
        plan = BY_ADDRESS.get(order.handle) if order.is_test and order.method == "upi" else None
        acts = plan is not None and _acts(plan, order, now_us)
        if plan is not None and acts:
            after = orders.paid(order) if plan.reason is None else orders.declined(order, plan.reason)
            return self._changed(after, plan.notices)
        return self._changed(orders.expired(order, now_us))

    def _changed(self, order: Order, notices: int = 1) -> Order:
        before = self._books.order(order.order_id)
        if before == order:
            return order
        with self._books.together():
            self._books.keep(order)
            self._books.keep_notice(Notice(order.order_id, notices, 0, self._now_us))
        return order


def _acts(plan: TestAddress, order: Order, now_us: int) -> bool:
    if plan.after_seconds is None:
        return False
    return now_us >= order.opened_us + plan.after_seconds * MICROSECONDS
