"""Routes of payment methods."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway.api.callers import Content, answered_once, asked, reader_of
from gateway.api.presenting import list_json, method_json
from gateway.api.reading import read_query
from gateway.auth import Caller
from gateway.http.answers import answered
from gateway.http.routes import get, post
from gateway.method_requests import (
    AttachPaymentMethod,
    DetachPaymentMethod,
    ListPaymentMethods,
    PaymentMethodData,
)
from gateway.store.idempotency_rows import Claim
from gateway.wiring import Gateway

METHODS = "/v1/payment_methods"


def add_payment_methods(application: FastAPI, gateway: Gateway) -> None:
    """What a merchant may do with payment methods."""
    _add_looking(application, gateway)
    _add_changes(application, gateway)


def _add_looking(application: FastAPI, gateway: Gateway) -> None:
    methods = gateway.payment_methods

    @get(application, METHODS)
    async def list_page(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        page, has_more = await methods.list(caller, read_query(request, ListPaymentMethods))
        return answered(list_json([method_json(one) for one in page], METHODS, has_more=has_more))

    @get(application, METHODS + "/{method_id}")
    async def retrieve(request: Request, method_id: str) -> Response:
        return answered(method_json(await methods.retrieve(await reader_of(gateway, request), method_id)))


def _add_changes(application: FastAPI, gateway: Gateway) -> None:
    methods = gateway.payment_methods

    @post(application, METHODS)
    async def create(request: Request) -> Response:
        caller, body = await asked(gateway, request, PaymentMethodData)

        async def act(caller: Caller) -> Content:
            return method_json(await methods.create(caller, body))

        async def recall(claim: Claim) -> Content:
            return method_json(await methods.retrieve(caller, claim.resource))

        return await answered_once(gateway, request, caller, body, act, recall)

    # The same change again changes nothing, and gives the same answer.
    @post(application, METHODS + "/{method_id}/attach")
    async def attach(request: Request, method_id: str) -> Response:
        caller, body = await asked(gateway, request, AttachPaymentMethod)

        async def act(caller: Caller) -> Content:
            return method_json(await methods.attach(caller, method_id, body))

        return await answered_once(gateway, request, caller, body, act, lambda _: act(caller))

    @post(application, METHODS + "/{method_id}/detach")
    async def detach(request: Request, method_id: str) -> Response:
        caller, body = await asked(gateway, request, DetachPaymentMethod)

        async def act(caller: Caller) -> Content:
            return method_json(await methods.detach(caller, method_id))

        return await answered_once(gateway, request, caller, body, act, lambda _: act(caller))
