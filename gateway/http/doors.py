"""Connections with a door: a request comes in, waits for its turn, or is turned away before it has begun.

In a flood refusals are most of what a process does, and what they cost is missing where others are served.
So no task, no application and no framework's answer is made for them.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import structlog
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.errors import GatewayError
from gateway.http.answers import ARRIVED, answer_bytes
from gateway.http.connections import Connection, Connections
from gateway.http.request_ids import new_request_id
from gateway.journeys import count_turned_away

HELD_BYTES_MAX = 32 * 1024
"""Of a body whose request has not begun: far above a payment's, and below where reading pauses."""

Door = Callable[[Scope], "asyncio.Future[None] | None"]
"""Asked once for each request, whose body has come whole: raises why it may not come in, gives None where it
may, else its turn: done when it may, with a `GatewayError` when it may not; canceled when its caller goes."""

_log = structlog.get_logger("gateway")


class _Unbegun(NamedTuple):
    cycle: RequestResponseCycle
    application: Any


class GuardedConnection(Connection):
    """A connection whose requests pass a door, where there is one, as soon as all of them has come.

    Whoever sends a long body, or none before it is told to, is asked by the application alone, which reads
    the body first: who dawdles takes no place from others.
    """

    _unbegun: _Unbegun | None = None
    _turn: "asyncio.Future[None] | None" = None

    def __init__(self, connections: Connections, door: Door | None, **of_uvicorn: Any) -> None:
        super().__init__(connections, **of_uvicorn)
        self._door = door

    def connection_lost(self, exc: Exception | None) -> None:
        """Who has gone waits no longer."""
        self._unbegun = None
        if self._turn is not None:
            self._turn.cancel()
        super().connection_lost(exc)

    def on_body(self, body: bytes) -> None:
        """Hold a body until it is whole, unless it is long."""
        super().on_body(body)
        if self._unbegun is not None and len(self._unbegun.cycle.body) > HELD_BYTES_MAX:
            self._begin(self._unbegun)

    def on_message_complete(self) -> None:
        """All of a request has come."""
        super().on_message_complete()
        if self._unbegun is not None and not self._unbegun.cycle.more_body:
            self._knock()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """uvicorn's, called with each request when those before it on the connection have their answers."""
        cycle.scope[ARRIVED] = time.perf_counter()  # type: ignore[literal-required]  # a member of our own
        unbegun = _Unbegun(cycle, app)
        if self._door is None or cycle.waiting_for_100_continue or cycle.scope["method"] == "HEAD":
            self._begin(unbegun)
            return
        self._unbegun = unbegun
        if not cycle.more_body:
            # It came behind another, whose end called this: thousands of them must not stack up calls.
            self.loop.call_soon(self._knock)

    def _begin(self, unbegun: _Unbegun) -> None:
        self._unbegun = None
        super()._start_asgi_task(unbegun.cycle, unbegun.application)

    def _knock(self) -> None:
        unbegun = self._unbegun
        if unbegun is None or self._door is None or self._is_refused:
            return
        if self.flow.write_paused:
            # Who does not read its answers gets the next when it does, as an application's.
            self._begin(unbegun)
            return
        self._unbegun = None
        try:
            self._turn = self._door(unbegun.cycle.scope)  # type: ignore[arg-type]  # a scope
        except GatewayError as error:
            self._turn_down(unbegun.cycle, error)
            return
        if self._turn is None:
            self._begin(unbegun)
        else:
            self._turn.add_done_callback(partial(self._called, unbegun))

    def _called(self, unbegun: _Unbegun, turn: "asyncio.Future[None]") -> None:
        self._turn = None
        if turn.cancelled():
            return
        error = turn.exception()
        if isinstance(error, GatewayError):
            self._turn_down(unbegun.cycle, error)
        else:
            self._begin(unbegun)

    def _turn_down(self, cycle: RequestResponseCycle, error: GatewayError) -> None:
        """Give the answer, all of it at once; the next request may follow on the same connection."""
        if cycle.disconnected or self._is_refused or self.transport.is_closing():
            return
        request_id = new_request_id()
        count_turned_away(cycle.scope["method"], error.STATUS)
        _log.debug("turned away", request=request_id, status=error.STATUS, code=error.code)
        self.transport.write(answer_bytes(error, request_id, closes=not cycle.keep_alive))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
