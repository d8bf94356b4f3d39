"""Who is turned away at a listener's door, who waits there, who is asked only inside: over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from gateway.http.bodies import read_body
from gateway.http.connections import Connections, Patience
from gateway.http.doors import HELD_BYTES_MAX
from gateway.http.listening import Listener, bind
from gateway.pressure.errors import OverloadedError
from tests.integration.listening import served

SOON = Patience(body_seconds=0.5)


class Guarded:
    """A listener with a door that the test opens and closes, and an application that tells what it read."""

    def __init__(self) -> None:
        application = Starlette(routes=[Route("/", self._answer, methods=["GET", "POST"])])
        self.listener = Listener(
            application, bind("127.0.0.1", 0), connections=Connections(patience=SOON), door=self._door
        )
        self.is_closed = False
        self.turn: asyncio.Future[None] | None = None
        self.knocks: list[str] = []
        self.answered = 0
        self.opened: list[asyncio.StreamWriter] = []

    def _door(self, scope: Scope) -> "asyncio.Future[None] | None":
        self.knocks.append(scope["path"])
        if self.is_closed:
            raise OverloadedError(2)
        return self.turn

    async def _answer(self, request: Request) -> Response:
        self.answered += 1
        return Response(f"read {len(await read_body(request))}")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        self.opened.append(writer)
        return reader, writer


def told(story: Callable[[Guarded], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(20), served(Guarded()) as place:
            await story(place)

    uvloop.run(live())


def request(body: bytes = b"{}", *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} / HTTP/1.1", "host: weir", f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def test_who_is_turned_away_is_told_so_and_may_ask_again_on_the_same_connection() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        place.is_closed = True
        writer.write(request())
        status, headers, body = await answer(reader)

        assert (status, headers["retry-after"], place.answered) == (503, "2", 0)
        assert headers["content-type"] == "application/problem+json"
        error = msgspec.json.decode(body)["error"]
        assert (error["code"], error["request_id"]) == ("overloaded", headers["request-id"])

        place.is_closed = False
        writer.write(request(b"1234"))
        assert (await answer(reader))[2] == b"read 4"

    told(story)


def test_who_asks_for_an_end_of_the_connection_gets_it_with_the_refusal() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        place.is_closed = True
        writer.write(request(b"{}", "connection: close"))
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"], await reader.read()) == (503, "close", b"")

    told(story)


def test_a_request_waits_at_the_door_for_its_turn() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        place.turn = asyncio.get_running_loop().create_future()
        writer.write(request(b"123"))
        await asyncio.sleep(0.1)
        assert (len(place.knocks), place.answered) == (1, 0)
        place.turn.set_result(None)
        assert (await answer(reader))[2] == b"read 3"

        place.turn = asyncio.get_running_loop().create_future()
        writer.write(request(b"123"))
        await asyncio.sleep(0.1)
        place.turn.set_exception(OverloadedError(1))
        assert (await answer(reader))[0] == 503
        assert place.answered == 1

    told(story)


def test_who_goes_while_it_waits_gives_up_its_turn_and_is_not_served() -> None:
    async def story(place: Guarded) -> None:
        _, writer = await place.connect()
        place.turn = asyncio.get_running_loop().create_future()
        writer.write(request())
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.1)
        assert place.turn.cancelled()
        assert place.answered == 0

    told(story)


def test_nobody_is_asked_at_the_door_before_the_body_has_come() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        whole = request(b"0123456789")
        writer.write(whole[:-5])
        await asyncio.sleep(0.1)
        assert (place.knocks, place.answered) == ([], 0)
        writer.write(whole[-5:])
        assert (await answer(reader))[2] == b"read 10"
        assert len(place.knocks) == 1

        writer.write(whole[:-5])
        assert (await answer(reader))[0] == 408
        assert len(place.knocks) == 1

    told(story)


def test_who_sends_a_long_body_or_waits_to_be_told_to_send_it_is_asked_inside() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        place.is_closed = True
        writer.write(request(bytes(2 * HELD_BYTES_MAX)))
        assert (await answer(reader))[2] == f"read {2 * HELD_BYTES_MAX}".encode()

        writer.write(request(b"12", "expect: 100-continue")[:-2])
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"12")
        assert (await answer(reader))[2] == b"read 2"
        assert place.knocks == []

    told(story)


def test_requests_behind_one_another_are_answered_in_their_order_however_many_there_are() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        place.turn = asyncio.get_running_loop().create_future()
        writer.write(request(b"1") + request(b"12") * 400)
        await asyncio.sleep(0.1)
        assert len(place.knocks) == 1
        place.is_closed = True
        place.turn.set_result(None)
        assert (await answer(reader))[2] == b"read 1"
        for _ in range(400):
            assert (await answer(reader))[0] == 503

    told(story)


def test_who_reads_no_answers_is_given_only_so_many() -> None:
    async def story(place: Guarded) -> None:
        reader, writer = await place.connect()
        place.is_closed = True
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no public way
        for _ in range(60):
            writer.write(request() * 400)
            await asyncio.sleep(0.01)
        # Of 18 MB of answers; what a socket itself holds is not seen here.
        (connection,) = place.listener.server_state.connections
        assert 0 < connection.transport.get_write_buffer_size() < 1_000_000

    told(story)
