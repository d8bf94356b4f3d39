"""Payment methods over HTTP: cards and accounts, kept for a customer by consent, and where each may pay."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from gateway.api.application import make_application
from gateway.method_requests import PaymentMethodData, UpiInput
from gateway.paying_accounts import TEST_ADDRESSES
from gateway.payments.lifetimes import DAY_US
from gateway.processor_port import AnswerChanged, PayerAction
from gateway.store.intent_rows import load_attempt
from gateway.surrogates import surrogate_of_what_pays
from tests.gateway_world import START, World, live_through

METHODS, INTENTS = "/v1/payment_methods", "/v1/payment_intents"
UPI = {"type": "upi", "upi": {"vpa": "Ada@okbank"}}
CONSENT = {
    "customer_acceptance": {
        "type": "online",
        "text_version": "2026-01",
        "online": {"ip_address": "192.0.2.7"},
    }
}
STEP = PayerAction(
    kind="three_d_secure", url="https://bank.example/step/1", expires_at=START + timedelta(minutes=10)
)


KNOWN = {"ip": "192.0.2.7", "device_id": "device-1", "email": "a@example.com"}


class Shop:
    """A merchant's requests to a gateway in one piece."""

    def __init__(self, world: World, http: httpx2.AsyncClient) -> None:
        self.world, self.http = world, http

    async def post(self, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        document = answer.json()
        return dict(document if status == 200 else document["error"])

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def card(self, **members: Any) -> dict[str, Any]:
        token = await self.world.token(**members)
        return await self.post(METHODS, type="card", card={"token": token})

    async def intent(self, **members: Any) -> str:
        return str((await self.post(INTENTS, **{"amount": 50_000, "currency": "inr", **members}))["id"])


def in_shop(tmp_path: Any, story: Any, deadline_seconds: float = 20.0) -> World:
    worlds: list[World] = []

    async def live(world: World) -> None:
        worlds.append(world)
        headers = {"authorization": f"Bearer {world.keys['test']}"}
        transport = httpx2.ASGITransport(app=make_application(world.gateway))
        async with httpx2.AsyncClient(transport=transport, base_url="http://weir", headers=headers) as http:
            await story(Shop(world, http))

    live_through(tmp_path, live, deadline_seconds)
    return worlds[0]


def test_each_kind_of_payment_method_comes_back_as_it_was_given(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        card = await shop.card()
        upi = await shop.post(METHODS, **UPI)
        wallet = await shop.post(METHODS, type="wallet", wallet={"provider": "paytm", "wallet_id": "w-7"})
        bank = await shop.post(METHODS, type="netbanking", netbanking={"bank": "HDFC", "account": "50100123"})

        assert card["card"]["last4"] == "4242"
        assert upi["upi"] == {"vpa": "ada@okbank"}
        assert wallet["wallet"] == {"provider": "paytm", "wallet_id": "w-7"}
        assert bank["netbanking"] == {"bank": "HDFC", "last4": "0123"}
        for made in (card, upi, wallet, bank):
            assert await shop.get(f"{METHODS}/{made['id']}") == made

    in_shop(tmp_path, story)


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"type": "upi", "upi": {"vpa": "no address"}}, "invalid_vpa"),
    ({"type": "upi", "upi": {"vpa": "a@b"}}, "invalid_vpa"),
    ({"type": "upi", "wallet": {}}, "parameter_invalid"),
    ({"type": "netbanking"}, "parameter_missing"),
    ({"type": "card"}, "parameter_missing"),
    ({"type": "cash"}, "parameter_invalid"),
)


