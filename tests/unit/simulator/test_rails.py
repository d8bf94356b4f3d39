"""The simulated rails: what payers do, who is told, and that money is moved and given back once."""

import json
import re
from datetime import UTC, datetime
from html import escape
from typing import Any

import pytest

from events.clock import VirtualClock
from gateway.paying_accounts import TEST_ADDRESSES as KNOWN_TO_THE_GATEWAY
from simulator.payer_pages import qr_code
from simulator.rails.books import RailsBooks
from simulator.rails.members import answered
from simulator.rails.pages import order_page
from simulator.rails.switch import NOTICE_PAUSES_SECONDS, Switch
from simulator.rails.testaddresses import TEST_ADDRESSES, TestAddress
from tests.gateway_world import Counter

START = datetime(2026, 1, 5, 10, tzinfo=UTC)


class Rails:
    """Rails with a clock that a test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.books = RailsBooks(":memory:")
        self.switch = Switch(self.books, self.clock, Counter())

    def ask(self, verb: str, path: str, /, **body: Any) -> Any:
        status, content = answered(self.switch, "https://pages", verb, path, json.dumps(body).encode())
        assert status == 200, (status, content)
        return json.loads(content)

    def open(self, handle: str = "ada@okbank", **members: Any) -> Any:
        return self.ask("POST", "/orders", **ORDER | {"handle": handle, **members})

    def state(self, order: str = "pi_1_1") -> Any:
        return self.ask("GET", f"/orders/{order}")

    def page_of(self, order: Any) -> Any:
        return self.switch.page(order["url"].rpartition("/")[2])


ORDER = {
    "order_id": "pi_1_1",
    "method": "upi",
    "provider": "okbank",
    "amount_minor": 50_000,
    "currency": "INR",
    "merchant": "Books and Tea",
    "is_test": True,
}


@pytest.mark.parametrize("known", TEST_ADDRESSES, ids=lambda known: known.address)
def test_each_documented_address_does_what_is_documented(known: TestAddress) -> None:
    rails = Rails()

    first = rails.open(known.address)
    rails.clock.advance(121)
    after = rails.state()
    rails.clock.advance(200)
    last = rails.state()

    at_once = "paid" if known.reason is None else "declined"
    assert first["state"] == (at_once if known.after_seconds == 0 else "pending")
    assert after["state"] == (at_once if known.after_seconds is not None else "pending")
    expected = known.reason if known.after_seconds is not None else "payment_collect_request_expired"
    assert last["reason"] == expected
    assert rails.books.moved_minor() == (50_000 if last["state"] == "paid" else 0)


def test_the_gateway_knows_the_documented_addresses() -> None:
    assert {known.address for known in TEST_ADDRESSES} == KNOWN_TO_THE_GATEWAY


def test_a_test_address_of_a_live_payment_is_any_other_address() -> None:
    rails = Rails()

    assert rails.open("success@razorpay", is_test=False)["state"] == "pending"


def test_the_same_order_again_is_not_a_second_one() -> None:
    rails = Rails()
    first = rails.open()
    rails.switch.decide(rails.page_of(first), "pay")

    again = rails.open()

    assert (again["state"], again["url"]) == ("paid", first["url"])
    assert rails.books.moved_minor() == 50_000


@pytest.mark.parametrize(("verdict", "state"), [("pay", "paid"), ("decline", "declined")])
def test_a_payer_decides_once_on_the_page(verdict: Any, state: str) -> None:
    rails = Rails()
    order = rails.page_of(rails.open("", method="wallet", provider="demo_wallet"))

    rails.switch.decide(order, verdict)
    rails.switch.decide(order, "decline" if verdict == "pay" else "pay")

    assert rails.state()["state"] == state


def test_the_page_of_a_payer_who_paid_says_what_became_of_the_money() -> None:
    rails = Rails()
    order = rails.page_of(rails.open("", method="wallet", provider="demo_wallet"))
    rails.switch.decide(order, "pay")
    paid = order_page(rails.page_of(rails.state()))
    rails.ask("POST", "/orders/pi_1_1/refunds", refund_id="r1", amount_minor=20_000)
    in_part = order_page(rails.page_of(rails.state()))

    rails.ask("POST", "/orders/pi_1_1/give_back", **ORDER)
    taken_back = order_page(rails.page_of(rails.state()))

    assert "Thank you. The payment is made." in paid
    assert "Of it the shop has given" in in_part
    assert "has given all of it back" in taken_back
    assert "Thank you" not in taken_back


def test_a_payer_without_the_app_on_this_device_scans_a_code_that_holds_the_link() -> None:
    rails = Rails()
    page = order_page(rails.page_of(rails.open("", merchant='Tea & "Books"')))

    link = rails.state()["link"]
    assert f'<a href="{escape(link)}">Open your UPI app</a>' in page
    assert path_of(page) == path_of(qr_code(link, "the same"))
    assert path_of(page) != path_of(qr_code(link + "1", "another"))
    assert "style=" not in page  # which the pages' policy would not let through
    assert "simulated" in page


def path_of(page: str) -> str:
    """What draws the code's dark modules."""
    found = re.search(r'd="(M4 [^"]+)"', page)
    assert found is not None, page
    return found[1]


