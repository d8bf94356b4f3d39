"""Processor and rails over TLS: questions one way, notices the other, and nobody else let in."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from events.clock import SystemClock
from gateway.http.listening import Listener, bind
from gateway.keys.tls import client_context, ensure_certificates, server_context
from gateway.processor.errors import RailsSilentError
from gateway.processor.rail_notices import NOTICES_PER_SECOND, rail_route
from gateway.processor.rails_link import HttpRails
from gateway.processor.rails_port import RailQuestion
from gateway.processor.routing import application
from gateway.processor_port import AccountToCharge
from simulator.acquirer.certificates import server_context as network_context
from simulator.rails.app import members_app, tell_due
from simulator.rails.books import RailsBooks
from simulator.rails.notices import Notices
from simulator.rails.switch import Switch
from tests.gateway_world import Counter
from tests.processor_parts import Bench, in_one_thread

ASKED = RailQuestion(
    order_id="pi_1_1",
    method="upi",
    provider="razorpay",
    handle="twice@weir",
    amount_minor=500,
    currency="INR",
    merchant="m_1",
    is_test=True,
)


@asynccontextmanager
async def listening(*listeners: Listener) -> AsyncIterator[None]:
    serving = asyncio.gather(*(listener.run_bound() for listener in listeners))
    while not all(listener.started for listener in listeners):
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        for listener in listeners:
            listener.should_exit = True
        await serving


def at(listener: Listener) -> str:
    return f"https://127.0.0.1:{listener.port}"


class Pair:
    """Rails behind their listener, and the certificates of both sides."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys"
        ensure_certificates(self.keys, datetime.now(UTC))
        self.books = RailsBooks(":memory:")
        self.switch = Switch(self.books, SystemClock(), Counter())
        app = members_app(self.switch, "https://pages")
        self.listener = Listener(app, bind("127.0.0.1", 0), network_context(self.keys / "acquirer"))
        self.link = HttpRails(at(self.listener), client_context(self.keys, "processor", "network"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@in_one_thread
async def test_an_order_is_opened_found_refunded_and_given_back_over_the_network(folder: Path) -> None:
    pair = Pair(folder)
    async with listening(pair.listener):
        unknown = await pair.link.find("pi_1_1")
        opened = await pair.link.open(ASKED)
        found = await pair.link.find("pi_1_1")
        refunded = [await pair.link.refund("pi_1_1", "r", 200) for _ in range(2)]
        moved_minor = pair.books.moved_minor()
        after = await pair.link.give_back(ASKED)
        await pair.link.close()

    assert unknown is None
    assert opened == found
    assert (opened.state, refunded, moved_minor) == ("paid", [True, True], 300)
    assert after.returned_minor == 500


@in_one_thread
async def test_rails_that_are_not_there_or_speak_otherwise_are_silent(folder: Path) -> None:
    pair = Pair(folder)
    with pytest.raises(RailsSilentError):
        await pair.link.open(ASKED)
    async with listening(pair.listener):
        with pytest.raises(RailsSilentError):
            await pair.link.refund("no order's id", "r", 1)
        await pair.link.close()


@in_one_thread
async def test_nobody_without_a_members_certificate_asks_the_rails(folder: Path) -> None:
    pair = Pair(folder)
    stranger = ssl.create_default_context(cafile=str(pair.keys / "processor" / "network-ca.pem"))
    async with (
        listening(pair.listener),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=stranger)) as session,
    ):
        with pytest.raises((aiohttp.ClientError, OSError)):
            async with session.get(f"{at(pair.listener)}/orders/pi_1_1") as response:
                await response.read()
        await pair.link.close()


@in_one_thread
async def test_a_notice_makes_the_processor_ask_the_rails_and_tell_the_api(folder: Path) -> None:
    keys, bench = folder / "keys", Bench()
    ensure_certificates(keys, datetime.now(UTC))
    account = AccountToCharge(method="upi", provider="okbank", handle="ada@okbank")
    await bench.authorize("pi_1_1", "pm_1", currency="INR", account=account)
    bench.rails.payer("pi_1_1", "pay")
    app = application([rail_route(bench.processor.rails, bench.clock)])
    public = Listener(app, bind("127.0.0.1", 0), server_context(keys, "processor", "public"))
    notices = Notices(f"{at(public)}/rails/notices", keys / "acquirer")
    async with listening(public):
        await tell_due(bench.rails.switch, notices.tell)
        of_nobody = await notices.tell("pi_9_1")
        flood = [await notices.tell("pi_9_1") for _ in range(NOTICES_PER_SECOND)]
    too_late = await notices.tell("pi_1_1")
    await notices.close()

    assert bench.listener.told == ["pi_1_1"]
    assert bench.rails.switch.due_notices() == []
    assert (of_nobody, too_late) == (True, False)
    assert flood.count(True) == NOTICES_PER_SECOND - 2
    assert (await bench.processor.port.find("pi_1_1")).status == "approved"
