"""stripe-python, unchanged, pointed at this server by its documented base address."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.fuzz.living_api import LivingApi, living_api

ORDER = {"amount": 1250, "currency": "eur"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingApi]:
    with living_api(tmp_path_factory.mktemp("stripe")) as one:
        yield one


@pytest.fixture
def intents(api: LivingApi) -> Any:
    return client(api).v1.payment_intents


def client(api: LivingApi, key: str = "") -> stripe.StripeClient:
    return stripe.StripeClient(key or api.key, base_addresses={"api": api.base_url}, max_network_retries=0)


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
