"""The public HTTP API. Handlers take the raw request: the framework's own validation quotes its input."""

from collections.abc import Awaitable, Callable
from datetime import UTC

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from events.moments import moment
from gateway.account_events import SignIn
from gateway.api.callers import Content, answered_once, asked, reader_of
from gateway.api.charge_routes import add_charges
from gateway.api.expanding import Expansion, ways_from, ways_from_list
from gateway.api.intent_routes import add_intents
from gateway.api.method_routes import add_payment_methods
from gateway.api.openapi import document
from gateway.api.presenting import label_json, list_json, review_json, sign_in_json
from gateway.api.reading import read_query
from gateway.api.signing_in import add_sign_in
from gateway.auth import Caller
from gateway.errors import InvalidRequestError
from gateway.http.answers import LastResort, answered, error_handlers, refused
from gateway.http.routes import get, post
from gateway.pressure.visits import Visits
from gateway.requests import AccountEvent, CloseReview, ListReviews, ReportLabel, RetrieveReview
from gateway.store.idempotency_rows import Claim
from gateway.store.review_rows import Review
from gateway.wiring import Gateway

REVIEWS = "/v1/reviews"


def make_application(gateway: Gateway) -> LastResort:
    """The ASGI application of the public listener."""
    application = _bare_application()

    @get(application, "/openapi.json")
    async def openapi(_request: Request) -> Response:
        return Response(document(), media_type="application/json")

    add_intents(application, gateway)
    add_charges(application, gateway)
    add_payment_methods(application, gateway)
    _add_reviews(application, gateway)
    _add_reports(application, gateway)
    add_sign_in(application, gateway)
    # The last one is the outermost: what it refuses costs no other anything.
    application.add_middleware(Visits, gatekeeper=gateway.gatekeeper)
    return LastResort(application)


def _bare_application() -> FastAPI:
    """FastAPI without what quotes requests: no telemetry logs, no generated error bodies, no docs pages."""
    application = FastAPI(
        telemetry={"logs": False},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={**error_handlers(_elsewhere), RequestValidationError: _validation_error},
    )

    @get(application, "/health")
    async def health(_request: Request) -> Response:
        return answered({"status": "ok"})

    return application


def _elsewhere(path: str) -> str | None:
    if path not in ("/v1/tokens", "/pay"):
        return None
    return "POST /v1/tokens and POST /pay are at the processor's listener, which has another address."


async def _validation_error(_request: Request, _error: Exception) -> Response:
    return refused(InvalidRequestError("A value is not as documented.", code="parameter_invalid"))


def _add_reviews(application: FastAPI, gateway: Gateway) -> None:
    reviews = gateway.reviews

    @get(application, REVIEWS)
    async def list_page(request: Request) -> Response:
        caller = await reader_of(gateway, request)
        query = read_query(request, ListReviews)
        expansion = Expansion(gateway, caller, query.expand, ways_from_list("review"))
        page, has_more = await reviews.list(caller, query)
        listed = list_json([review_json(review) for review in page], REVIEWS, has_more=has_more)
        return answered(await expansion.of(listed))

    @get(application, REVIEWS + "/{review_id}")
    async def retrieve(request: Request, review_id: str) -> Response:
        caller = await reader_of(gateway, request)
        query = read_query(request, RetrieveReview)
        expansion = Expansion(gateway, caller, query.expand, ways_from("review"))
        return answered(await expansion.of(review_json(await reviews.retrieve(caller, review_id))))

    async def close(request: Request, review_id: str, how: Callable[..., Awaitable[Review]]) -> Response:
        caller, body = await asked(gateway, request, CloseReview)

        expansion = Expansion(gateway, caller, body.expand, ways_from("review"))

        async def act(caller: Caller) -> Content:
            return await expansion.of(review_json(await how(caller, review_id)))

        # The same end of a review again changes nothing and gives the same answer.
        return await answered_once(gateway, request, caller, body, act, lambda _: act(caller))

    @post(application, REVIEWS + "/{review_id}/approve")
    async def approve(request: Request, review_id: str) -> Response:
        return await close(request, review_id, reviews.approve)

    @post(application, REVIEWS + "/{review_id}/reject")
    async def reject(request: Request, review_id: str) -> Response:
        return await close(request, review_id, reviews.reject)


def _add_reports(application: FastAPI, gateway: Gateway) -> None:
    @post(application, "/v1/account_events")
    async def account_event(request: Request) -> Response:
        caller, body = await asked(gateway, request, AccountEvent)

        async def act(caller: Caller) -> Content:
            return sign_in_json(await gateway.account_events.record(caller, body))

        async def recall(claim: Claim) -> Content:
            at = body.occurred_at or moment(claim.at_us)
            return sign_in_json(SignIn(id=claim.resource, type=body.type, occurred_at=at.astimezone(UTC)))

        return await answered_once(gateway, request, caller, body, act, recall)

    @post(application, "/v1/labels")
    async def label(request: Request) -> Response:
        caller, body = await asked(gateway, request, ReportLabel)

        async def act(caller: Caller) -> Content:
            return label_json(await gateway.labels.report(caller, body))

        async def recall(claim: Claim) -> Content:
            # At its own time the same label again changes nothing and gives the same answer.
            return await act(msgspec.structs.replace(caller, at=moment(claim.at_us)))

        return await answered_once(gateway, request, caller, body, act, recall)
