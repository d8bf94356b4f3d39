"""`POST /pay`, from name and password to the issuer's answer: processor and API, one thread, virtual time."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from events.clock import VirtualClock
from gateway.api.application import make_application
from gateway.api.pay_desk import pay_desk
from gateway.errors import ApiUnavailableError
from gateway.event_recorder import EventRecorder
from gateway.method_requests import PaymentMethodData
from gateway.pay_port import PayAnswer, PayDesk, PayOrder, PaySession, PaySessionOpened
from gateway.people.merchants import MerchantSettings, update_merchant
from gateway.people.users import disable_user
from gateway.requests import CreateIntent
from gateway.risk_context import RiskContextInput
from tests.gateway_world import MERCHANT, PASSWORD, START, make_user
from tests.integration.test_processor_with_gateway import Together
from tests.virtual_time import run_virtually

CARD = {"number": "4242424242424242", "expiry": "12/31", "cvv": "737"}
ORDER: dict[str, Any] = {
    "method": "credit_card",
    "merchant_id": MERCHANT.id,
    "amount": 12.5,
    "currency": "EUR",
    "card": CARD,
}


class Desk:
    """The API's desk, whose next answers may be lost."""

    def __init__(self, desk: PayDesk) -> None:
        self._desk = desk
        self.lost_answers = 0

    async def open(self, session: PaySession) -> PaySessionOpened:
        return await self._desk.open(session)

    async def pay(self, order: PayOrder) -> PayAnswer:
        answer = await self._desk.pay(order)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ApiUnavailableError("the answer was lost")
        return answer


class Shop:
    """A merchant's program with a name and a password."""

    def __init__(self, together: Together) -> None:
        self.world, self.bench = together.world, together.bench
        self.desk = Desk(pay_desk(self.world.gateway))
        self.token = ""
        listener = self.bench.public(desk=self.desk)
        self._api = httpx2.ASGITransport(app=make_application(self.world.gateway))
        self._application = listener.app()
        self.client = (PRIVATE, 40_000)

    async def sign_in(self) -> None:
        async with httpx2.AsyncClient(transport=self._api, base_url="http://weir") as http:
            answer = await http.post("/signin", json={"username": "ada", "password": PASSWORD})
            self.token = answer.json()["token"]

    async def pay(
        self,
        *,
        content: bytes | None = None,
        token: str | None = None,
        key: str | None = None,
        **changes: Any,
    ) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {self.token if token is None else token}"}
        headers |= {"idempotency-key": key} if key else {}
        transport = httpx2.ASGITransport(app=self._application, client=self.client)
        async with httpx2.AsyncClient(transport=transport, base_url="https://pay") as http:
            body: Any = {"json": {**ORDER, **changes}} if content is None else {"content": content}
            answer = await http.post("/pay", headers=headers, **body)
            return answer.status_code, answer.json()

    async def become(self, **settings: Any) -> None:
        changed = msgspec.structs.replace(MERCHANT, settings=MerchantSettings(**settings))
        recorder = EventRecorder(self.world.entropy)
        await self.world.store.write(lambda c: update_merchant(c, recorder, changed, at=START, actor="test"))


def shopping(folder: Path, story: Callable[[Shop], Awaitable[None]]) -> None:
    """A story of one shop that has signed in."""
    clock = VirtualClock(START)

    async def live() -> None:
        together = Together(folder, clock)
        together.world.own_per_second = 10_000
        together.world.processor = together.bench.processor.port  # type: ignore[assignment]  # cards and rails
        async with together.world:
            together.bench.listener.passes_on = together.world.gateway.payer_steps
            await together.start()
            await make_user(together.world, "ada")
            shop = Shop(together)
            await shop.sign_in()
            await story(shop)

    run_virtually(clock, live)


