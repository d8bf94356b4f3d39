"""A payer at a wallet's page in a real Chromium: pays, and is back in the shop, which knows it already.

Without scripts, by keyboard alone, on a screen of 320 pixels, in the dark.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.http.listening import Listener, bind
from gateway.keys.tls import ensure_certificates, server_context
from gateway.processor_port import AccountToCharge
from simulator.acquirer.certificates import public_context
from simulator.rails.app import payers_app
from tests.processor_parts import Bench

pytestmark = pytest.mark.browser


class Street:
    """The wallet's pages and a shop, each at a port of its own, over TLS."""

    def __init__(self, keys: Path) -> None:
        self.bound = [bind("127.0.0.1", 0) for _ in range(2)]
        self.wallet, self.shop = (f"https://127.0.0.1:{one.getsockname()[1]}" for one in self.bound)
        self.contexts = (public_context(keys / "acquirer"), server_context(keys, "processor", "public"))
        self.listeners: list[Listener] = []

    async def open(self, ready: threading.Event) -> None:
        self.bench = Bench()
        account = AccountToCharge(method="wallet", provider="demo_wallet")
        answer = await self.bench.authorize(
            "pi_7_1", "pm_1", currency="INR", account=account, return_url=f"{self.shop}/done"
        )
        assert answer.action is not None
        self.page = f"{self.wallet}/orders/{answer.action.url.rpartition('/')[2]}"
        apps = (payers_app(self.bench.rails.switch, self._tell), Starlette(routes=[Route("/{all}", _shop)]))
        self.listeners = [Listener(*each) for each in zip(apps, self.bound, self.contexts, strict=True)]
        serving = asyncio.gather(*(listener.run_bound() for listener in self.listeners))
        while not all(listener.started for listener in self.listeners):
            await asyncio.sleep(0.01)
        ready.set()
        await serving

    async def _tell(self) -> None:
        await self.bench.rails.tell(self.bench.processor.rails.changed)


async def _shop(request: Request) -> Response:
    return HTMLResponse(f"<h1>The shop</h1><p>{request.query_params.get('payment_intent')}</p>")


@contextmanager
def street(keys: Path) -> Iterator[Street]:
    ensure_certificates(keys, datetime.now(UTC))
    found, ready = Street(keys), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(found.open(ready)))
    thread.start()
    try:
        assert ready.wait(60)
        yield found
    finally:
        for listener in found.listeners:
            listener.should_exit = True
        thread.join(60)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        java_script_enabled=False,
        ignore_https_errors=True,
        color_scheme="dark",
        viewport={"width": 320, "height": 640},
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("button", ["Pay", "Decline"])
def test_a_payer_decides_on_the_wallets_page_and_is_back_in_the_shop(
    tmp_path: Path, page: Page, button: str
) -> None:
    with street(tmp_path / "keys") as here:
        page.goto(here.page)
        expect(page.get_by_text("10.00 INR")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"

        while page.evaluate("document.activeElement.textContent") != button:
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", name="The shop")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("pi_7")).to_be_visible()
        assert here.bench.listener.told == ["pi_7_1"]
