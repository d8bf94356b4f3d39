"""stripe-python, unchanged, pointed at this server by its documented base address."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from events.clock import VirtualClock
from gateway.pressure.turnstile import WAIT_SECONDS_MAX
from gateway.rate_limits import PER_SECOND, MemoryLimiter
from tests.fuzz.living_api import LivingApi, living_api
from tests.gateway_world import START

ORDER = {"amount": 1250, "currency": "eur"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingApi]:
    with living_api(tmp_path_factory.mktemp("stripe")) as one:
        yield one


@pytest.fixture
def intents(api: LivingApi) -> Any:
    return client(api).v1.payment_intents


def client(api: LivingApi, key: str = "") -> stripe.StripeClient:
    return stripe.StripeClient(key or api.key, base_addresses={"api": api.urls["api"]}, max_network_retries=0)


def test_a_payment_is_created_and_confirmed_in_one_call(api: LivingApi, intents: Any) -> None:
    intent = intents.create({**ORDER, "payment_method": api.token(), "confirm": True})

    assert (intent.object, intent.status, intent.amount_received) == ("payment_intent", "succeeded", 1250)


def test_a_manual_payment_is_confirmed_and_captured_in_part(api: LivingApi, intents: Any) -> None:
    intent = intents.create({**ORDER, "capture_method": "manual", "payment_method": api.token()})
    assert intents.confirm(intent.id).status == "requires_capture"

    captured = intents.capture(intent.id, {"amount_to_capture": 1000})

    assert (captured.status, captured.amount_received) == ("succeeded", 1000)


def test_a_payment_is_canceled(intents: Any) -> None:
    intent = intents.create(ORDER)

    canceled = intents.cancel(intent.id, {"cancellation_reason": "requested_by_customer"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "requested_by_customer")


def test_all_payments_are_listed_page_by_page_in_both_directions(api: LivingApi, intents: Any) -> None:
    made = [intents.create({**ORDER, "customer": "c-pages"}).id for _ in range(7)]
    pages = {"limit": 3, "customer": "c-pages"}

    forwards = [intent.id for intent in intents.list(pages).auto_paging_iter()]
    oldest = intents.list({**pages, "ending_before": made[0]})

    assert forwards == made[::-1]
    assert [intent.id for intent in oldest.auto_paging_iter()] == made[1:]


def test_a_retry_under_the_same_idempotency_key_makes_nothing_new(api: LivingApi, intents: Any) -> None:
    body = {**ORDER, "payment_method": api.token(), "confirm": True}

    first = intents.create(body, {"idempotency_key": "order-7"})
    again = intents.create(body, {"idempotency_key": "order-7"})

    assert first.id == again.id
    assert again.last_response.headers["idempotent-replayed"] == "true"


def test_a_declined_card_is_a_card_error_with_the_intent(api: LivingApi, intents: Any) -> None:
    with pytest.raises(stripe.CardError) as raised:
        intents.create({**ORDER, "payment_method": api.token("4000000000009995"), "confirm": True})

    error = raised.value
    assert (error.code, error.http_status) == ("card_declined", 402)
    assert error.error is not None
    assert error.error.decline_code == "insufficient_funds"
    assert error.error.charge == error.error.payment_intent.latest_charge
    assert error.error.doc_url == "docs/api.md#declines"
    assert error.request_id == error.error["request_id"]
    assert error.error.payment_intent.status == "requires_payment_method"


def test_a_member_that_is_wrong_is_an_invalid_request_that_names_it(intents: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        intents.create({"amount": -1, "currency": "eur"})

    assert (raised.value.param, raised.value.http_status) == ("amount", 400)


def test_what_there_is_not_is_an_invalid_request_too(intents: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        intents.retrieve("pi_nothing")

    assert raised.value.code == "resource_missing"


def test_a_wrong_key_is_an_authentication_error(api: LivingApi) -> None:
    with pytest.raises(stripe.AuthenticationError):
        client(api, "sk_test_" + "0" * 48).v1.payment_intents.list()


def test_an_idempotency_key_with_another_body_is_an_idempotency_error(intents: Any) -> None:
    intents.create(ORDER, {"idempotency_key": "order-8"})

    with pytest.raises(stripe.IdempotencyError):
        intents.create({**ORDER, "amount": 1}, {"idempotency_key": "order-8"})


def test_more_requests_than_the_plan_allows_are_a_rate_limit_error(tmp_path: Path) -> None:
    # Its clock stands still, so that the second of a slow machine does not end either.
    with living_api(tmp_path, MemoryLimiter(VirtualClock(START))) as limited:
        intents = client(limited).v1.payment_intents
        for _ in range(PER_SECOND["standard"]):
            intents.list({"limit": 1})
        with pytest.raises(stripe.RateLimitError) as raised:
            intents.list({"limit": 1})

    error = raised.value
    assert error.error is not None
    assert (error.http_status, error.error.code) == (429, "rate_limit")
    assert error.headers is not None
    assert int(error.headers["retry-after"]) >= 1


async def places(api: LivingApi, limit: int) -> None:
    api.world.gateway.admission.writes.limit = limit


def test_where_there_is_no_room_an_api_error_says_when_to_come_again(api: LivingApi, intents: Any) -> None:
    api.run(places(api, 0))
    try:
        with pytest.raises(stripe.APIError) as raised:
            intents.create(ORDER)
    finally:
        api.run(places(api, 64))

    error = raised.value
    assert error.error is not None
    assert (error.http_status, error.error.code) == (503, "overloaded")
    assert error.headers is not None
    assert int(error.headers["retry-after"]) in (1, 2, 3)


def test_who_was_refused_for_want_of_room_comes_again_by_itself_and_is_served_once(api: LivingApi) -> None:
    again = stripe.StripeClient(api.key, base_addresses={"api": api.urls["api"]}, max_network_retries=3)
    refused = api.world.gateway.admission.writes.refused
    api.run(places(api, 0))
    making_room = threading.Timer(WAIT_SECONDS_MAX + 0.3, lambda: api.run(places(api, 64)))
    making_room.start()
    body: Any = {**ORDER, "customer": "c-comes-again"}

    intent = again.v1.payment_intents.create(body)
    making_room.join()

    assert api.world.gateway.admission.writes.refused > refused
    listed = again.v1.payment_intents.list({"customer": "c-comes-again"})
    assert [each.id for each in listed.data] == [intent.id]


def test_what_lies_behind_ids_is_expanded_in_a_list_and_four_steps_away(api: LivingApi, intents: Any) -> None:
    paid = intents.create({**ORDER, "customer": "c-ways", "payment_method": api.token(), "confirm": True})
    ways = ["data.latest_charge.payment_method", "data.payment_method"]

    [listed] = intents.list({"customer": "c-ways", "expand": ways}).data
    far = intents.retrieve(paid.id, {"expand": ["latest_charge.payment_intent.latest_charge.payment_method"]})

    assert listed.latest_charge.payment_method.card.last4 == listed.payment_method.card.last4
    assert far.latest_charge.payment_intent.latest_charge.payment_method.object == "payment_method"


def test_all_that_a_search_finds_is_paged_through(api: LivingApi, intents: Any) -> None:
    made = [intents.create({**ORDER, "receipt_email": "search@example.com"}).id for _ in range(5)]
    query = "receipt_email:'search@example.com' AND payment_method_types:'card' AND livemode:false"

    found = [one.id for one in intents.search({"query": query, "limit": 2}).auto_paging_iter()]

    assert found == made[::-1]


def test_an_order_as_stripes_own_guides_write_it_is_taken_and_changed(api: LivingApi, intents: Any) -> None:
    order = {**ORDER, "automatic_payment_methods": {"enabled": True}, "receipt_email": "ada@example.com"}
    intent = intents.create({**order, "metadata": {"order": "7"}})
    data = {"type": "card", "card": {"token": api.token()}}

    changed = intents.update(
        intent.id,
        {
            "payment_method_data": data,
            "payment_method_types": ["card"],
            "customer": "c-1",
            "setup_future_usage": "on_session",
            "metadata": "",
            "receipt_email": "",
        },
    )
    paid = intents.confirm(intent.id)

    assert (changed.metadata.to_dict(), changed.receipt_email) == ({}, None)
    assert (changed.payment_method_types, changed.setup_future_usage) == (["card"], "on_session")
    assert (paid.status, paid.payment_method) == ("succeeded", changed.payment_method)
    with pytest.raises(stripe.InvalidRequestError, match="does not allow: cancel"):
        intents.cancel(intent.id)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"setup_future_usage": "on_session"}, "customer"),
        ({"payment_method_types": ["upi"]}, "payment_method_types"),
        ({"payment_method_data": {"type": "card"}}, "payment_method_data[card]"),
    ],
)
def test_a_change_that_could_not_be_paid_is_refused(intents: Any, change: Any, param: str) -> None:
    intent = intents.create(ORDER)

    with pytest.raises(stripe.InvalidRequestError) as raised:
        intents.update(intent.id, change)

    assert raised.value.param == param


def test_types_of_methods_are_named_or_left_open_and_not_both(intents: Any) -> None:
    both = {"automatic_payment_methods": {"enabled": True}, "payment_method_types": ["card"]}

    with pytest.raises(stripe.InvalidRequestError) as raised:
        intents.create({**ORDER, **both})

    assert raised.value.param == "automatic_payment_methods"
