"""One listener's connections: how many there may be, how long each may keep it waiting, and what it reads.

Nobody who connects is known yet. So a head and a body have a time to come in, an answer one to be taken, one
address only so many connections; and where all are taken, the one that has been idle longest gives way.
"""

import asyncio
import resource
from collections import Counter
from enum import Enum, auto
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.errors import GatewayError, HeadTooLargeError, InvalidRequestError
from gateway.http.answers import answer_bytes
from gateway.http.errors import RequestTimeoutError, TooManyConnectionsError
from gateway.http.origins import counted_as
from gateway.http.proxies import NO_PROXIES, Proxies
from gateway.http.refusals import Refusals
from gateway.http.request_ids import new_request_id

HEAD_BYTES_MAX = 32 * 1024
"""Of a request line and its headers together."""

CONNECTIONS_MAX = 1000
"""Of one listener: far above what its process can answer at once."""

CONNECTIONS_PER_ADDRESS_MAX = 250
"""Room for a merchant's servers behind one address, and four such addresses are not all."""

FAREWELL_SECONDS = 0.5
"""How long a refused connection stays, for its caller to read why: bytes that nobody read would reset it."""

FAREWELLS_MAX = 100
"""More refused connections at once are dropped without a word."""


class Patience(NamedTuple):
    """How long callers may take: for a TLS handshake, two round trips; from the connection, or a head's first
    byte, to its end, a packet or two; from there to the body's end, the largest over a line of 26 kbit/s; and
    to read any of an answer."""

    handshake_seconds: float = 10.0
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    answer_seconds: float = 30.0


PATIENCE = Patience()


