"""The rails over the network: JSON over mutual TLS."""

import ssl
from http import HTTPStatus
from typing import TypeVar

import msgspec

from events.crash import crash_point, declare
from gateway.errors import UnavailableError
from gateway.http.asking import Peer, Reply
from gateway.processor.errors import RailsSilentError
from gateway.processor.rails_port import RailAnswer, RailQuestion

T = TypeVar("T")

declare({"processor.rails.asking": "a question to the rails is made, it has not left"})

ANSWER_SECONDS_MAX = 8.0
"""Shorter than the API waits for the processor."""


class _RefundAsked(msgspec.Struct, frozen=True, kw_only=True):
    refund_id: str
    amount_minor: int


class _RefundTold(msgspec.Struct, frozen=True, kw_only=True):
    accepted: bool


class HttpRails:
    """Implements `gateway.processor.rails_port.Rails`."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._peer = Peer(url, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=UnavailableError)

    async def open(self, question: RailQuestion) -> RailAnswer:
        return _order(await self._asked("POST", "/orders", question))

    async def find(self, order_id: str) -> RailAnswer | None:
        reply = await self._asked("GET", f"/orders/{order_id}")
        return None if reply.status == HTTPStatus.NOT_FOUND else _order(reply)

    async def give_back(self, question: RailQuestion) -> RailAnswer:
        return _order(await self._asked("POST", f"/orders/{question.order_id}/give_back", question))

    async def refund(self, order_id: str, refund_id: str, amount_minor: int) -> bool:
        asked = _RefundAsked(refund_id=refund_id, amount_minor=amount_minor)
        reply = await self._asked("POST", f"/orders/{order_id}/refunds", asked)
        return _read(reply, _RefundTold).accepted

    async def close(self) -> None:
        """Close the connections."""
        await self._peer.close()

    async def _asked(self, method: str, path: str, body: msgspec.Struct | None = None) -> Reply:
        crash_point("processor.rails.asking")
        try:
            return await self._peer.ask(method, path, body)
        except UnavailableError:
            raise RailsSilentError("the rails gave no answer") from None


class NoRails:
    """Where no rails are known: no account can pay, and nothing is owed."""

    async def open(self, question: RailQuestion) -> RailAnswer:
        return RailAnswer(order_id=question.order_id, state="declined", reason="bank_technical_error")

    async def find(self, order_id: str) -> RailAnswer | None:  # noqa: ARG002  # the port's shape
        return None

    async def give_back(self, question: RailQuestion) -> RailAnswer:
        return RailAnswer(order_id=question.order_id, state="canceled")

    async def refund(self, order_id: str, refund_id: str, amount_minor: int) -> bool:  # noqa: ARG002  # the port's shape
        return False

    async def close(self) -> None:
        """Nothing is open."""


def _order(reply: Reply) -> RailAnswer:
    return _read(reply, RailAnswer)


def _read(reply: Reply, kind: type[T]) -> T:
    if reply.status != HTTPStatus.OK:
        raise RailsSilentError(f"the rails answered {reply.status}")
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.MsgspecError:
        raise RailsSilentError("the rails' answer is not as agreed") from None