def test_an_order_that_is_taken_back_moves_no_money_whether_it_was_paid_or_never_arrived() -> None:
    rails = Rails()
    paid = rails.page_of(rails.open())
    rails.switch.decide(paid, "pay")

    rails.ask("POST", "/orders/pi_1_1/give_back", **ORDER)
    rails.ask("POST", "/orders/pi_1_1/give_back", **ORDER)
    rails.ask("POST", "/orders/pi_2_1/give_back", **ORDER | {"order_id": "pi_2_1"})
    late = rails.open(order_id="pi_2_1")

    assert late["state"] == "canceled"
    assert rails.books.moved_minor() == 0


def test_a_refund_is_made_once_and_never_of_more_than_was_paid() -> None:
    rails = Rails()
    rails.open("success@razorpay")

    told = [
        rails.ask("POST", "/orders/pi_1_1/refunds", refund_id=name, amount_minor=amount)["accepted"]
        for name, amount in (("r1", 30_000), ("r1", 30_000), ("r2", 30_000), ("r3", 20_000))
    ]

    assert told == [True, True, False, True]
    assert rails.books.moved_minor() == 0


def test_a_member_is_told_again_until_it_hears_or_for_a_while() -> None:
    rails = Rails()
    rails.open("success@razorpay")

    tries = 0
    for _ in range(60):
        for notice in rails.switch.due_notices():
            tries += 1
            rails.switch.told(notice, arrived=False)
        rails.clock.advance(1)

    assert tries == 1 + len(NOTICE_PAUSES_SECONDS)


def test_twice_is_told_twice() -> None:
    rails = Rails()
    rails.open("twice@weir")

    told = 0
    while notices := rails.switch.due_notices():
        told += 1
        rails.switch.told(notices[0], arrived=True)

    assert told == 2


def test_a_link_for_the_app_names_payee_amount_and_currency() -> None:
    link = Rails().open("", provider="")["link"]

    assert link == "upi://pay?pa=merchants%40weir&pn=Books+and+Tea&tr=pi11&am=500.00&cu=INR"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/orders/pi_9", b"", 404),
        ("POST", "/orders", b"not json", 400),
        ("POST", "/orders", b'{"order_id": 7}', 400),
        ("GET", "/elsewhere", b"", 404),
        ("PUT", "/orders", b"", 405),
    ],
)
def test_a_question_that_is_not_as_agreed_is_refused(
    method: str, path: str, body: bytes, status: int
) -> None:
    assert answered(Rails().switch, "", method, path, body)[0] == status
