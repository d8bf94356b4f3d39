"""The API's pay desk, over the network."""

import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

import msgspec

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError, IdempotencyReuseError, RequestInProgressError
from gateway.link.asking import Link, RefusedError
from gateway.pay_port import PayAnswer, PayOrder, PaySession, PaySessionOpened
from gateway.people.errors import InvalidTokenError, RateLimitedError, WrongMerchantError
from gateway.pressure.errors import DecisionsLateError, OverloadedError

declare({"processor.pay.asking": "a question of `/pay` to the API is made, it has not left"})

ANSWER_SECONDS_MAX = 25.0
"""Longer than a confirm may take to answer."""

_REFUSALS = {
    HTTPStatus.UNAUTHORIZED: InvalidTokenError,
    HTTPStatus.FORBIDDEN: WrongMerchantError,
    HTTPStatus.CONFLICT: RequestInProgressError,
}
_BUSY: Mapping[str, type[OverloadedError]] = {
    error().code: error for error in (OverloadedError, DecisionsLateError)
}
_REUSED = IdempotencyReuseError().code

T = TypeVar("T")


class ApiPayDesk:
    """Implements `gateway.pay_port.PayDesk`."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._link = Link(address, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ApiUnavailableError)

    async def open(self, session: PaySession) -> PaySessionOpened:
        return await self._ask(PaySessionOpened, "open_pay", session)

    async def pay(self, order: PayOrder) -> PayAnswer:
        return await self._ask(PayAnswer, "pay", order)

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._link.close()

    async def _ask(self, kind: type[T], method: str, body: msgspec.Struct) -> T:
        crash_point("processor.pay.asking")
        try:
            return await self._link.ask(kind, method, body)
        except RefusedError as error:
            refusal = error.refusal
        if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitedError(refusal.after_seconds)
        if refusal.status in _REFUSALS:
            raise _REFUSALS[HTTPStatus(refusal.status)]()
        if refusal.status == HTTPStatus.BAD_REQUEST and refusal.code == _REUSED:
            raise IdempotencyReuseError()
        if refusal.code in _BUSY:
            raise _BUSY[refusal.code](refusal.after_seconds)
        raise ApiUnavailableError(f"The API answered {refusal.status}.")