class Waiting(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class Connections:
    """All connections of one listener."""

    def __init__(
        self,
        connections_max: int = CONNECTIONS_MAX,
        per_address_max: int = CONNECTIONS_PER_ADDRESS_MAX,
        patience: Patience = PATIENCE,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        """Addresses of `proxies`, which ask for many, are left alone.

        No listener takes more than a quarter of the files that its program may open, and no address then
        more than a quarter of those.
        """
        self.patience = patience
        self._connections_max = min(connections_max, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        if self._connections_max < connections_max:
            per_address_max = min(per_address_max, self._connections_max // 4)
        self._per_address_max = per_address_max
        self._proxies = proxies
        self._by_address: Counter[str] = Counter()
        self._open: dict[Connection, str] = {}
        self.farewells = 0
        self.refusals = Refusals()

    def admit(self, connection: "Connection") -> bool:
        """Whether one more may stay."""
        host = connection.client[0] if connection.client else ""
        address = counted_as(host) if host else ""
        # One address of an IPv6 network may be a proxy's: who is one is asked before what it counts as.
        if self._is_one_too_many(address) and not self._proxies.include(host):
            return False
        if len(self._open) >= self._connections_max and not self._one_gives_way():
            return False
        self._open[connection] = address
        self._by_address[address] += 1
        return True

    def leave(self, connection: "Connection") -> None:
        """One that has gone; another that was never admitted changes nothing."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def said_farewell(self) -> None:
        """One that was turned away is gone."""
        self.farewells -= 1

    def look(self) -> None:
        """End what has kept the listener waiting for too long; call it every second or so."""
        for connection in list(self._open):
            connection.end_what_is_late()
        self.refusals.look(asyncio.get_running_loop().time())

    def _is_one_too_many(self, address: str) -> bool:
        """Whether this address has all the connections that one may have."""
        return self._by_address[address] >= self._per_address_max

    def _one_gives_way(self) -> bool:
        idle = [connection for connection in self._open if connection.is_idle]
        if not idle:
            return False
        longest = min(idle, key=lambda connection: connection.since)
        self.leave(longest)
        longest.transport.abort()
        return True


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds on heads and waiting, which does not await an idle peer's farewell.

    What comes in one read with an unfinished head counts towards its bound: a caller that sends its next
    request behind a large body without waiting for the answer may be refused.
    """

    _head_bytes = 0
    _waiting = Waiting.HEAD
    _refusal: GatewayError | None = None
    _is_refused = False
    _stuck_since: float | None = None
    _stuck_bytes = 0
    since = 0.0
    """When it began to wait for what it waits for, in the loop's time."""

    def __init__(self, connections: Connections, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._connections = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's shape
        """Stay, if there is room; else say that there is none."""
        super().connection_made(transport)
        self._wait_for(Waiting.HEAD)
        if not self._connections.admit(self):
            self._turn_away()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another."""
        self._connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a head that does not end has grown beyond its bound."""
        if self._is_refused:
            return
        if self.is_idle:
            # Empty lines before a request begin none, and would keep the connection for good.
            self._head_bytes = 0
            self._wait_for(Waiting.HEAD)
        super().data_received(data)
        self._head_bytes += len(data)
        if self._waiting is Waiting.HEAD and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(HeadTooLargeError(HEAD_BYTES_MAX))

    def on_message_begin(self) -> None:
        """A new head begins, and is counted from zero."""
        self._head_bytes = 0
        self._wait_for(Waiting.HEAD)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Refuse a head that came in one piece and is too large."""
        self._wait_for(Waiting.BODY)
        names_and_values = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) + names_and_values > HEAD_BYTES_MAX:
            self._refusal = HeadTooLargeError(HEAD_BYTES_MAX)
            raise self._refusal  # the parser stops, and `send_400_response` is called
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The caller has sent all of a request."""
        self._wait_for(Waiting.NOTHING)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An idle time begins, unless more has come already."""
        if self._waiting is Waiting.NOTHING:
            self._wait_for(Waiting.NOTHING)
        super().on_response_complete()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: all that was asked has its answer, and nothing new has begun."""
        return self._waiting is Waiting.NOTHING and not self._is_answering

    def end_what_is_late(self) -> None:
        """Refuse a head or a body that has not come in its time, and drop who does not take an answer."""
        now, patience = self.loop.time(), self._connections.patience
        if self._is_refused:
            return
        if self._is_stuck(now):
            self.transport.abort()
        elif (self._waiting is Waiting.HEAD and self._is_answering) or self.flow.read_paused:
            # It waits for us: what it sent behind an earlier request has not been looked at.
            self.since = now
        elif self._waiting is Waiting.HEAD and now - self.since > patience.head_seconds:
            self._refuse(RequestTimeoutError("head", patience.head_seconds))
        elif self._waiting is Waiting.BODY and now - self.since > patience.body_seconds:
            self._refuse(RequestTimeoutError("body", patience.body_seconds))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's shape
        """Answer what cannot be parsed as every other refusal: a problem document."""
        self._refuse(
            self._refusal or InvalidRequestError("This cannot be read as HTTP.", code="request_malformed")
        )

    def shutdown(self) -> None:
        """Drop what is idle at once: over TLS a farewell would wait until the peer reads it."""
        if self._is_answering or self.transport.get_write_buffer_size() > 0:
            super().shutdown()
        else:
            self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        return cycle is not None and not cycle.response_complete

    def _wait_for(self, what: Waiting) -> None:
        self._waiting, self.since = what, self.loop.time()

    def _is_stuck(self, now: float) -> bool:
        """Whether nothing of an answer has been taken for too long."""
        waiting_bytes = self.transport.get_write_buffer_size()
        if self._stuck_since is None or not 0 < waiting_bytes == self._stuck_bytes:
            self._stuck_since = now if waiting_bytes else None
        self._stuck_bytes = waiting_bytes
        return (
            self._stuck_since is not None
            and now - self._stuck_since > self._connections.patience.answer_seconds
        )

    def _turn_away(self) -> None:
        if self._connections.farewells >= FAREWELLS_MAX:
            self._connections.refusals.dropped()
            self.transport.abort()
            return
        self._connections.farewells += 1
        self.loop.call_later(FAREWELL_SECONDS, self._connections.said_farewell)
        self._refuse(TooManyConnectionsError())

    def _refuse(self, error: GatewayError) -> None:
        """Say why, and part: what still comes is read and thrown away meanwhile."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        cycle: RequestResponseCycle | None = self.cycle
        # In the middle of an answer there is no place for another.
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self._write(error)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.loop.call_later(FAREWELL_SECONDS, self.transport.abort)

    def _write(self, error: GatewayError) -> None:
        request_id = new_request_id()
        self._connections.refusals.refused(error, request_id, self.loop.time())
        self.transport.write(answer_bytes(error, request_id, closes=True))
        if self.transport.can_write_eof():
            self.transport.write_eof()
