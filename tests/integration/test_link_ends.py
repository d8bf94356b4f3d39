"""How connections between the two programs end: by age, silence, a stop or a stranger's certificate."""

import asyncio
import json
import socket
import ssl
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import ProcessorUnavailableError
from gateway.keys.tls import client_context, ensure_certificates
from gateway.link import answering, asking
from gateway.link.asking import CONNECTIONS, Link
from gateway.link.calls import line
from gateway.link.methods import Served
from tests.linked import ECHO, asker, linked, raw, serving


async def wait(seconds: str) -> str:
    await asyncio.sleep(float(seconds))
    return seconds


WAIT = {"wait": Served(tuple[str], wait)}


def test_a_connection_on_which_nothing_comes_any_more_is_replaced(tmp_path: Path) -> None:
    opened = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while await reader.read(1000):
            pass

    async def story() -> None:
        async with raw(tmp_path, swallow) as port, asker(tmp_path, port, 0.5) as link:
            for _ in range(2):
                asked = (link.ask(str, "echo", "") for _ in range(CONNECTIONS))
                for error in await asyncio.gather(*asked, return_exceptions=True):
                    assert isinstance(error, ProcessorUnavailableError)
                    assert str(error) == "no answer: TimeoutError"

    asyncio.run(story())

    assert opened == 2 * CONNECTIONS


