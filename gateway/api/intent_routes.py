"""Routes of payment intents: the merchant's, and the two that a shopper's browser may take."""

import re
from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway.api.callers import Content, answered_once, asked, reader_of
from gateway.api.expanding import Expansion, ways_from, ways_from_list
from gateway.api.presenting import list_json, search_json
from gateway.api.reading import read_query
from gateway.api.showing import shown_intents, shown_to
from gateway.auth import Caller
from gateway.errors import CardDeclinedError, SecretKeyRequiredError
from gateway.http.answers import answered
from gateway.http.browsers import BrowserAccess
from gateway.http.routes import get, post
from gateway.journeys import reach
from gateway.payments.intents import Intent
from gateway.payments.outcomes import payment_error
from gateway.payments.taking import IncrementDeclinedError
from gateway.requests import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    IncrementIntent,
    ListIntents,
    RetrieveIntent,
    SearchIntents,
    UpdateIntent,
)
from gateway.store.idempotency_rows import Claim
from gateway.wiring import Gateway

INTENTS = "/v1/payment_intents"
BROWSER_PATHS = re.compile(rf"{INTENTS}/[A-Za-z0-9_]+(/confirm)?")


def add_intents(application: FastAPI, gateway: Gateway) -> None:
    """What a merchant, and a shopper with an intent's secret, may do with payment intents."""
    application.add_middleware(BrowserAccess, paths=BROWSER_PATHS)
    _add_looking(application, gateway)
    _add_steps(application, gateway)
    _add_increment(application, gateway)


def _add_looking(application: FastAPI, gateway: Gateway) -> None:
    payments = gateway.payments

    @get(application, INTENTS)
    async def list_page(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        query = read_query(request, ListIntents)
        expansion = Expansion(gateway, caller, query.expand, ways_from_list("payment_intent"))
        page, has_more = await payments.list(caller, query)
        listed = list_json(await shown_intents(gateway, page), INTENTS, has_more=has_more)
        return answered(await expansion.of(listed))

    @get(application, INTENTS + "/search")
    async def search(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        query = read_query(request, SearchIntents)
        expansion = Expansion(gateway, caller, query.expand, ways_from_list("payment_intent"))
        page, next_page = await payments.search(caller, query)
        found = search_json(await shown_intents(gateway, page), f"{INTENTS}/search", next_page)
        return answered(await expansion.of(found))

    @get(application, INTENTS + "/{payment_id}")
    async def retrieve(request: Request, payment_id: str) -> Response:
        caller = await reader_of(gateway, request, from_browser=True)
        query = read_query(request, RetrieveIntent)
        require_secret(gateway, caller, payment_id, query.client_secret)
        expansion = Expansion(gateway, caller, query.expand, ways_from("payment_intent"))
        shown = await shown_to(gateway, caller, await payments.retrieve(caller, payment_id))
        return answered(await expansion.of(shown))


def _add_steps(application: FastAPI, gateway: Gateway) -> None:
    payments = gateway.payments

    async def once(request: Request, caller: Caller, body: Any, step: Any, *path: str) -> Response:
        expansion = Expansion(gateway, caller, body.expand, ways_from("payment_intent"))

        async def act(caller: Caller) -> Content:
            attempted = _attempts(gateway, body)
            reach("committing")
            intent = await step(caller, *path, body)
            return await expansion.of(await _shown(gateway, caller, intent, attempted=attempted))

        async def recall(claim: Claim) -> Content:
            intent = await payments.answer_of(caller, claim)
            attempted = claim.attempt is not None
            return await expansion.of(await _shown(gateway, caller, intent, attempted=attempted))

        return await answered_once(gateway, request, caller, body, act, recall)

    @post(application, INTENTS)
    async def create(request: Request) -> Response:
        return await once(request, *await asked(gateway, request, CreateIntent), payments.create)

    @post(application, INTENTS + "/{payment_id}")
    async def update(request: Request, payment_id: str) -> Response:
        asking = await asked(gateway, request, UpdateIntent)
        return await once(request, *asking, gateway.updates.update, payment_id)

    @post(application, INTENTS + "/{payment_id}/confirm")
    async def confirm(request: Request, payment_id: str) -> Response:
        caller, body = await asked(gateway, request, ConfirmIntent, from_browser=True)
        require_secret(gateway, caller, payment_id, body.client_secret)
        if caller.publishable and (body.risk_context or body.off_session or body.payment_method_options):
            message = "risk_context, off_session and payment_method_options are the merchant's to give."
            raise SecretKeyRequiredError(message)
        return await once(request, caller, body, payments.confirm, payment_id)

    @post(application, INTENTS + "/{payment_id}/capture")
    async def capture(request: Request, payment_id: str) -> Response:
        asking = await asked(gateway, request, CaptureIntent)
        return await once(request, *asking, payments.capture, payment_id)

    @post(application, INTENTS + "/{payment_id}/cancel")
    async def cancel(request: Request, payment_id: str) -> Response:
        asking = await asked(gateway, request, CancelIntent)
        return await once(request, *asking, payments.cancel, payment_id)


def _add_increment(application: FastAPI, gateway: Gateway) -> None:
    payments = gateway.payments

    @post(application, INTENTS + "/{payment_id}/increment_authorization")
    async def increment(request: Request, payment_id: str) -> Response:
        caller, body = await asked(gateway, request, IncrementIntent)

        expansion = Expansion(gateway, caller, body.expand, ways_from("payment_intent"))

        async def act(caller: Caller) -> Content:
            answer = payments.increment(caller, payment_id, body)
            return await expansion.of(await _incremented(gateway, caller, answer))

        async def recall(claim: Claim) -> Content:
            answer = payments.increment_answer(caller, claim)
            return await expansion.of(await _incremented(gateway, caller, answer))

        return await answered_once(gateway, request, caller, body, act, recall)


async def _incremented(gateway: Gateway, caller: Caller, answer: Awaitable[Intent]) -> dict[str, Any]:
    """The intent with more authorized; raises `CardDeclinedError`."""
    try:
        return await shown_to(gateway, caller, await answer)
    except IncrementDeclinedError as refusal:
        error = payment_error(refusal.decline_code)
        raise CardDeclinedError(
            error.message,
            code=error.code,
            decline_code=error.decline_code,
            payment_intent=await shown_to(gateway, caller, refusal.intent),
        ) from None


def _attempts(gateway: Gateway, body: Any) -> bool:
    """Whether a request makes an attempt; raises `DecisionsLateError` where none may begin undecided."""
    attempts = isinstance(body, ConfirmIntent) or (isinstance(body, CreateIntent) and body.confirm)
    if attempts:
        gateway.lateness.require_in_time()
    return attempts


def require_secret(gateway: Gateway, caller: Caller, payment_id: str, given: str | None) -> None:
    """A browser must show the intent's secret; whoever shows one must show the right one."""
    if caller.publishable or given is not None:
        gateway.client_secrets.require(payment_id, given)


async def _shown(
    gateway: Gateway, caller: Caller, intent: Intent, *, attempted: bool = False
) -> dict[str, Any]:
    """The intent as its caller may see it; raises `CardDeclinedError` where the request's attempt failed."""
    shown = await shown_to(gateway, caller, intent)
    if intent.last_error is None or not attempted:
        return shown
    raise CardDeclinedError(
        intent.last_error.message,
        code=intent.last_error.code,
        decline_code=intent.last_error.decline_code,
        payment_intent=shown,
    )