def test_an_approved_payment_is_captured_and_found_by_its_intent(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        status, paid = await shop.pay()

        assert (status, paid["status"], paid["reason"]) == (200, "approved", None)
        assert paid["auth_id"] == f"{paid['payment_intent']}_1"
        intent = await shop.world.intent(paid["payment_intent"])
        assert (intent.amount_received_minor, intent.currency) == (1250, "EUR")
        assert CARD["number"] not in str(shop.world.log.events("payments"))

    shopping(tmp_path, story)


REFUSED: list[tuple[str, str, str]] = [
    ("4000000000009995", "declined", "insufficient_funds"),
    ("4000000000009987", "declined", "generic_decline"),
    ("4000000000000069", "declined", "expired_card"),
    ("4100000000000019", "declined", "fraud_suspected"),
    ("4000000000009235", "pending", "under_review"),
    ("4242424242424241", "declined", "incorrect_number"),
]


def test_a_refusal_says_its_reason(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for number, status, reason in REFUSED:
            code, answer = await shop.pay(card={**CARD, "number": number})

            assert (code, answer["status"], answer["reason"]) == (200, status, reason)
            assert number not in str(answer)

    shopping(tmp_path, story)


def test_a_challenge_is_pending_and_says_where_to_send_the_payer(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        _, answer = await shop.pay(
            card={**CARD, "number": "4000000000003220"}, return_url="https://shop.example/back"
        )

        assert (answer["status"], answer["reason"]) == ("pending", "action_required")
        redirect = answer["next_action"]["redirect_to_url"]
        assert redirect["url"].startswith("https://")
        assert redirect["return_url"] == "https://shop.example/back"

    shopping(tmp_path, story)


MAY_NOT: list[tuple[dict[str, Any], int, str]] = [
    ({"merchant_id": "m_2"}, 403, "invalid_merchant"),
    ({"token": "e30.e30." + "A" * 43}, 401, "invalid_token"),
    ({"token": "sk_test_" + "0" * 48}, 401, "invalid_token"),
    ({"amount": 10_000.01}, 200, "limit_exceeded"),
]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"method": "upi", "upi": {"vpa": "nobody"}, "currency": "INR"}, "upi[vpa]: "),
        ({"method": "upi", "upi": {"vpa": "success@razorpay"}}, "method: upi pays in INR"),
        (
            {"method": "net_banking", "net_banking": {"bank_code": "HDFC", "account": "50100123"}},
            "method: net_banking pays in INR",
        ),
    ],
)
def test_a_refusal_names_the_members_that_pay_has(
    tmp_path: Path, changes: dict[str, Any], names: str
) -> None:
    async def story(shop: Shop) -> None:
        order = {name: member for name, member in ORDER.items() if name != "card"}
        _, answer = await shop.pay(content=msgspec.json.encode({**order, **changes}))

        assert answer["status"] == "declined"
        assert answer["message"].startswith(names)

    shopping(tmp_path, story)