def test_a_connection_that_breaks_leaves_all_its_calls_without_an_answer_and_the_next_opens_another(
    tmp_path: Path,
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.transport.abort()

    async def story() -> None:
        async with raw(tmp_path, hang_up) as port, asker(tmp_path, port) as link:
            for _ in range(2):
                asked = (link.ask(str, "echo", str(number)) for number in range(20))
                ended = await asyncio.gather(*asked, return_exceptions=True)
                assert [type(each) for each in ended] == [ProcessorUnavailableError] * 20

    asyncio.run(story())


def test_a_stop_lets_calls_under_way_end(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def slow() -> str:
        began.set()
        await asyncio.sleep(0.3)
        return "done"

    async def story() -> None:
        async with serving(tmp_path, {"slow": Served(tuple[()], slow)}) as listener:
            link = linked(tmp_path, listener.port, 10.0)
            under_way = asyncio.create_task(link.ask(str, "slow"))
            await began.wait()
        assert await under_way == "done"
        await link.close()

    asyncio.run(story())


def test_an_idle_connection_is_not_used_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, ECHO) as listener, asker(tmp_path, listener.port) as link:
            await link.ask(str, "echo", "a")
            opening = link._openings[link._turn]
            assert opening is not None
            opening.result()._used_at -= asking.IDLE_SECONDS_MAX + 1
            assert not opening.result().is_open

    asyncio.run(story())


def test_a_slow_call_s_time_out_leaves_those_beside_it_their_answers(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path, WAIT) as listener, asker(tmp_path, listener.port, 1.0) as link:
            slow = asyncio.create_task(link.ask(str, "wait", "2"))
            await asyncio.sleep(0.7)
            beside = [link.ask(str, "wait", "0.6") for _ in range(CONNECTIONS)]
            assert await asyncio.gather(*beside) == ["0.6"] * CONNECTIONS
            with pytest.raises(ProcessorUnavailableError):
                await slow
            assert len(link._connections) == CONNECTIONS - 1

    asyncio.run(story())


def test_an_old_connection_takes_no_call_any_more_and_closes_when_its_last_one_has_ended(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with serving(tmp_path, WAIT) as listener, asker(tmp_path, listener.port) as link:
            under_way = [asyncio.create_task(link.ask(str, "wait", "0.5")) for _ in range(CONNECTIONS)]
            await asyncio.sleep(0.2)
            old = set(link._connections)
            ends = {round(connection._old_at - connection._used_at) for connection in old}
            assert len(ends) == CONNECTIONS
            for connection in old:
                connection._old_at -= max(ends) + 1
            await asyncio.gather(*(link.ask(str, "wait", "0") for _ in range(CONNECTIONS)))
            assert len(link._connections) == 2 * CONNECTIONS
            assert await asyncio.gather(*under_way) == ["0.5"] * CONNECTIONS
            await asyncio.sleep(0.1)
            assert len(link._connections - old) == len(link._connections) == CONNECTIONS

    asyncio.run(story())


def test_while_one_of_several_programs_stops_every_call_is_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            serving(tmp_path, WAIT, shared=True) as one,
            serving(tmp_path, WAIT, one.port, shared=True) as other,
            asker(tmp_path, one.port) as link,
        ):
            under_way = [asyncio.create_task(link.ask(str, "wait", "1")) for _ in range(CONNECTIONS)]
            await asyncio.sleep(0.3)
            stops = max(one, other, key=lambda listener: len(listener._connections))
            stops.should_exit = True
            ended: Counter[str] = Counter()
            for _ in range(100):
                ended[await asyncio.wait_for(link.ask(str, "wait", "0"), 1)] += 1
                await asyncio.sleep(0.003)
            assert ended == {"0": 100}
            assert await asyncio.gather(*under_way) == ["1"] * CONNECTIONS

    asyncio.run(story())


def test_what_was_not_begun_before_a_goodbye_is_asked_again_and_nothing_else(tmp_path: Path) -> None:
    heard: list[str] = []

    async def stop_after_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = not heard
        heard.append("")
        while call := await reader.readline():
            heard[-1] += json.loads(call)["params"][0]
            if is_first and len(heard[-1]) == 2:
                writer.write(line({"id": 1, "goodbye": True}) + line({"id": 1, "result": "first"}))
            elif not is_first:
                writer.write(line({"id": json.loads(call)["id"], "result": "again"}))

    async def story() -> None:
        async with raw(tmp_path, stop_after_one) as port, asker(tmp_path, port) as link:
            began = asyncio.create_task(link.ask(str, "echo", "a"))
            await asyncio.sleep(0.2)
            link._turn -= 1
            assert await link.ask(str, "echo", "b") == "again"
            assert await began == "first"

    asyncio.run(story())

    assert heard == ["ab", "b"]


def test_a_handshake_that_ends_after_the_stop_gets_a_goodbye_and_nothing_is_done(tmp_path: Path) -> None:
    done = []

    async def act(text: str) -> None:
        done.append(text)

    async def story() -> None:
        async with serving(tmp_path, {"act": Served(tuple[str], act)}) as listener:
            plain = socket.create_connection(("127.0.0.1", listener.port))
            plain.setblocking(False)
            await asyncio.sleep(0.1)
        context = client_context(tmp_path, "api", "internal")
        reader, writer = await asyncio.open_connection(sock=plain, ssl=context, server_hostname="127.0.0.1")
        writer.write(line({"id": 1, "method": "act", "params": ["x"]}))
        assert json.loads(await reader.readline()) == {"id": 0, "goodbye": True}
        assert await reader.read() == b""
        writer.transport.abort()

    asyncio.run(asyncio.wait_for(story(), 30))

    assert done == []


def test_a_stop_waits_for_calls_that_it_cancels(tmp_path: Path) -> None:
    ended = []

    async def act() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            ended.append("put away")

    async def story() -> None:
        async with serving(tmp_path, {"act": Served(tuple[()], act)}) as listener:
            link = linked(tmp_path, listener.port)
            asked = asyncio.create_task(link.ask(object, "act"))
            await asyncio.sleep(0.2)
        assert ended == ["put away"]
        with pytest.raises(ProcessorUnavailableError):
            await asked
        await link.close()

    asyncio.run(asyncio.wait_for(story(), 4 * answering.GRACE_SECONDS))


def test_a_stranger_s_certificate_gets_no_call(tmp_path: Path) -> None:
    heard = []

    async def hear(text: str) -> None:
        heard.append(text)

    async def story() -> None:
        ensure_certificates(tmp_path / "theirs", datetime.now(UTC))
        async with serving(tmp_path / "ours", {"hear": Served(tuple[str], hear)}) as listener:
            trusting = ssl.create_default_context(cafile=tmp_path / "ours" / "api" / "internal-ca.pem")
            trusting.load_cert_chain(tmp_path / "theirs" / "api" / "internal.pem")
            link = Link(
                f"127.0.0.1:{listener.port}",
                trusting,
                answer_seconds_max=10,
                silent=ProcessorUnavailableError,
            )
            with pytest.raises(ProcessorUnavailableError, match="no answer: "):
                await link.ask(object, "hear", "secret")
            await link.close()

    asyncio.run(story())

    assert heard == []