def test_details_that_do_not_fit_the_type_are_refused(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        for body, code in REFUSED:
            refusal = await shop.post(METHODS, 400, **body)

            assert refusal["code"] == code, body

    in_shop(tmp_path, story)


def test_a_handle_is_on_the_log_as_its_surrogate_alone_and_is_the_same_for_the_same_payer(
    tmp_path: Any,
) -> None:
    async def story(shop: Shop) -> None:
        for vpa in ("Ada.Lovelace@okbank", "ada.lovelace@OKBANK"):
            data = {"type": "upi", "upi": {"vpa": vpa}}
            await shop.http.post(
                f"{INTENTS}/{await shop.intent()}/confirm", json={"payment_method_data": data}
            )

    world = in_shop(tmp_path, story)

    asked = world.log.events("assessments")
    assert {event.account.provider for event in asked} == {"okbank"}
    assert len({event.account.surrogate for event in asked}) == 1
    assert all(b"lovelace" not in bytes(record.value).lower() for record in world.log.written)
    for path in tmp_path.glob("gateway.sqlite*"):
        assert b"lovelace" not in path.read_bytes().lower()


@pytest.mark.parametrize(
    ("currency", "method"),
    [("eur", UPI), ("usd", {"type": "netbanking", "netbanking": {"bank": "HDFC"}})],
)
def test_upi_and_net_banking_pay_rupees_alone(tmp_path: Any, currency: str, method: Any) -> None:
    async def story(shop: Shop) -> None:
        made = await shop.post(METHODS, **method)
        intent = await shop.intent(currency=currency)

        refusal = await shop.post(f"{INTENTS}/{intent}/confirm", 400, payment_method=made["id"])

        assert (refusal["code"], refusal["param"]) == ("payment_method_not_available", "payment_method")

    in_shop(tmp_path, story)


def test_a_token_that_nobody_knows_is_refused_by_the_member_that_held_it(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        data = {"type": "card", "card": {"token": "tok_none"}}
        intent = await shop.intent()

        for path, body, param in (
            (METHODS, data, "card[token]"),
            (f"{INTENTS}/{intent}", {"payment_method_data": data}, "payment_method_data[card][token]"),
        ):
            refusal = await shop.post(path, 404, **body)
            assert (refusal["code"], refusal["param"]) == ("resource_missing", param)

    in_shop(tmp_path, story)


def test_an_intent_takes_the_types_that_it_names_and_by_default_those_of_its_currency(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        euros = await shop.get(f"{INTENTS}/{await shop.intent(currency='eur')}")
        made = await shop.post(METHODS, **UPI)
        cards_alone = await shop.intent(payment_method_types=["card"])

        refusal = await shop.post(f"{INTENTS}/{cards_alone}/confirm", 400, payment_method=made["id"])
        twice = await shop.intent(currency="eur", payment_method_types=["wallet", "card", "wallet"])
        once = await shop.get(f"{INTENTS}/{twice}")
        changed = await shop.post(f"{INTENTS}/{twice}", payment_method_types=["card", "card"])
        never = await shop.post(INTENTS, 400, amount=1, currency="eur", payment_method_types=["card", "upi"])

        assert euros["payment_method_types"] == ["card", "wallet"]
        assert once["payment_method_types"] == ["wallet", "card"]
        assert changed["payment_method_types"] == ["card"]
        assert refusal["code"] == never["code"] == "payment_method_not_available"

    in_shop(tmp_path, story)


def test_a_customers_methods_are_listed_both_ways_and_by_what_they_are(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        made = []
        for redisplay in ("always", "limited", "always"):
            method = await shop.post(METHODS, **UPI, allow_redisplay=redisplay)
            made.append(method["id"])
            await shop.post(f"{METHODS}/{method['id']}/attach", customer="c-1")

        async def listed(query: str) -> tuple[list[int], bool]:
            page = await shop.get(f"{METHODS}?customer=c-1&{query}")
            return [made.index(each["id"]) for each in page["data"]], page["has_more"]

        at = method["created"]
        newest = (await shop.get(f"{METHODS}?customer=c-1"))["data"]
        order = [made.index(each["id"]) for each in newest]
        assert sorted(order) == [0, 1, 2]
        assert await listed(f"starting_after={made[order[0]]}&limit=1") == ([order[1]], True)
        assert await listed(f"ending_before={made[order[2]]}&limit=1") == ([order[1]], True)
        assert await listed(f"ending_before={made[order[1]]}") == ([order[0]], False)
        assert await listed("allow_redisplay=limited") == ([1], False)
        assert await listed(f"created[gte]={at}") == (order, False)
        assert await listed(f"created[gt]={at}") == ([], False)

    in_shop(tmp_path, story)


def test_a_method_is_kept_for_its_customer_listed_and_detached(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        made = await shop.post(METHODS, **UPI)
        attached = await shop.post(f"{METHODS}/{made['id']}/attach", customer="c-1")
        other = await shop.post(f"{METHODS}/{made['id']}/attach", 400, customer="c-2")
        listed = await shop.get(f"{METHODS}?customer=c-1&type=upi")
        stranger = await shop.intent(customer="c-2")
        mismatch = await shop.post(f"{INTENTS}/{stranger}/confirm", 400, payment_method=made["id"])
        detached = await shop.post(f"{METHODS}/{made['id']}/detach")
        gone = await shop.post(f"{INTENTS}/{stranger}/confirm", 400, payment_method=made["id"])

        assert attached["customer"] == "c-1"
        assert attached["upi"] == {"vpa": "ada@okbank"}
        assert listed["data"] == [attached]
        assert other["code"] == "payment_method_unexpected_state"
        assert mismatch["code"] == "payment_method_customer_mismatch"
        assert detached["customer"] is None
        assert gone["code"] == "payment_method_detached"
        assert (await shop.get(f"{METHODS}?customer=c-1"))["data"] == []

    in_shop(tmp_path, story)


def test_a_merchant_pays_without_the_payer_only_by_the_payers_consent(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        card = (await shop.card(fingerprint="f"))["id"]
        first = await shop.intent(customer="c-1", setup_future_usage="off_session")
        again = await shop.intent(customer="c-1")
        before = await shop.post(f"{INTENTS}/{again}/confirm", 400, payment_method=card, off_session=True)
        unproven = await shop.post(f"{INTENTS}/{first}/confirm", 400, payment_method=card)
        await shop.post(f"{INTENTS}/{first}/confirm", payment_method=card, mandate_data=CONSENT)
        alone = await shop.post(f"{INTENTS}/{again}/confirm", payment_method=card, off_session=True)
        await shop.post(f"{METHODS}/{card}/detach")

        assert before["code"] == "payment_method_without_consent"
        assert (unproven["code"], unproven["param"]) == ("parameter_missing", "mandate_data")
        assert alone["status"] == "succeeded"
        holds = [await holds_days(shop, payment) for payment in (first, again)]
        assert holds == [7, 4.75]

    in_shop(tmp_path, story)


@pytest.mark.parametrize("crashes", [False, True])
def test_the_processor_is_told_that_the_payer_is_not_there(tmp_path: Any, crashes: bool) -> None:
    async def story(shop: Shop) -> None:
        world, card = shop.world, (await shop.card())["id"]
        kept = await shop.intent(customer="c-1", setup_future_usage="off_session")
        await shop.post(f"{INTENTS}/{kept}/confirm", payment_method=card, mandate_data=CONSENT)
        again = await shop.intent(customer="c-1")
        world.risk.silent = crashes
        confirm = shop.post(f"{INTENTS}/{again}/confirm", payment_method=card, off_session=True)
        confirming = asyncio.ensure_future(confirm)
        if crashes:
            await world.until(lambda: len(list(world.log.events("assessments"))) == 2)
            await world.restart()
            confirming.cancel()
        await world.until(lambda: f"{again}_1" in world.processor.asked)

        told = [world.processor.asked[f"{payment}_1"].off_session for payment in (kept, again)]
        assert told == [False, True]

    in_shop(tmp_path, story)


async def holds_days(shop: Shop, payment: str) -> float:
    """How long the authorization of a payment's first attempt holds."""
    attempt = await shop.world.store.read(lambda c: load_attempt(c, payment, 1))
    assert attempt is not None
    assert attempt.expires_us is not None
    return (attempt.expires_us - attempt.moment_us) / DAY_US


def test_a_consent_counts_only_once_its_payment_went_through(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        card = (await shop.card())["id"]
        declined = await shop.intent(customer="c-1", setup_future_usage="off_session")
        shop.world.processor.decline_code = "insufficient_funds"
        await shop.post(f"{INTENTS}/{declined}/confirm", 402, payment_method=card, mandate_data=CONSENT)
        shop.world.processor.decline_code = None
        again = await shop.intent(customer="c-1")

        refusal = await shop.post(f"{INTENTS}/{again}/confirm", 400, payment_method=card, off_session=True)

        assert refusal["code"] == "payment_method_without_consent"
        assert (await shop.get(f"{METHODS}/{card}"))["customer"] is None

    in_shop(tmp_path, story)


@pytest.mark.parametrize("end", ["approve", "reject", "cancel"])
def test_a_consent_counts_once_a_review_has_let_its_payment_go(tmp_path: Any, end: str) -> None:
    async def story(shop: Shop) -> None:
        shop.world.risk.outcome, shop.world.risk.risk_score = "review", 80
        card = (await shop.card())["id"]
        held = await kept_with(shop, card)
        assert await may_pay_alone(shop, card) is False

        if end == "cancel":
            await shop.post(f"{INTENTS}/{held['id']}/cancel")
        else:
            await shop.post(f"/v1/reviews/{held['review']}/{end}")

        assert await may_pay_alone(shop, card) is (end == "approve")
        listed = (await shop.get(f"{METHODS}?customer=c-1"))["data"]
        assert [one["id"] for one in listed] == ([card] if end == "approve" else [])

    in_shop(tmp_path, story)


@pytest.mark.parametrize("end", ["cancel", "expire", "capture_refused"])
def test_a_payment_that_took_nothing_in_the_end_leaves_no_consent(tmp_path: Any, end: str) -> None:
    async def story(shop: Shop) -> None:
        world, card = shop.world, (await shop.card())["id"]
        world.processor.refuses_captures = end == "capture_refused"
        kept = await kept_with(shop, card, capture_method="manual", risk_context=KNOWN)
        path = f"{INTENTS}/{kept['id']}"
        assert await may_pay_alone(shop, card, capture_method="manual")

        if end == "expire":
            await world.caller(at=world.clock.now() + timedelta(days=8))
        else:
            await shop.post(f"{path}/{'cancel' if end == 'cancel' else 'capture'}")

        last = "payment.capture_failed" if end == "capture_refused" else "payment.canceled"
        await world.until(lambda: world.payment_events(kept["id"])[-1] == last)
        assert not await may_pay_alone(shop, card)
        world.processor.refuses_captures = False
        await kept_with(shop, card, risk_context=KNOWN)
        assert await may_pay_alone(shop, card)

    in_shop(tmp_path, story)


def test_a_payment_of_which_a_part_was_captured_leaves_its_consent_when_the_rest_is_canceled(
    tmp_path: Any,
) -> None:
    async def story(shop: Shop) -> None:
        card = (await shop.card())["id"]
        kept = await kept_with(shop, card, capture_method="manual", risk_context=KNOWN)
        path = f"{INTENTS}/{kept['id']}"
        await shop.post(f"{path}/capture", amount_to_capture=500, final_capture=False)
        await shop.world.until(lambda: shop.world.payment_events(kept["id"])[-1] == "payment.captured")

        await shop.post(f"{path}/cancel")

        assert await may_pay_alone(shop, card)

    in_shop(tmp_path, story)


@pytest.mark.parametrize(("outcome", "may"), [("allow", True), ("review", False), ("block", False)])
def test_a_late_decision_that_holds_or_takes_back_leaves_no_consent(
    tmp_path: Any, outcome: Any, may: bool
) -> None:
    async def story(shop: Shop) -> None:
        risk = shop.world.risk
        risk.silent = True
        card = (await shop.card())["id"]
        order = {"capture_method": "manual", "risk_context": KNOWN}
        kept = await kept_with(shop, card, **order)
        assert kept["status"] == "requires_capture"
        assert kept["review"] is None

        risk.outcome, risk.risk_score = outcome, 80
        [record] = [
            r for place, rs in shop.world.log.records.items() if place.topic == "assessments" for r in rs
        ]
        await shop.world.gateway.recovery.deal(risk.made(kept["id"], 1, record))

        assert await may_pay_alone(shop, card) is may

    in_shop(tmp_path, story, 0.05)


async def kept_with(shop: Shop, card: str, **members: Any) -> dict[str, Any]:
    """A payment with which a customer lets the merchant keep the card."""
    order = {"amount": 50_000, "currency": "inr", "customer": "c-1", "confirm": True, **members}
    kept = {"setup_future_usage": "off_session", "mandate_data": CONSENT, "payment_method": card}
    return await shop.post(INTENTS, **order, **kept)


async def may_pay_alone(shop: Shop, card: str, **members: Any) -> bool:
    """Whether the merchant may take a payment while the payer is away."""
    order = {"amount": 700, "currency": "inr", "customer": "c-1", "payment_method": card, **members}
    paid = await shop.http.post(INTENTS, json={**order, "confirm": True, "off_session": True})
    if paid.status_code == 400:
        assert paid.json()["error"]["code"] == "payment_method_without_consent"
    return paid.status_code == 200


def test_a_method_that_two_customers_wait_to_keep_stays_with_the_first_and_the_other_has_no_say(
    tmp_path: Any,
) -> None:
    async def story(shop: Shop) -> None:
        card = (await shop.card(fingerprint="f"))["id"]
        shop.world.processor.action = STEP
        keep = {"c-1": "on_session", "c-2": "off_session"}
        waiting = [await shop.intent(customer=c, setup_future_usage=usage) for c, usage in keep.items()]
        for intent in waiting:
            await shop.post(f"{INTENTS}/{intent}/confirm", payment_method=card, mandate_data=CONSENT)
        shop.world.processor.action = None

        for intent in waiting:
            shop.world.processor.payer_is_done(f"{intent}_1")
            changed = AnswerChanged(attempt_id=f"{intent}_1")
            await shop.world.gateway.payer_steps.answer_changed(changed)

            assert (await shop.get(f"{INTENTS}/{intent}"))["status"] == "succeeded"
            assert (await shop.get(f"{METHODS}/{card}"))["customer"] == "c-1"
        again = await shop.intent(customer="c-1")
        alone = await shop.post(f"{INTENTS}/{again}/confirm", 400, payment_method=card, off_session=True)
        await shop.post(f"{INTENTS}/{again}/confirm", payment_method=card)
        assert alone["code"] == "payment_method_without_consent"

    in_shop(tmp_path, story)


def test_upi_is_never_paid_without_the_payer(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        made = await shop.post(METHODS, **UPI)

        refusal = await shop.post(
            f"{INTENTS}/{await shop.intent()}/confirm", 400, payment_method=made["id"], off_session=True
        )

        assert (refusal["code"], refusal["param"]) == ("parameter_invalid", "off_session")

    in_shop(tmp_path, story)


WAYS: dict[str, dict[str, Any]] = {
    "upi": UPI,
    "wallet": {"type": "wallet", "wallet": {"provider": "paytm", "wallet_id": "w-7"}},
    "netbanking": {"type": "netbanking", "netbanking": {"bank": "HDFC"}},
}


async def named(shop: Shop, way: str) -> str:
    """What pays, by the name that the merchant has for it."""
    if way == "token":
        return await shop.world.token()
    return str((await shop.card() if way == "card" else await shop.post(METHODS, **WAYS[way]))["id"])


@pytest.mark.parametrize("way", ["token", "card", *WAYS])
def test_what_waits_is_confirmed_again_by_the_method_that_it_shows_and_by_no_other(
    tmp_path: Any, way: str
) -> None:
    async def story(shop: Shop) -> None:
        until = shop.world.clock.now() + timedelta(minutes=10)
        shop.world.processor.action = msgspec.structs.replace(STEP, expires_at=until)
        made, other = await named(shop, way), (await shop.post(METHODS, **UPI))["id"]
        intent = await shop.intent(confirmation_method="manual")
        confirm = f"{INTENTS}/{intent}/confirm"
        await shop.post(confirm, payment_method=made)

        shown = await shop.post(confirm, payment_method=made)
        assert (shown["status"], shown["payment_method"]) == ("requires_action", made)
        refusal = await shop.post(confirm, 400, payment_method=other)
        assert (refusal["code"], refusal["param"]) == ("payment_intent_unexpected_state", "payment_method")

        shop.world.processor.payer_is_done(f"{intent}_1")
        await shop.world.gateway.payer_steps.answer_changed(AnswerChanged(attempt_id=f"{intent}_1"))
        await shop.post(confirm, 400, payment_method=other)
        paid = await shop.post(confirm, payment_method=made)
        assert (paid["status"], paid["payment_method"]) == ("succeeded", made)

    in_shop(tmp_path, story)


def test_another_merchants_mode_does_not_know_the_method(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        made = await shop.post(METHODS, **UPI)
        live = {"authorization": f"Bearer {shop.world.keys['live']}"}

        answer = await shop.http.get(f"{METHODS}/{made['id']}", headers=live)

        assert answer.status_code == 404

    in_shop(tmp_path, story)


def test_rules_and_model_never_hold_a_documented_test_address(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        shop.world.risk.outcome = "block"
        for address in sorted(TEST_ADDRESSES):
            data = {"type": "upi", "upi": {"vpa": address}}

            paid = await shop.post(f"{INTENTS}/{await shop.intent()}/confirm", payment_method_data=data)

            assert paid["outcome"]["risk_level"] == "normal"

    in_shop(tmp_path, story)


def test_erasing_a_customer_forgets_the_handles_that_were_kept_for_them(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        made = await shop.post(METHODS, **UPI)
        await shop.post(f"{METHODS}/{made['id']}/attach", customer="c-1")
        await shop.post(f"{INTENTS}/{await shop.intent(customer='c-1')}/confirm", payment_method=made["id"])
        personal = shop.world.gateway.payment_methods.personal
        store = shop.world.gateway.payment_methods.store
        subject = await store.read(lambda c: personal.customer_subject(c, "test", "m_1", "c-1"))

        await store.write(lambda c: personal.erase(c, subject))

        assert (await shop.http.get(f"{METHODS}/{made['id']}")).status_code == 404
        assert await store.read(lambda c: personal.find(c, "test", "upi", "ada@okbank")) is None

    in_shop(tmp_path, story)


def test_another_merchants_payer_is_counted_anew_once_the_person_is_erased(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        methods = shop.world.gateway.payment_methods
        other = msgspec.structs.replace(await shop.world.caller(), merchant_id="m_2")
        theirs = await methods.create(other, PaymentMethodData(type="upi", upi=UpiInput(vpa="ada@okbank")))
        own = await shop.post(METHODS, **UPI)
        await shop.post(f"{METHODS}/{own['id']}/attach", customer="c-1")
        store, personal = methods.store, methods.personal
        subject = await store.read(lambda c: personal.customer_subject(c, "test", "m_1", "c-1"))
        assert subject is not None

        await store.write(lambda c: personal.erase(c, subject))

        after = await methods.retrieve(other, theirs.method.id)
        assert after.handle == {"vpa": "ada@okbank"}
        assert after.method.surrogate != theirs.method.surrogate
        found = await store.read(lambda c: surrogate_of_what_pays(c, theirs.method.id, "test"))
        assert found == after.method.surrogate

    in_shop(tmp_path, story)


def test_what_comes_with_a_confirm_comes_with_a_creation_that_confirms(tmp_path: Any) -> None:
    async def story(shop: Shop) -> None:
        card = (await shop.card())["id"]
        order = {"amount": 500, "currency": "inr", "customer": "c-1", "payment_method": card, "confirm": True}

        await shop.post(INTENTS, **order, setup_future_usage="off_session", mandate_data=CONSENT)
        alone = await shop.post(INTENTS, **order, off_session=True)
        early = await shop.post(INTENTS, 400, **order | {"confirm": False}, off_session=True)

        assert alone["status"] == "succeeded"
        assert (early["code"], early["param"]) == ("parameter_invalid", "off_session")

    in_shop(tmp_path, story)
