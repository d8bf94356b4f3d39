"""Callers who connect and dawdle: over real sockets, while others are served."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from gateway.http.bodies import read_body
from gateway.http.connections import Connections, Patience
from gateway.http.listening import Listener, bind
from gateway.keys.tls import ensure_certificates, server_context
from tests.integration.listening import served

ABUSER, OTHER = "127.0.0.2", "127.0.0.3"
SOON = Patience(handshake_seconds=0.5, head_seconds=0.5, body_seconds=0.5, answer_seconds=0.5)
LOOKS_SECONDS = 4.0
"""By then a listener has looked at what is late."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A listener whose application reads bodies, and answers as long as it is asked to."""

    def __init__(self, connections: Connections, context: object = None) -> None:
        routes = [
            Route("/", self._answer, methods=["GET", "POST"]),
            Route("/long", self._long, methods=["GET"]),
            Route("/slow", self._slow, methods=["GET"]),
        ]
        bound = bind("127.0.0.1", 0)
        self.listener = Listener(Starlette(routes=routes), bound, context, connections=connections)  # type: ignore[arg-type]  # a context
        self.broken_off = 0
        self.opened: list[asyncio.StreamWriter] = []

    async def connect(self, source: str = OTHER) -> Streams:
        port = self.listener.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        self.opened.append(writer)
        return reader, writer

    async def _answer(self, request: Request) -> Response:
        try:
            return Response(str(len(await read_body(request))))
        except ClientDisconnect:
            self.broken_off += 1
            raise

    async def _long(self, request: Request) -> Response:  # Starlette's shape
        return Response(b"x" * 20_000_000)

    async def _slow(self, request: Request) -> Response:  # Starlette's shape
        await asyncio.sleep(1.6)
        return Response("late")


def told(connections: Connections, story: Callable[[Served], Awaitable[None]]) -> None:
    async def live() -> None:
        async with served(Served(connections)) as place:
            await story(place)

    uvloop.run(live())


async def asked(place: Served, source: str = OTHER) -> str:
    """What an honest caller is answered."""
    reader, writer = await place.connect(source)
    writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n")
    return (await reader.read()).decode()


async def last_words(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of what a connection is told before its end."""
    async with asyncio.timeout(LOOKS_SECONDS):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    error = msgspec.json.decode(body)["error"]
    assert f"\r\nrequest-id: {error['request_id']}\r\n".encode() in head
    return int(head.split()[1]), error["code"]


async def is_gone(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_heads_that_never_end_are_refused_and_others_are_served_meanwhile() -> None:
    async def story(place: Served) -> None:
        dawdling = [await place.connect(ABUSER) for _ in range(200)]
        for number, (_, writer) in enumerate(dawdling):
            writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\nx-" if number % 2 else b"")
        assert (await asked(place)).startswith("HTTP/1.1 200")

        ends = await asyncio.gather(*(last_words(reader) for reader, _ in dawdling))
        assert set(ends) == {(408, "request_timeout")}
        assert (await asked(place, ABUSER)).startswith("HTTP/1.1 200")

    told(Connections(patience=SOON), story)


def test_what_is_refused_stands_in_the_log_under_the_id_that_its_caller_was_told() -> None:
    async def story(place: Served) -> None:
        reader, writer = await place.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\nx-")
        with capture_logs() as lines:
            answer = await reader.read()

        [line] = lines
        assert f"request-id: {line['request']}".encode() in answer
        assert (line["log_level"], line["code"], line["status"]) == ("warning", "request_timeout", 408)

    told(Connections(patience=SOON), story)


def test_a_head_that_comes_byte_by_byte_gains_no_time_by_it() -> None:
    async def story(place: Served) -> None:
        reader, writer = await place.connect()

        async def trickle() -> None:
            while True:
                writer.write(b"\r\n")
                await asyncio.sleep(0.1)

        trickling = asyncio.create_task(trickle())
        assert await last_words(reader) == (408, "request_timeout")
        trickling.cancel()

    told(Connections(patience=SOON), story)


def test_empty_lines_after_an_answer_keep_no_connection() -> None:
    async def story(place: Served) -> None:
        reader, writer = await place.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n0")
        writer.write(b"\r\n")

        assert await last_words(reader) == (408, "request_timeout")

    told(Connections(patience=SOON), story)


def test_a_body_that_does_not_come_ends_the_request_for_the_application_too() -> None:
    async def story(place: Served) -> None:
        reader, writer = await place.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: weir\r\ncontent-length: 9\r\n\r\nabc")

        assert await last_words(reader) == (408, "request_timeout")
        assert place.broken_off == 1

    told(Connections(patience=SOON), story)


def test_who_waits_for_a_slow_answer_or_idles_after_it_is_left_alone() -> None:
    async def story(place: Served) -> None:
        reader, writer = await place.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: weir\r\n\r\n")
        assert (await reader.readuntil(b"late")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(1.6)
        writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")

    told(Connections(patience=SOON), story)


def test_who_takes_no_answer_is_dropped() -> None:
    async def story(place: Served) -> None:
        reader, writer = await place.connect()
        # The reader takes so much, and then nothing more from the socket.
        writer.write(b"GET /long HTTP/1.1\r\nhost: weir\r\n\r\n")
        await reader.readexactly(1)
        assert place.listener.server_state.connections
        async with asyncio.timeout(LOOKS_SECONDS):
            while place.listener.server_state.connections:
                await asyncio.sleep(0.05)

    told(Connections(patience=SOON), story)


def test_one_address_holds_only_so_many_connections_and_is_told_so() -> None:
    async def story(place: Served) -> None:
        held = [await place.connect(ABUSER) for _ in range(5)]
        reader, writer = await place.connect(ABUSER)
        writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n")

        assert await last_words(reader) == (503, "too_many_connections")
        assert (await asked(place)).startswith("HTTP/1.1 200")
        held[0][1].close()
        await held[0][1].wait_closed()
        assert (await asked(place, ABUSER)).startswith("HTTP/1.1 200")

    told(Connections(per_address_max=5), story)


def test_where_all_are_taken_the_longest_idle_gives_way_and_one_under_way_does_not() -> None:
    async def story(place: Served) -> None:
        idle: list[Streams] = []
        for _ in range(2):
            reader, writer = await place.connect()
            writer.write(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n0")
            idle.append((reader, writer))
        _, begun = await place.connect()
        begun.write(b"GET /slow HTTP/1.1\r\nhost: weir\r\n\r\n")

        assert (await asked(place)).startswith("HTTP/1.1 200")
        assert await is_gone(idle[0][0])
        idle[1][1].write(b"GET /slow HTTP/1.1\r\nhost: weir\r\n\r\n")
        await asyncio.sleep(0.2)
        third, _ = await place.connect()
        refused, _ = await place.connect()
        assert await last_words(refused) == (503, "too_many_connections")
        assert (await idle[1][0].readuntil(b"late")).startswith(b"HTTP/1.1 200")
        assert not third.at_eof()

    told(Connections(connections_max=3), story)


def test_a_tls_handshake_that_never_comes_is_ended(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, datetime.now(UTC))

    async def live() -> None:
        context = server_context(tmp_path, "processor", "public")
        async with served(Served(Connections(patience=SOON), context)) as place:
            reader, _ = await place.connect()
            async with asyncio.timeout(LOOKS_SECONDS):
                assert await reader.read() == b""

    uvloop.run(live())
