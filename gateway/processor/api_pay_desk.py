"""The API's pay desk, over the network."""

import ssl
from http import HTTPStatus
from typing import TypeVar

import msgspec

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError, IdempotencyReuseError, RequestInProgressError
from gateway.http.asking import Peer, Reply
from gateway.pay_port import PayAnswer, PayOrder, PaySession, PaySessionOpened
from gateway.people.errors import InvalidTokenError, RateLimitedError, WrongMerchantError

declare({"processor.pay.asking": "a question of `/pay` to the API is made, it has not left"})

ANSWER_SECONDS_MAX = 25.0
"""Longer than a confirm may take to answer."""

_REFUSALS = {
    HTTPStatus.UNAUTHORIZED: InvalidTokenError,
    HTTPStatus.FORBIDDEN: WrongMerchantError,
    HTTPStatus.CONFLICT: RequestInProgressError,
}

T = TypeVar("T")


class _Said(msgspec.Struct, frozen=True):
    code: str | None = None


class _Problem(msgspec.Struct, frozen=True):
    error: _Said = _Said()


class ApiPayDesk:
    """Implements `gateway.pay_port.PayDesk`."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._peer = Peer(url, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ApiUnavailableError)

    async def open(self, session: PaySession) -> PaySessionOpened:
        return await self._ask("/internal/pay/sessions", session, PaySessionOpened)

    async def pay(self, order: PayOrder) -> PayAnswer:
        return await self._ask("/internal/pay", order, PayAnswer)

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._peer.close()

    async def _ask(self, path: str, body: msgspec.Struct, kind: type[T]) -> T:
        crash_point("processor.pay.asking")
        reply = await self._peer.ask("POST", path, body)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitedError(reply.after_seconds)
        if reply.status in _REFUSALS:
            raise _REFUSALS[HTTPStatus(reply.status)]()
        if reply.status == HTTPStatus.BAD_REQUEST and _read(reply, _Problem).error.code == _REUSED:
            raise IdempotencyReuseError()
        if reply.status != HTTPStatus.OK:
            raise ApiUnavailableError(f"The API answered {reply.status}.")
        return _read(reply, kind)


_REUSED = IdempotencyReuseError().code


def _read(reply: Reply, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.DecodeError:
        raise ApiUnavailableError("The API's answer is not as agreed.") from None
