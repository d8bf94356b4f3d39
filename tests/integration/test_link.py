"""The gateway's two programs ask each other over mutual TLS: many calls at once, bounded, in bounded time."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.errors import ProcessorUnavailableError
from gateway.keys.tls import client_context
from gateway.link.answering import UNDER_WAY_MAX
from gateway.link.asking import CONNECTIONS, Link
from gateway.link.calls import ANSWER_BYTES_MAX, CALL_BYTES_MAX, line
from gateway.link.methods import Served
from tests.linked import ECHO, asker, raw, serving


def test_many_calls_share_few_connections_and_each_has_its_own_answer(tmp_path: Path) -> None:
    under_way = most = 0

    async def slow_where_even(text: str) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.3 if int(text) % 2 == 0 else 0)
        under_way -= 1
        return text

    async def story() -> None:
        methods = {"turn": Served(tuple[str], slow_where_even)}
        async with serving(tmp_path, methods) as listener, asker(tmp_path, listener.port) as link:
            texts = [str(number) for number in range(100)]
            assert await asyncio.gather(*(link.ask(str, "turn", text) for text in texts)) == texts
            assert len(listener._connections) == CONNECTIONS

    asyncio.run(story())

    assert most > CONNECTIONS


def test_a_call_without_an_answer_in_time_ends_in_the_asker_s_own_error_and_others_go_on(
    tmp_path: Path,
) -> None:
    async def wait(seconds: str) -> str:
        await asyncio.sleep(float(seconds))
        return seconds

    async def story() -> None:
        methods = {"wait": Served(tuple[str], wait)}
        async with serving(tmp_path, methods) as listener, asker(tmp_path, listener.port, 0.6) as link:
            ended = await asyncio.gather(
                *(link.ask(str, "wait", "0.1" if number % 3 else "60") for number in range(30)),
                return_exceptions=True,
            )
            late = [each for each in ended if each != "0.1"]
            assert [type(each) for each in late] == [ProcessorUnavailableError] * 10

    asyncio.run(story())


def test_where_nobody_listens_a_call_ends_at_once_and_where_somebody_does_again_it_is_answered(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with serving(tmp_path, ECHO) as listener:
            port = listener.port
        async with asker(tmp_path, port) as link:
            for _ in range(2 * CONNECTIONS):
                with pytest.raises(ProcessorUnavailableError, match="no answer: "):
                    await link.ask(str, "echo", "a")
            async with serving(tmp_path, ECHO, port):
                for _ in range(2 * CONNECTIONS):
                    assert await link.ask(str, "echo", "b") == "b"
            async with serving(tmp_path, ECHO, port):
                await asyncio.sleep(0.1)
                for _ in range(2 * CONNECTIONS):
                    assert await link.ask(str, "echo", "c") == "c"

    asyncio.run(story())


NO_ANSWERS = [
    b"what?\n",
    b'{"id":1}\n{"id":"one"}\n',
    b'{"id":1,"error":{"status":400,"code":"\xff"}}\n',
    b'{"id":1,"result":"\xff"}\n',
    bytes(ANSWER_BYTES_MAX + 1),
]


@pytest.mark.parametrize("said", NO_ANSWERS)
def test_what_is_no_answer_ends_the_connection_in_the_asker_s_own_error(tmp_path: Path, said: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(said)
        await reader.read(1000)

    async def story() -> None:
        async with raw(tmp_path, babble) as port, asker(tmp_path, port) as link:
            with pytest.raises(ProcessorUnavailableError):
                await link.ask(str, "echo", "")

    asyncio.run(story())


def test_an_answer_of_another_shape_is_none(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, ECHO) as listener, asker(tmp_path, listener.port) as link:
            with pytest.raises(ProcessorUnavailableError, match="not as agreed"):
                await link.ask(int, "echo", "text")

    asyncio.run(story())


NO_CALLS = [
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"{}\n",
    b'{"id":1,"method":"\xff","params":[]}\n',
    bytes(CALL_BYTES_MAX + 1),
]


@pytest.mark.parametrize("said", NO_CALLS)
def test_what_is_no_call_ends_its_connection(tmp_path: Path, said: bytes) -> None:
    async def story() -> None:
        async with serving(tmp_path, ECHO) as listener:
            context = client_context(tmp_path, "api", "internal")
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context)
            writer.write(said)
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.transport.abort()

    asyncio.run(story())


def test_an_asker_that_takes_no_answers_is_not_heard_further(tmp_path: Path) -> None:
    answered = 0

    async def large() -> str:
        nonlocal answered
        answered += 1
        return "x" * 100_000

    async def story() -> None:
        async with serving(tmp_path, {"large": Served(tuple[()], large)}) as listener:
            context = client_context(tmp_path, "api", "internal")
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context, limit=1000)
            calls = line({"id": 1, "method": "large", "params": []}) * 20
            for _ in range(500):
                writer.write(calls)
                await asyncio.sleep(0.001)
            before = answered
            await asyncio.sleep(0.2)
            assert answered == before
            writer.transport.abort()

    asyncio.run(story())

    assert answered < 10_000


def test_an_asker_with_too_many_calls_under_way_is_not_heard_until_some_have_their_answers(
    tmp_path: Path,
) -> None:
    begun, go_on = 0, asyncio.Event()

    async def wait() -> None:
        nonlocal begun
        begun += 1
        await go_on.wait()

    async def story() -> None:
        async with serving(tmp_path, {"wait": Served(tuple[()], wait)}) as listener:
            context = client_context(tmp_path, "api", "internal")
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context)
            calls = (line({"id": 1 + number, "method": "wait", "params": []}) for number in range(2560))
            writer.write(b"".join(calls))
            await asyncio.sleep(0.3)
            assert begun == UNDER_WAY_MAX
            go_on.set()
            while begun < 2560:
                await asyncio.sleep(0.01)
            writer.transport.abort()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_an_address_may_be_one_of_ipv6() -> None:
    link = Link(
        "[::1]:7", ssl.create_default_context(), answer_seconds_max=1, silent=ProcessorUnavailableError
    )

    assert (link._host, link._port) == ("::1", 7)
