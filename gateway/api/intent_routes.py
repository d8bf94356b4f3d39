"""Routes of payment intents."""

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway.api.callers import Content, answered_once, asked, reader_of
from gateway.api.presenting import intent_json, list_json
from gateway.api.reading import read_query
from gateway.auth import Caller
from gateway.errors import CardDeclinedError
from gateway.http.answers import answered
from gateway.payments.intents import Intent
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, ListIntents
from gateway.store.idempotency_rows import Claim
from gateway.wiring import Gateway

INTENTS = "/v1/payment_intents"


def add_intents(application: FastAPI, gateway: Gateway) -> None:
    """What a merchant may do with payment intents."""
    _add_looking(application, gateway)
    _add_steps(application, gateway)


def _add_looking(application: FastAPI, gateway: Gateway) -> None:
    payments = gateway.payments

    @application.get(INTENTS)
    async def list_page(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        page, has_more = await payments.list(caller, read_query(request, ListIntents))
        return answered(list_json([intent_json(intent) for intent in page], INTENTS, has_more=has_more))

    @application.get(INTENTS + "/{payment_id}")
    async def retrieve(request: Request, payment_id: str) -> Response:
        caller = await reader_of(gateway, request)
        return answered(intent_json(await payments.retrieve(caller, payment_id)))


def _add_steps(application: FastAPI, gateway: Gateway) -> None:
    payments = gateway.payments

    async def once(request: Request, struct: Any, step: Any, *path: str, confirms: bool = False) -> Response:
        caller, body = await asked(gateway, request, struct)

        async def act(caller: Caller) -> Content:
            return _shown(await step(caller, *path, body), attempted=confirms)

        async def recall(claim: Claim) -> Content:
            return _shown(await payments.answer_of(caller, claim), attempted=claim.attempt is not None)

        return await answered_once(gateway, request, caller, body, act, recall)

    @application.post(INTENTS)
    async def create(request: Request) -> Response:
        return await once(request, CreateIntent, payments.create)

    @application.post(INTENTS + "/{payment_id}/confirm")
    async def confirm(request: Request, payment_id: str) -> Response:
        return await once(request, ConfirmIntent, payments.confirm, payment_id, confirms=True)

    @application.post(INTENTS + "/{payment_id}/capture")
    async def capture(request: Request, payment_id: str) -> Response:
        return await once(request, CaptureIntent, payments.capture, payment_id)

    @application.post(INTENTS + "/{payment_id}/cancel")
    async def cancel(request: Request, payment_id: str) -> Response:
        return await once(request, CancelIntent, payments.cancel, payment_id)


def _shown(intent: Intent, *, attempted: bool) -> dict[str, Any]:
    """The intent; raises `CardDeclinedError` where the request's attempt failed."""
    if intent.last_error is None or not attempted:
        return intent_json(intent)
    raise CardDeclinedError(
        intent.last_error.message,
        code=intent.last_error.code,
        decline_code=intent.last_error.decline_code,
        payment_intent=intent_json(intent),
    )
