"""Who asks for what, and answering it: once for all requests of one idempotency key."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.reading import B, read_struct, refuse_card_numbers
from gateway.auth import Caller
from gateway.business_time import carried_time
from gateway.errors import CardDeclinedError, GatewayError, NotFoundError
from gateway.http.answers import answered, internal_error, refused
from gateway.http.bodies import read_body
from gateway.http.origins import origin
from gateway.http.presented_keys import presented_key
from gateway.idempotency import HEADER, Answered
from gateway.journeys import current_journey
from gateway.pressure.visits import visit_of
from gateway.store.idempotency_rows import Claim, RequestKey
from gateway.wiring import Gateway

Content = dict[str, Any]
Act = Callable[[Caller], Awaitable[Content]]
Recall = Callable[[Claim], Awaitable[Content]]

REPLAYED = "idempotent-replayed"


async def caller_of(gateway: Gateway, request: Request, *, from_browser: bool = False) -> Caller:
    """The caller of a request, let in.

    Raises `AuthenticationError`, `RateLimitedError`, `OverloadedError`.
    """
    if "\0" in request.scope["path"]:
        raise NotFoundError()
    address = origin(request)
    caller = await gateway.keys.authenticate(
        presented_key(request), carried_time(request), from_browser=from_browser, address=address
    )
    await gateway.rate_limits.admit(caller, address)
    await visit_of(request.scope).enter(caller.party)
    journey = current_journey()
    if journey is not None and journey.trace is not None:
        return msgspec.structs.replace(caller, trace=journey.trace)
    return caller


async def reader_of(gateway: Gateway, request: Request, *, from_browser: bool = False) -> Caller:
    """The caller of a request without a body; card numbers are refused first, from whoever sends them."""
    refuse_card_numbers(request, await read_body(request))
    return await caller_of(gateway, request, from_browser=from_browser)


async def asked(
    gateway: Gateway, request: Request, struct: type[B], *, from_browser: bool = False
) -> tuple[Caller, B]:
    """Who asks, and for what: card numbers are refused first, from whoever sends them."""
    body = await read_body(request)
    refuse_card_numbers(request, body)
    caller = await caller_of(gateway, request, from_browser=from_browser)
    return caller, read_struct(request, body, struct)


async def answered_once(
    gateway: Gateway, request: Request, caller: Caller, body: msgspec.Struct, act: Act, recall: Recall
) -> Response:
    """Do what is asked and answer it; where it was done under the same idempotency key, answer that again.

    `recall` makes the answer anew from what the request had done, where its first answer was lost: it
    changes nothing. `act` must claim the caller's `request_key` in its commit.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return answered(await act(caller))
    keys = gateway.idempotency
    key = keys.request_key(caller, text.strip(), path=request.url.path, body=body)
    with keys.alone(key):
        known = await keys.find(key)
        if isinstance(known, Answered):
            return _replayed(known)
        if known is not None:
            return await _kept(gateway, key, lambda: recall(known), replayed=True)
        keyed = msgspec.structs.replace(caller, request_key=key)
        return await _kept(gateway, key, lambda: act(keyed))


async def _kept(
    gateway: Gateway, key: RequestKey, act: Callable[[], Awaitable[Content]], *, replayed: bool = False
) -> Response:
    """The answer, kept unless it is a refusal that did nothing: then the same key may be used again."""
    try:
        response = answered(await act())
    except CardDeclinedError as error:
        response = refused(error)
    except GatewayError:
        raise
    except Exception:
        _keep(gateway, key, refused(internal_error()))
        raise
    _keep(gateway, key, response)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response


def _keep(gateway: Gateway, key: RequestKey, response: Response) -> None:
    gateway.idempotency.keep(key, Answered(response.status_code, bytes(response.body)))


def _replayed(answer: Answered) -> Response:
    media = "application/json" if answer.status < 400 else "application/problem+json"
    return Response(answer.body, answer.status, {REPLAYED: "true"}, media_type=media)
