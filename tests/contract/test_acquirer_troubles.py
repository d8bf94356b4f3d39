"""What goes wrong between processor and network: late answers, nonsense, issuers that are down, echoes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.clock import SystemClock
from gateway.errors import ProcessorUnavailableError
from gateway.keys.tls import client_context, ensure_certificates
from gateway.processor.acquirer_link import AcquirerLink
from gateway.processor.errors import AcquirerSilentError, MisfitAnswerError
from gateway.processor.message_format import decode, encode, framed
from gateway.processor.messages import read_answer
from gateway.scheduling import ThreadScheduling
from simulator.acquirer.books import Books
from simulator.acquirer.certificates import server_context
from simulator.acquirer.network import Network
from simulator.acquirer.server import Server
from tests.contract.test_acquirer_link import Peer, linked, question, until
from tests.processor_parts import Bench, Line, carried, in_one_thread

HALF, ISSUER_DOWN = "4000000000081044", "4000000000081051"
SILENCE, LATE_ANSWER = "4000000000081069", "4000000000081077"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_certificates(folder, datetime.now(UTC))
    return folder


@pytest.mark.parametrize("number", [SILENCE, LATE_ANSWER])
@in_one_thread
async def test_an_approval_that_nobody_hears_in_time_is_reversed_on_both_sides(number: str) -> None:
    bench = Bench()

    answer = await bench.authorize("a", await bench.token(number))
    before = await bench.states()
    await bench.repeat()

    assert (answer.status, before) == ("reversed", {"approved": 1})
    assert bench.line.types == ["0100", "0420"]
    assert await bench.states() == {"reversed": 1}


@pytest.mark.parametrize(
    ("amount_minor", "currency", "expected"),
    [(5_000, "USD", "approved"), (5_001, "USD", "processing_error"), (4_546, "EUR", "processing_error")],
)
@in_one_thread
async def test_for_an_issuer_that_is_down_the_network_approves_small_amounts(
    amount_minor: int, currency: str, expected: str
) -> None:
    bench = Bench()

    answer = await bench.authorize("a", await bench.token(ISSUER_DOWN), amount_minor, currency)

    assert (answer.decline_code or answer.status) == expected


@in_one_thread
async def test_of_a_card_that_approves_the_half_the_half_is_kept_only_where_it_is_welcome() -> None:
    bench = Bench()
    token = await bench.token(HALF)

    kept = await bench.authorize("kept", token, 1001, partial_authorization=True)
    given_back = await bench.authorize("given back", token, 1001)
    nothing = await bench.authorize("nothing", token, 1)
    await bench.repeat()

    assert (kept.status, kept.authorized_minor) == ("approved", 500)
    assert (given_back.status, given_back.decline_code) == ("declined", "insufficient_funds")
    assert nothing.decline_code == "insufficient_funds"
    assert await bench.states() == {"approved": 1, "reversed": 1, "declined": 1}


@pytest.mark.parametrize("number", [HALF, ISSUER_DOWN, SILENCE, LATE_ANSWER])
@in_one_thread
async def test_nothing_goes_wrong_by_itself_with_a_live_payment(number: str) -> None:
    bench = Bench()

    answer = await bench.authorize("a", await bench.token(number), 10_000, mode="live")

    assert (answer.status, answer.authorized_minor) == ("approved", 10_000)


@in_one_thread
async def test_the_refund_of_one_documented_card_is_accepted_when_it_is_told_again_of_another_never() -> None:
    bench = Bench()
    for name, number in (("pends", "4000000000007726"), ("fails", "4000000000005126")):
        await bench.authorize(name, await bench.token(number))
        await bench.capture(name)

    with pytest.raises(ProcessorUnavailableError):
        await bench.refund("pends", 400)
    pended, failed = await bench.refund("pends", 400), await bench.refund("fails", 400)

    assert (pended.operation, pended.refunded_minor) == ("accepted", 400)
    assert (failed.operation, failed.refunded_minor) == ("refused", 0)
    assert await bench.refund("fails", 400) == failed


@asynccontextmanager
async def real_network(keys: Path, **timing: float) -> AsyncIterator[tuple[AcquirerLink, Books]]:
    """The real network behind a real link: `late_seconds`, `answer_seconds_max`, `idle_seconds_max`."""
    books = Books(":memory:")
    network = Network(books, SystemClock(), b"issuers", late_seconds=timing.get("late_seconds", 60.0))
    server = Server(network, idle_seconds_max=timing.get("idle_seconds_max", 60.0))
    working = asyncio.create_task(server.work())
    listening = await asyncio.start_server(
        server.member, "127.0.0.1", 0, ssl=server_context(keys / "acquirer")
    )
    scheduling = ThreadScheduling()
    link = AcquirerLink(
        "127.0.0.1",
        listening.sockets[0].getsockname()[1],
        context=client_context(keys, "processor", "network"),
        clock=SystemClock(),
        scheduling=scheduling,
        answer_seconds_max=timing.get("answer_seconds_max", 30.0),
    )
    try:
        yield link, books
    finally:
        await link.close()
        await scheduling.stop()
        listening.close()
        working.cancel()
        await asyncio.wait([working])


def test_a_late_success_over_the_real_link_is_dropped_and_reversed(keys: Path) -> None:
    class RealLine(Line):
        link: AcquirerLink

        async def exchange(self, message: bytes) -> bytes:
            self.sent.append(decode(message))
            return await self.link.exchange(message)

    async def run() -> None:
        async with real_network(keys, late_seconds=0.8, answer_seconds_max=0.5) as (link, books):
            bench = Bench(line=RealLine, books=books)
            bench.line.link = link  # type: ignore[attr-defined]  # the line given above

            answer = await bench.authorize("a", await bench.token(LATE_ANSWER))
            await asyncio.sleep(0.5)
            await bench.repeat()

            assert answer.status == "reversed"
            assert books.states() == ["reversed"]
            assert bench.processor.advices.waiting == 0
            assert not link.closed

    asyncio.run(run())


def test_an_answer_whose_header_can_be_read_fits_no_question_and_costs_no_other_its_connection(
    keys: Path,
) -> None:
    async def cut_short(fields: dict[str, str], peer: Peer) -> None:
        whole = encode({"t": "0110", "7": fields["7"], "11": fields["11"], "37": fields["37"], "39": "00"})
        assert peer.writer is not None
        peer.writer.write(framed(whole[:-1]) if fields["11"] == "000001" else framed(whole))

    async def run() -> None:
        peer = Peer(cut_short)
        async with linked(keys, peer.member) as link:
            with pytest.raises(MisfitAnswerError):
                read_answer(question(1), await link.exchange(question(1)))
            await link.exchange(question(2))
        assert peer.connections == 1

    asyncio.run(run())


def test_an_answer_that_nobody_can_be_found_for_ends_the_connection(keys: Path) -> None:
    async def nonsense(fields: dict[str, str], peer: Peer) -> None:
        assert peer.writer is not None
        peer.writer.write(framed(b"0110 nonsense"))

    async def run() -> None:
        async with linked(keys, Peer(nonsense).member) as link:
            with pytest.raises(AcquirerSilentError):
                await link.exchange(question(1))
            await until(lambda: link.closed)

    asyncio.run(run())


@pytest.mark.parametrize(("cut_bytes", "response"), [(0, "00"), (1, "30")])
def test_the_network_may_ask_for_an_echo_too(keys: Path, cut_bytes: int, response: str) -> None:
    heard: list[dict[str, str]] = []

    async def ask_back(fields: dict[str, str], peer: Peer) -> None:
        if fields["t"] == "0810":
            heard.append(fields)
            return
        asked = encode({"t": "0800", "7": "0105100000", "11": "000077", "70": "301"})
        assert peer.writer is not None
        peer.writer.write(framed(asked[: len(asked) - cut_bytes]))
        peer.reply(fields)

    async def run() -> None:
        async with linked(keys, Peer(ask_back).member) as link:
            await link.exchange(question(1))
            await until(lambda: bool(heard))
        assert (heard[0]["11"], heard[0]["39"]) == ("000077", response)

    asyncio.run(run())


def test_the_network_answers_a_message_that_it_cannot_read_where_it_knows_the_header(keys: Path) -> None:
    async def run() -> None:
        async with real_network(keys) as (link, books):
            unreadable = encode({**carried(decode(question(7))), "48": "9"})
            assert decode(await link.exchange(unreadable))["39"] == "30"
            assert books.states() == []
            assert decode(await link.exchange(question(8)))["39"] == "00"

    asyncio.run(run())


def test_a_member_that_says_nothing_for_long_is_let_go(keys: Path) -> None:
    async def run() -> None:
        async with real_network(keys, idle_seconds_max=0.3) as (link, _):
            await link.exchange(question(1))
            await until(lambda: link.closed)
            assert decode(await link.exchange(question(2)))["39"] == "00"

    asyncio.run(run())
