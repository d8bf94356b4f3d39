"""What a merchant may be paid: onboarding, currency, method, country, limits per payment and per day."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import iso4217
import msgspec
import pytest
from sqlalchemy import select

from events.instruments import CardFacts
from events.money import minor
from gateway.auth import Caller
from gateway.errors import GatewayError, InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.exchange_rates import PER_DOLLAR
from gateway.limits import limit_per_payment_minor, require_method
from gateway.method_requests import CardOptions, PaymentMethodOptions
from gateway.payments.intents import Intent
from gateway.payments.taking import IncrementDeclinedError
from gateway.people.errors import ForbiddenError
from gateway.people.merchants import Merchant, MerchantSettings, update_merchant
from gateway.processor_port import PayerAction
from gateway.requests import CancelIntent, ConfirmIntent, CreateIntent, IncrementIntent
from gateway.store.tables import daily_totals
from tests.gateway_world import MERCHANT, START, World, live_through


async def become(world: World, merchant: Merchant = MERCHANT, **settings: Any) -> None:
    changed = msgspec.structs.replace(merchant, settings=MerchantSettings(**settings))
    recorder = EventRecorder(world.entropy)
    await world.store.write(lambda c: update_merchant(c, recorder, changed, at=START, actor="test"))


async def created(world: World, caller: Caller | None = None, **members: Any) -> Intent:
    body = CreateIntent(**{"amount": 4000, "currency": "eur", **members})
    return await world.gateway.payments.create(caller or await world.caller(), body)


async def paid(world: World, caller: Caller | None = None, **members: Any) -> Intent:
    caller = caller or await world.caller()
    intent = await created(world, caller, payment_method=await world.token(), **members)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def code_of(refused: Any) -> str:
    with pytest.raises(GatewayError) as error:
        await refused
    return error.value.code


async def counted(world: World) -> list[int]:
    amounts = select(daily_totals.c.amount_minor).order_by(daily_totals.c.day)
    return list(await world.store.read(lambda c: c.execute(amounts).scalars().all()))


@pytest.mark.parametrize(
    ("currency", "limit_major"), [("INR", 10_000), ("USD", 10_000), ("EUR", 10_000), ("JPY", 1_600_000)]
)
def test_one_payment_may_be_ten_thousand_or_in_proportion(
    tmp_path: Path, currency: str, limit_major: int
) -> None:
    limit = limit_major * (1 if currency == "JPY" else 100)

    async def story(world: World) -> None:
        assert (await created(world, amount=limit, currency=currency)).amount_minor == limit
        assert await code_of(created(world, amount=limit + 1, currency=currency)) == "limit_exceeded"

    live_through(tmp_path, story)


def test_every_rate_gives_a_limit_in_whole_minor_units_within_a_twentieth_of_its_proportion() -> None:
    shop = Merchant(id="m", name="Tea")
    limits = {currency: limit_per_payment_minor(shop, currency) for currency in PER_DOLLAR}

    assert all(limits.values())
    assert (limits["KWD"], limits["XOF"], limits["GBP"]) == (3_100_000, 5_500_000, 740_000)
    # The rial's is the largest amount that there is, a sixteenth below its proportion.
    for currency in PER_DOLLAR.keys() - {"INR", "EUR", "IRR"}:
        digits = str(limits[currency]).rstrip("0")
        proportion = minor(10_000 * PER_DOLLAR[currency], currency)
        assert len(digits) <= 2, currency
        assert abs((limits[currency] or 0) / proportion - 1) <= 0.05, currency


@pytest.mark.parametrize(
    ("currency", "per_euro"),
    [("GBP", "0.8726"), ("JPY", "184.09"), ("CHF", "0.9314"), ("PLN", "4.221"), ("ZAR", "19.4439")],
)
def test_the_table_agrees_with_the_european_central_banks_rates_of_its_day(
    currency: str, per_euro: str
) -> None:
    per_dollar = Decimal(per_euro) / Decimal("1.1750")

    assert float(PER_DOLLAR[currency] / per_dollar) == pytest.approx(1, abs=0.003)


def test_every_currency_that_anybody_pays_in_has_a_default_limit() -> None:
    shop = Merchant(id="m", name="Tea")
    with_decimals = {each.code for each in iso4217.Currency if each.exponent is not None}

    without = {code for code in with_decimals if limit_per_payment_minor(shop, code) is None}
    assert without == {"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD"}


def test_a_merchants_own_limit_stands_in_place_of_the_default(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_payment={"EUR": 5000, "CLF": 100})

        assert await code_of(created(world, amount=5001)) == "limit_exceeded"
        assert (await created(world, amount=100, currency="clf")).currency == "CLF"

    live_through(tmp_path, story)


def test_a_currency_without_limit_or_not_among_those_allowed_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        assert await code_of(created(world, currency="clf")) == "currency_not_allowed"
        await become(world, currencies=("USD",))
        assert await code_of(created(world)) == "currency_not_allowed"

    live_through(tmp_path, story)


def test_a_limit_that_came_after_the_creation_holds_at_the_confirm(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await created(world, payment_method=await world.token())
        await become(world, limit_per_payment={"EUR": 3999})

        refused = world.gateway.payments.confirm(await world.caller(), intent.id, ConfirmIntent())
        assert await code_of(refused) == "limit_exceeded"
        assert (await world.intent(intent.id)).status == "requires_confirmation"

    live_through(tmp_path, story)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"methods": ("upi",)}, "payment_method_not_allowed"),
        ({"countries": ("DE", "FR")}, "country_not_allowed"),
        ({"methods": ("card",), "countries": ("US",)}, None),
    ],
)
def test_only_methods_and_countries_that_are_allowed_are_taken(
    tmp_path: Path, settings: dict[str, Any], code: str | None
) -> None:
    async def story(world: World) -> None:
        await become(world, **settings)
        if code is None:
            assert (await paid(world)).status == "succeeded"
        else:
            assert await code_of(paid(world)) == code

    live_through(tmp_path, story)


def test_a_card_of_an_unknown_country_is_of_none_of_those_allowed() -> None:
    shop = Merchant(id="m", name="Tea", settings=MerchantSettings(countries=("US",)))

    with pytest.raises(InvalidRequestError) as refused:
        require_method(
            shop, CardFacts(token="tok_1", surrogate="s", bin="999999", last4="1111", brand="visa")
        )
    assert refused.value.code == "country_not_allowed"


@pytest.mark.parametrize("status", ["pending", "suspended"])
def test_only_an_active_merchant_takes_live_payments(tmp_path: Path, status: Any) -> None:
    async def story(world: World) -> None:
        await become(world, msgspec.structs.replace(MERCHANT, status=status))

        assert await code_of(created(world, await world.caller("live"))) == "merchant_not_active"
        assert (await paid(world)).status == "succeeded"

    live_through(tmp_path, story)


def test_of_many_confirms_at_once_only_those_pass_that_the_days_limit_holds(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_day={"EUR": 12_000})
        answers = await asyncio.gather(*(paid(world) for _ in range(7)), return_exceptions=True)

        refused = [error.code for error in answers if isinstance(error, InvalidRequestError)]
        assert (len(refused), set(refused)) == (4, {"limit_exceeded"})
        assert await counted(world) == [12_000]

    live_through(tmp_path, story)


def test_what_is_declined_or_blocked_counts_to_no_days_limit(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_day={"EUR": 4000})
        world.processor.decline_code = "insufficient_funds"
        await paid(world)
        world.processor.decline_code, world.risk.outcome = None, "block"
        await paid(world)
        assert await counted(world) == [0]

        world.risk.outcome = "allow"
        assert (await paid(world)).status == "succeeded"
        assert await code_of(paid(world)) == "limit_exceeded"

    live_through(tmp_path, story)


def test_of_a_part_that_was_approved_only_the_part_counts(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_day={"EUR": 4000})
        world.processor.authorizes_minor = 700
        options = PaymentMethodOptions(card=CardOptions(request_partial_authorization="if_available"))
        order = CreateIntent(
            amount=3999,
            currency="eur",
            confirm=True,
            payment_method=await world.token(),
            payment_method_options=options,
        )

        intent = await world.gateway.payments.create(await world.caller(), order)

        assert (intent.status, intent.amount_minor) == ("succeeded", 700)
        assert await counted(world) == [700]

    live_through(tmp_path, story)


def test_what_ended_before_its_payer_approved_counts_to_no_days_limit(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_day={"EUR": 4000})
        caller, payments = await world.caller(), world.gateway.payments
        expires_at = START + timedelta(minutes=10)
        world.processor.action = PayerAction(
            kind="three_d_secure", url="https://bank.example/1", expires_at=expires_at
        )
        canceled = await paid(world)
        assert await counted(world) == [4000]
        await payments.cancel(caller, canceled.id, CancelIntent())
        assert await counted(world) == [0]

        expired = await paid(world)
        await world.caller(at=expires_at)
        await world.gateway.payer_steps.sweep()
        await world.until(lambda: "payment.declined" in world.payment_events(expired.id))
        assert await counted(world) == [0]

        world.processor.action = None
        taken = await paid(world, capture_method="manual")
        await payments.cancel(caller, taken.id, CancelIntent())
        assert await counted(world) == [4000]

    live_through(tmp_path, story)


def test_an_increment_is_held_to_both_limits_and_given_back_where_the_issuer_refuses(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_day={"EUR": 4600}, limit_per_payment={"EUR": 4700})
        caller, payments = await world.caller(), world.gateway.payments
        intent = await paid(world, capture_method="manual")

        for amount in (4601, 4701):
            refused = payments.increment(caller, intent.id, IncrementIntent(amount=amount))
            assert await code_of(refused) == "limit_exceeded"
        world.processor.refuses_increments = True
        with pytest.raises(IncrementDeclinedError):
            await payments.increment(caller, intent.id, IncrementIntent(amount=4600))
        assert await counted(world) == [4000]
        world.processor.refuses_increments = False
        await payments.increment(caller, intent.id, IncrementIntent(amount=4600))
        assert await counted(world) == [4600]

    live_through(tmp_path, story)


@pytest.mark.parametrize("limited_before", [False, True])
@pytest.mark.parametrize("is_refused", [False, True])
def test_a_limit_that_comes_or_goes_while_an_increment_is_under_way_changes_no_count_of_its_payment(
    tmp_path: Path, limited_before: bool, is_refused: bool
) -> None:
    async def story(world: World) -> None:
        limit = {"EUR": 9000}
        await become(world, limit_per_day=limit if limited_before else {})
        intent = await paid(world, capture_method="manual")
        world.processor.refuses_increments, world.processor.delay_seconds = is_refused, 0.3
        caller, body = await world.caller(), IncrementIntent(amount=4600)

        under_way = asyncio.create_task(world.gateway.payments.increment(caller, intent.id, body))
        await world.until(lambda: ("increment", f"{intent.id}_1") in world.processor.calls)
        await become(world, limit_per_day={} if limited_before else limit)
        [_] = await asyncio.gather(under_way, return_exceptions=True)

        expected = [4000 if is_refused else 4600]
        assert await counted(world) == (expected if limited_before else [])

    live_through(tmp_path, story)


def test_each_day_mode_and_currency_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, limit_per_day={"EUR": 4000, "USD": 4000})
        await paid(world)
        await paid(world, currency="usd")
        await paid(world, await world.caller(at=START + timedelta(hours=14)))

        assert await counted(world) == [4000, 4000, 4000]

    live_through(tmp_path, story)


def test_a_refused_step_is_forbidden_and_not_merely_invalid(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await become(world, msgspec.structs.replace(MERCHANT, status="pending"))
        with pytest.raises(ForbiddenError) as refused:
            await created(world, await world.caller("live"))
        assert refused.value.STATUS == 403

    live_through(tmp_path, story)
