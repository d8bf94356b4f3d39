"""The link to the acquirer over real TLS: answers in any order, silence, lost connections, strangers."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.clock import SystemClock
from gateway.keys.tls import client_context, ensure_certificates
from gateway.processor import messages
from gateway.processor.acquirer_link import AcquirerLink
from gateway.processor.errors import AcquirerSilentError, AcquirerUnreachableError
from gateway.processor.message_format import decode, encode, framed
from gateway.scheduling import ThreadScheduling
from simulator.acquirer.books import Books
from simulator.acquirer.certificates import server_context
from simulator.acquirer.network import Network
from simulator.acquirer.server import Server
from tests.processor_parts import carried

Answering = Callable[[dict[str, str], "Peer"], Awaitable[None]]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_certificates(folder, datetime.now(UTC))
    return folder


class Peer:
    """A network that signs everyone on and does with each other message what the test says."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.seen: list[dict[str, str]] = []
        self.connections = 0
        self.writer: asyncio.StreamWriter | None = None

    async def member(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer = writer
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                fields = decode(await reader.readexactly(length))
                self.seen.append(fields)
                if fields["t"] == "0800" and fields["70"] == "001":
                    self.reply(fields)
                else:
                    await self._answering(fields, self)
        except (EOFError, OSError):
            writer.close()

    def reply(self, fields: dict[str, str]) -> None:
        assert self.writer is not None
        known = {name: fields[name] for name in ("4", "7", "11", "37", "49", "70") if name in fields}
        answer = {**known, "t": messages.answer_type(fields["t"]), "39": "00"}
        self.writer.write(framed(encode(answer)))


@asynccontextmanager
async def linked(
    keys: Path,
    member: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    answer_seconds_max: float = 30.0,
    echo_every_seconds: float = 600.0,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[AcquirerLink]:
    listening = await asyncio.start_server(member, "127.0.0.1", 0, ssl=server_context(keys / "acquirer"))
    scheduling = ThreadScheduling()
    link = AcquirerLink(
        "127.0.0.1",
        listening.sockets[0].getsockname()[1],
        context=context or client_context(keys, "processor", "network"),
        clock=SystemClock(),
        scheduling=scheduling,
        answer_seconds_max=answer_seconds_max,
        echo_every_seconds=echo_every_seconds,
    )
    try:
        yield link
    finally:
        await link.close()
        await scheduling.stop()
        listening.close()


def question(stan: int) -> bytes:
    fields = {"t": "0100", "2": "4242424242424242", "3": "000000", "4": "000000001000", "7": "0105100000"}
    fields |= {"11": f"{stan:06}", "14": "3112", "32": "400001", "37": f"600510{stan:06}", "49": "978"}
    return encode(fields)


async def unheard(fields: dict[str, str], peer: Peer) -> None:
    raise AssertionError("nothing should have come this far")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_answers_that_come_in_another_order_find_their_questions(keys: Path) -> None:
    held: list[dict[str, str]] = []

    async def hold_all(fields: dict[str, str], peer: Peer) -> None:
        held.append(fields)
        if len(held) == 20:
            for fields_held in reversed(held):
                peer.reply(fields_held)

    async def run() -> None:
        peer = Peer(hold_all)
        async with linked(keys, peer.member) as link:
            answers = await asyncio.gather(*(link.exchange(question(n)) for n in range(1, 21)))
        assert [decode(answer)["11"] for answer in answers] == [f"{n:06}" for n in range(1, 21)]
        assert peer.connections == 1

    asyncio.run(run())


def test_no_answer_in_time_is_silence_and_a_late_one_is_dropped(keys: Path) -> None:
    late: list[dict[str, str]] = []

    async def hold_first(fields: dict[str, str], peer: Peer) -> None:
        if fields["11"] == "000001":
            late.append(fields)
        else:
            peer.reply(late[0])
            peer.reply(fields)

    async def run() -> None:
        async with linked(keys, Peer(hold_first).member, answer_seconds_max=0.5) as link:
            with pytest.raises(AcquirerSilentError):
                await link.exchange(question(1))
        async with linked(keys, Peer(hold_first).member) as link:
            assert decode(await link.exchange(question(2)))["11"] == "000002"

    asyncio.run(run())


def test_a_connection_that_breaks_leaves_its_questions_in_doubt_and_the_next_one_opens_anew(
    keys: Path,
) -> None:
    async def hang_up_once(fields: dict[str, str], peer: Peer) -> None:
        if peer.connections == 1:
            assert peer.writer is not None
            peer.writer.close()
        else:
            peer.reply(fields)

    async def run() -> None:
        peer = Peer(hang_up_once)
        async with linked(keys, peer.member) as link:
            with pytest.raises(AcquirerSilentError):
                await link.exchange(question(1))
            assert decode(await link.exchange(question(2)))["39"] == "00"
        assert peer.connections == 2

    asyncio.run(run())


def test_an_echo_that_does_not_come_back_closes_the_connection(keys: Path) -> None:
    async def ignore(fields: dict[str, str], peer: Peer) -> None:
        if fields["t"] == "0100":
            peer.reply(fields)

    async def run() -> None:
        peer = Peer(ignore)
        async with linked(keys, peer.member, answer_seconds_max=0.3, echo_every_seconds=0.05) as link:
            await link.exchange(question(1))
            await until(lambda: any(fields.get("70") == "301" for fields in peer.seen))
            await until(lambda: link.closed)
            await link.exchange(question(2))
        assert peer.connections == 2

    asyncio.run(run())


def test_an_acquirer_that_is_not_there_is_unreachable(keys: Path) -> None:
    async def run() -> None:
        scheduling = ThreadScheduling()
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        context = client_context(keys, "processor", "network")
        link = AcquirerLink("127.0.0.1", port, context=context, clock=SystemClock(), scheduling=scheduling)
        with pytest.raises(AcquirerUnreachableError):
            await link.exchange(question(1))
        await scheduling.stop()

    asyncio.run(run())


def test_many_that_wait_for_a_connection_share_its_failure(keys: Path) -> None:
    attempts = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    async def run() -> None:
        async with linked(keys, refuse) as link:
            asked = [link.exchange(question(n)) for n in range(1, 21)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {AcquirerUnreachableError}
        assert attempts < 20

    asyncio.run(run())


def test_the_network_lets_nobody_in_without_a_certificate_of_its_own(keys: Path) -> None:
    stranger = client_context(keys, "api", "internal")
    stranger.load_verify_locations(keys / "processor" / "network-ca.pem")

    async def run() -> None:
        async with linked(keys, Peer(unheard).member, context=stranger) as link:
            with pytest.raises(AcquirerUnreachableError):
                await link.exchange(question(1))

    asyncio.run(run())


def test_the_real_network_answers_many_at_once_in_few_commits(keys: Path, tmp_path: Path) -> None:
    async def run() -> None:
        books = Books(tmp_path / "acquirer.sqlite")
        server = Server(Network(books, SystemClock(), b"secret"))
        working = asyncio.create_task(server.work())
        async with linked(keys, server.member) as link:
            answers = await asyncio.gather(*(link.exchange(question(n)) for n in range(1, 101)))
        assert {decode(answer)["39"] for answer in answers} == {"00"}
        assert len(books.states()) == 100
        working.cancel()
        await asyncio.wait([working])
        books.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "first", [question(1), b"\x00" * 8, encode({"t": "0800", "7": "0105100000", "11": "000001", "70": "301"})]
)
def test_the_real_network_hears_nobody_who_has_not_signed_on(keys: Path, first: bytes) -> None:
    async def run() -> None:
        books = Books(":memory:")
        server = Server(Network(books, SystemClock(), b"secret"))
        listening = await asyncio.start_server(
            server.member, "127.0.0.1", 0, ssl=server_context(keys / "acquirer")
        )
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            listening.sockets[0].getsockname()[1],
            ssl=client_context(keys, "processor", "network"),
        )
        writer.write(framed(first))
        assert await reader.read() == b""
        assert books.states() == []
        writer.close()
        listening.close()
        books.close()

    asyncio.run(run())


def test_a_question_is_not_altered_on_its_way(keys: Path) -> None:
    async def run() -> None:
        peer = Peer(echo)
        async with linked(keys, peer.member) as link:
            await link.exchange(question(5))
        assert encode(carried(peer.seen[-1])) == question(5)

    async def echo(fields: dict[str, str], peer: Peer) -> None:
        peer.reply(fields)

    asyncio.run(run())


def test_the_first_message_on_a_connection_is_the_sign_on(keys: Path) -> None:
    async def answer(fields: dict[str, str], peer: Peer) -> None:
        peer.reply(fields)

    async def run() -> None:
        peer = Peer(answer)
        async with linked(keys, peer.member) as link:
            await link.exchange(question(5))
        assert [(fields["t"], fields.get("70")) for fields in peer.seen] == [("0800", "001"), ("0100", None)]

    asyncio.run(run())
