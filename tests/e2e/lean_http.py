"""A client of HTTP/1.1 that takes as little of the machine as it can: what it takes, the platform has not.

Requests with a body of JSON, answers with a length, over connections that stay open, without TLS.
"""

import asyncio
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec


class Answer(NamedTuple):
    """What came back; headers by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class LeanClient:
    """Posts to one place, over so many connections at once, from one address of the machine."""

    def __init__(
        self, url: str, headers: dict[str, str], *, address: str, connections_max: int, seconds_max: float
    ) -> None:
        place = urlsplit(url)
        assert place.scheme == "http", url
        self._host, self._port, self._address = str(place.hostname), place.port or 80, address
        lines = {"host": place.netloc, "content-type": "application/json", **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        self._room = asyncio.Semaphore(connections_max)
        self._idle: deque[_Connection] = deque()
        self._seconds_max = seconds_max

    async def post(self, path: str, body: Any, key: str) -> Answer:
        """Post under an idempotency key; raises `OSError` or `TimeoutError` where no whole answer comes."""
        content = msgspec.json.encode(body)
        head = f"POST {path} HTTP/1.1\r\nidempotency-key: {key}\r\ncontent-length: {len(content)}\r\n"
        request = b"".join((head.encode(), self._head, b"\r\n", content))
        async with self._room:
            connection = self._idle.pop() if self._idle else await self._connect()
            answer = await connection.ask(request, self._seconds_max)
            if connection.is_open:
                self._idle.append(connection)
            return answer

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        local = (self._address, 0)
        _, made = await loop.create_connection(_Connection, self._host, self._port, local_addr=local)
        return made

    def close(self) -> None:
        """Close what is open; nothing may be under way."""
        for connection in self._idle:
            connection.close()


class _Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    async def ask(self, request: bytes, seconds_max: float) -> Answer:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._answer = answer
        late = loop.call_later(seconds_max, self._transport.abort)
        self._transport.write(request)
        try:
            return await answer
        finally:
            late.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._answer is None:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if len(body) < int(headers["content-length"]):
            return
        self._received = b""
        self.is_open = headers.get("connection") != "close"
        answer, self._answer = self._answer, None
        answer.set_result(Answer(int(first.split(" ", 2)[1]), headers, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("closed before the answer"))

    def close(self) -> None:
        self._transport.close()
