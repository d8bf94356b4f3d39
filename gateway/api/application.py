"""The public HTTP API. Handlers take the raw request: the framework's own validation quotes its input."""

from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from gateway.api.openapi import document
from gateway.api.presenting import intent_json, label_json, list_json, review_json, sign_in_json
from gateway.api.reading import B, read_query, read_struct, refuse_card_numbers
from gateway.auth import Caller
from gateway.business_time import carried_time
from gateway.errors import CardDeclinedError, InvalidRequestError, NotFoundError
from gateway.http.answers import LastResort, answered, error_handlers, refused
from gateway.http.bodies import read_body
from gateway.http.presented_keys import presented_key
from gateway.payments.intents import Intent
from gateway.requests import (
    AccountEvent,
    CancelIntent,
    CaptureIntent,
    CloseReview,
    ConfirmIntent,
    CreateIntent,
    ListIntents,
    ListReviews,
    ReportLabel,
)
from gateway.wiring import Gateway

INTENTS = "/v1/payment_intents"
REVIEWS = "/v1/reviews"

Answer = Awaitable[dict[str, Any]]


def make_application(gateway: Gateway) -> LastResort:
    """The ASGI application of the public listener."""
    application = bare_application()

    @application.get("/openapi.json")
    async def openapi() -> Response:
        return Response(document(), media_type="application/json")

    _add_intents(application, gateway)
    _add_reviews(application, gateway)
    _add_reports(application, gateway)
    return LastResort(application)


def bare_application() -> FastAPI:
    """FastAPI without what quotes requests: no telemetry logs, no generated error bodies, no docs pages."""
    application = FastAPI(
        telemetry={"logs": False},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={**error_handlers(_elsewhere), RequestValidationError: _validation_error},
    )

    @application.get("/health")
    async def health() -> Response:
        return answered({"status": "ok"})

    return application


def _elsewhere(path: str) -> str | None:
    if path != "/v1/tokens":
        return None
    return (
        "Tokens are made at the processor's listener, which has another address: card numbers go there alone."
    )


async def _validation_error(_request: Request, _error: Exception) -> Response:
    return refused(InvalidRequestError("A value is not as documented.", code="parameter_invalid"))


def _add_intents(application: FastAPI, gateway: Gateway) -> None:
    payments = gateway.payments

    @application.post(INTENTS)
    async def create(request: Request) -> Response:
        caller, body = await _asked(gateway, request, CreateIntent)
        return answered(intent_json(await payments.create(caller, body)))

    @application.get(INTENTS)
    async def list_page(request: Request) -> Response:
        refuse_card_numbers(request, await read_body(request))
        caller = await _caller(gateway, request)
        page, has_more = await payments.list(caller, read_query(request, ListIntents))
        return answered(list_json([intent_json(intent) for intent in page], INTENTS, has_more=has_more))

    @application.get(INTENTS + "/{payment_id}")
    async def retrieve(request: Request, payment_id: str) -> Response:
        refuse_card_numbers(request, await read_body(request))
        return answered(intent_json(await payments.retrieve(await _caller(gateway, request), payment_id)))

    @application.post(INTENTS + "/{payment_id}/confirm")
    async def confirm(request: Request, payment_id: str) -> Response:
        caller, body = await _asked(gateway, request, ConfirmIntent)
        return answered(_unless_refused(await payments.confirm(caller, payment_id, body)))

    @application.post(INTENTS + "/{payment_id}/capture")
    async def capture(request: Request, payment_id: str) -> Response:
        caller, body = await _asked(gateway, request, CaptureIntent)
        return answered(intent_json(await payments.capture(caller, payment_id, body)))

    @application.post(INTENTS + "/{payment_id}/cancel")
    async def cancel(request: Request, payment_id: str) -> Response:
        caller, body = await _asked(gateway, request, CancelIntent)
        return answered(intent_json(await payments.cancel(caller, payment_id, body)))


def _add_reviews(application: FastAPI, gateway: Gateway) -> None:
    reviews = gateway.reviews

    @application.get(REVIEWS)
    async def list_page(request: Request) -> Response:
        refuse_card_numbers(request, await read_body(request))
        caller = await _caller(gateway, request)
        page, has_more = await reviews.list(caller, read_query(request, ListReviews))
        return answered(list_json([review_json(review) for review in page], REVIEWS, has_more=has_more))

    @application.get(REVIEWS + "/{review_id}")
    async def retrieve(request: Request, review_id: str) -> Response:
        refuse_card_numbers(request, await read_body(request))
        return answered(review_json(await reviews.retrieve(await _caller(gateway, request), review_id)))

    @application.post(REVIEWS + "/{review_id}/approve")
    async def approve(request: Request, review_id: str) -> Response:
        caller, _ = await _asked(gateway, request, CloseReview)
        return answered(review_json(await reviews.approve(caller, review_id)))

    @application.post(REVIEWS + "/{review_id}/reject")
    async def reject(request: Request, review_id: str) -> Response:
        caller, _ = await _asked(gateway, request, CloseReview)
        return answered(review_json(await reviews.reject(caller, review_id)))


def _add_reports(application: FastAPI, gateway: Gateway) -> None:
    @application.post("/v1/account_events")
    async def account_event(request: Request) -> Response:
        caller, body = await _asked(gateway, request, AccountEvent)
        return answered(sign_in_json(await gateway.account_events.record(caller, body)))

    @application.post("/v1/labels")
    async def label(request: Request) -> Response:
        caller, body = await _asked(gateway, request, ReportLabel)
        return answered(label_json(await gateway.labels.report(caller, body)))


async def _asked(gateway: Gateway, request: Request, struct: type[B]) -> tuple[Caller, B]:
    """Who asks, and for what: card numbers are refused first, from whoever sends them."""
    body = await read_body(request)
    refuse_card_numbers(request, body)
    caller = await _caller(gateway, request)
    return caller, read_struct(request, body, struct)


async def _caller(gateway: Gateway, request: Request) -> Caller:
    if "\0" in request.scope["path"]:
        raise NotFoundError()
    return await gateway.keys.authenticate(presented_key(request), carried_time(request))


def _unless_refused(intent: Intent) -> dict[str, Any]:
    """The intent; raises `CardDeclinedError` where its attempt failed."""
    if intent.last_error is None:
        return intent_json(intent)
    raise CardDeclinedError(
        intent.last_error.message,
        code=intent.last_error.code,
        decline_code=intent.last_error.decline_code,
        payment_intent=intent_json(intent),
    )