def test_who_may_not_pay_is_told_why(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for changes, code, reason in MAY_NOT:
            status, answer = await shop.pay(**changes)

            assert (status, answer["status"], answer["reason"]) == (code, "declined", reason)
        assert await shop.bench.states() == {}

    shopping(tmp_path, story)


def test_a_token_ends_with_its_quarter_of_an_hour_and_with_its_user(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        first = shop.token
        shop.world.clock.advance(899)  # type: ignore[attr-defined]  # a virtual one
        assert (await shop.pay())[0] == 200
        shop.world.clock.advance(1)  # type: ignore[attr-defined]  # a virtual one
        assert (await shop.pay())[1]["reason"] == "invalid_token"
        await shop.sign_in()
        assert shop.token != first
        recorder = EventRecorder(shop.world.entropy)
        await shop.world.store.write(lambda c: disable_user(c, recorder, "ada", at=START, actor="test"))
        assert (await shop.pay())[1]["reason"] == "invalid_token"

    shopping(tmp_path, story)


def test_with_a_wrong_token_no_card_is_kept(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.pay(token="e30.e30." + "A" * 43)
        await shop.pay(merchant_id="m_2")

        kept = await shop.bench.store.transact(lambda db: db.execute("SELECT count(*) FROM cards").fetchone())
        assert kept[0] == 0

    shopping(tmp_path, story)


def test_an_answer_that_was_lost_between_the_programs_pays_once(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        shop.desk.lost_answers = 1
        _, paid = await shop.pay()

        assert paid["status"] == "approved"
        assert sum((await shop.bench.states()).values()) == 1

    shopping(tmp_path, story)


REUSED = (400, "idempotency_error", "idempotency_key_reuse")
OTHER_ORDERS: list[dict[str, Any]] = [
    {"amount": "13.00"},
    {"customer": "c-18"},
    {"risk_context": {"device_id": "device-2"}},
    {"card": {**CARD, "expiry": "11/31"}},
    {"card": {**CARD, "number": "4000000000003055"}},
]


def test_an_order_with_an_idempotency_key_pays_once_and_another_order_is_refused(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        _, first = await shop.pay(key="order-7")
        _, again = await shop.pay(key="order-7")

        assert again == first
        for changes in OTHER_ORDERS:
            status, other = await shop.pay(key="order-7", **changes)
            error = other["error"]
            assert (status, error["type"], error["code"]) == REUSED, changes
        assert sum((await shop.bench.states()).values()) == 1

    shopping(tmp_path, story)


def test_an_order_is_the_same_from_another_address_and_with_another_security_code(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        _, first = await shop.pay(key="order-7")
        shop.client = (PUBLIC, 40_000)
        _, again = await shop.pay(key="order-7", card={**CARD, "cvv": "738"})

        assert again == first

    shopping(tmp_path, story)


WALLET = PaymentMethodData(type="wallet")
PUBLIC, PRIVATE = "9.9.9.9", "10.1.2.3"


def test_who_pays_is_told_to_risk_as_with_an_intent(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        told = {"ip": "192.0.2.7", "device_id": "device-1", "email": "ada@example.com"}
        await shop.pay(customer="c-17", risk_context={**told, "billing_address": {"country": "us"}})
        by_pay = shop.world.log.events("assessments")[-1].context
        context = RiskContextInput(**told)
        order = CreateIntent(
            amount=1,
            currency="EUR",
            customer="c-17",
            risk_context=context,
            confirm=True,
            payment_method_data=WALLET,
        )
        await shop.world.gateway.payments.create(await shop.world.caller(), order)
        by_intent = shop.world.log.events("assessments")[-1].context

        assert None not in (by_pay.ip, by_pay.device, by_pay.email, by_pay.customer)
        for name in ("ip", "device", "email", "customer", "subject"):
            assert getattr(by_pay, name) == getattr(by_intent, name)
        assert by_pay.billing_country == "US"

    shopping(tmp_path, story)


def test_a_payer_without_an_address_of_its_own_has_that_of_a_public_connection(
    tmp_path: Path,
) -> None:
    async def story(shop: Shop) -> None:
        addresses = []
        for told, client in ((None, PUBLIC), (PUBLIC, PRIVATE), (None, PRIVATE), (PRIVATE, PUBLIC)):
            shop.client = (client, 40_000)
            await shop.pay(risk_context={"ip": told} if told else {"device_id": "device-1"})
            addresses.append(shop.world.log.events("assessments")[-1].context.ip)

        public, same, none, private = addresses
        assert public is not None
        assert (same, none) == (public, None)
        assert private not in (None, public)

    shopping(tmp_path, story)


def test_five_a_second_are_taken_of_a_merchant(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        vars(shop.world.gateway.rate_limits)["_own_per_second"] = 5
        reasons = [(await shop.pay(merchant_id=MERCHANT.id, amount="x"))[0] for _ in range(2)]
        assert reasons == [400, 400]
        statuses = [(await shop.pay(card={**CARD, "number": "4242424242424241"}))[0] for _ in range(7)]

        assert statuses == [200] * 5 + [429] * 2

    shopping(tmp_path, story)


AMOUNTS: list[tuple[Any, str, int]] = [
    ("12.50", "EUR", 1250),
    (12, "EUR", 1200),
    ("0.01", "EUR", 1),
    (0.1, "EUR", 10),
    ("500", "JPY", 500),
    ("1.000", "KWD", 1000),
]


def test_amounts_are_read_exactly_by_their_currency(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for amount, currency, minor in AMOUNTS:
            _, paid = await shop.pay(amount=amount, currency=currency)

            assert (await shop.world.intent(paid["payment_intent"])).amount_minor == minor

    shopping(tmp_path, story)


NO_ORDER: list[tuple[bytes, str]] = [
    (b"", "json_malformed"),
    (b'{"method": "credit_card", ', "json_malformed"),
    (b"[]", "parameter_invalid"),
    (b'{"method": "cash"}', "parameter_invalid"),
    (b'{"method": "upi", "method": "upi"}', "parameter_missing"),
]


def test_what_is_no_order_is_a_problem(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for content, code in NO_ORDER:
            status, answer = await shop.pay(content=content)

            assert (status, answer["error"]["code"]) == (400, code)

    shopping(tmp_path, story)


WRONG: list[tuple[dict[str, Any], str, str | None]] = [
    ({"amount": "12.505"}, "parameter_invalid", "amount"),
    ({"amount": "1.0000"}, "parameter_invalid", "amount"),
    ({"amount": "5.0", "currency": "JPY"}, "parameter_invalid", "amount"),
    ({"amount": "10000000000.00"}, "parameter_invalid", "amount"),
    ({"risk_context": {"ip": "300.0.0.1"}}, "parameter_invalid", "risk_context[ip]"),
    (
        {"risk_context": {"billing_address": {"country": "XX"}}},
        "parameter_invalid",
        "risk_context[billing_address][country]",
    ),
    ({"key": "k" * 256}, "parameter_invalid", "idempotency-key"),
    ({"amount": 1e-7}, "parameter_invalid", "amount"),
    ({"amount": "1e3"}, "parameter_invalid", "amount"),
    ({"amount": -5}, "parameter_invalid", "amount"),
    ({"amount": 0}, "parameter_invalid", "amount"),
    ({"amount": None}, "parameter_invalid", "amount"),
    ({"amount": "5.5", "currency": "JPY"}, "parameter_invalid", "amount"),
    ({"currency": "XYZ"}, "currency_invalid", "currency"),
    ({"card": {**CARD, "expiry": "13/31"}}, "parameter_invalid", "card[expiry]"),
    ({"card": None}, "parameter_missing", "card"),
    ({"upi": {"vpa": "success@razorpay"}}, "parameter_invalid", "upi"),
    ({"colour": "red"}, "parameter_unknown", None),
]


def test_a_wrong_member_is_named_and_not_quoted(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for changes, code, param in WRONG:
            status, answer = await shop.pay(**changes)

            assert (status, answer["error"]["code"], answer["error"].get("param")) == (400, code, param)
            assert re.search("4242.?4242", str(answer)) is None

    shopping(tmp_path, story)


CARD_NUMBERS_ELSEWHERE: list[dict[str, Any]] = [
    {"method": "wallet", "wallet": {"wallet_id": "4242424242424242"}},
    {"method": "wallet", "wallet": {"wallet_id": "order7/4242424242424242"}},
    {"method": "wallet", "wallet": {"wallet_id": "1-4242-4242-4242-4242"}},
    {"method": "upi", "upi": {"vpa": "1.4242424242424242@ok"}},
    {"method": "net_banking", "net_banking": {"bank_code": "HDFC", "account": "1A4242424242424242"}},
    {"method": "net_banking", "net_banking": {"bank_code": "HDFC", "account": "14242424242424242"}},
    {"card": CARD, "customer": "c 4242 4242 4242 4242"},
    {"card": CARD, "risk_context": {"device_id": "4242424242424242"}},
    {"card": CARD, "risk_context": {"items": [{"description": "tea, 4242-4242-4242-4242"}]}},
    {"card": CARD, "merchant_id": "m_1_4242424242424242"},
    {"card": CARD, "return_url": "https://shop.example:8443/7?card=4242424242424242"},
    {"card": CARD, "key": "4242424242424242"},
    {"card": CARD, "key": "order 7 4242 4242 4242 4242"},
]


def test_a_card_number_anywhere_but_in_the_card_goes_no_further(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for order in CARD_NUMBERS_ELSEWHERE:
            status, answer = await shop.pay(**{"card": None, **order})

            assert (status, answer.get("error", {}).get("code")) == (400, "card_data_not_accepted"), order
            assert re.search("4242.?4242", str(answer)) is None

    shopping(tmp_path, story)


ACCOUNTS: dict[str, dict[str, Any]] = {
    "upi_await_notification": {"method": "upi", "upi": {"vpa": "ada@okbank"}},
    "redirect_to_url": {"method": "wallet", "wallet": {"wallet_id": "w-17"}},
    "redirect_to_url at the bank": {
        "method": "net_banking",
        "net_banking": {"bank_code": "HDFC", "account": "12345678901"},
    },
}


def test_an_account_is_asked_for_and_approved_by_its_payer(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for way, account in ACCOUNTS.items():
            _, asked = await shop.pay(card=None, currency="INR", **account)

            assert (asked["status"], asked["reason"]) == ("pending", "action_required")
            assert asked["next_action"]["type"] == way.partition(" ")[0]
            shop.bench.rails.payer(f"{asked['payment_intent']}_1", "pay")
            await shop.bench.rails.tell(shop.bench.processor.rails.changed)
            assert (await shop.world.intent(asked["payment_intent"])).status == "succeeded"

    shopping(tmp_path, story)


def test_an_account_that_cannot_pay_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for account, currency, reason in (
            ({"vpa": "nobody"}, "INR", "invalid_vpa"),
            ({"vpa": "ada@okbank"}, "EUR", "payment_method_not_available"),
        ):
            _, answer = await shop.pay(card=None, method="upi", upi=account, currency=currency)
            assert (answer["status"], answer["reason"]) == ("declined", reason)

    shopping(tmp_path, story)


def test_a_setting_of_the_merchant_holds_for_pay_too(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        await shop.become(methods=("upi",))
        assert (await shop.pay())[1]["reason"] == "payment_method_not_allowed"
        await shop.become(limit_per_day={"EUR": 1300})
        assert (await shop.pay())[1]["status"] == "approved"
        assert (await shop.pay())[1]["reason"] == "limit_exceeded"

    shopping(tmp_path, story)
