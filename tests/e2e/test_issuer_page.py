"""A cardholder at the issuer's page in a real Chromium: to the code, back over the processor, into the shop.

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
from gateway.processor.payer_pages import payer_route
from gateway.processor.routing import application
from simulator.acquirer.certificates import public_context
from simulator.acs.app import pages_app
from tests.processor_parts import Bench

pytestmark = pytest.mark.browser

CHALLENGED = "4000000000003220"


class Street:
    """The issuer's pages, the processor's public listener and a shop, each at a port of its own, over TLS."""

    def __init__(self, keys: Path) -> None:
        self.bound = [bind("127.0.0.1", 0) for _ in range(3)]
        self.issuer, processor, self.shop = (
            f"https://127.0.0.1:{one.getsockname()[1]}" for one in self.bound
        )
        self.bench = Bench(return_base=processor)
        own = server_context(keys, "processor", "public")
        applications = (
            pages_app(self.bench.issuers),
            application([payer_route(self.bench.cards)]),
            Starlette(routes=[Route("/{all}", _shop)]),
        )
        contexts = (public_context(keys / "acquirer"), own, own)
        self.listeners = [
            Listener(app, bound, context)
            for app, bound, context in zip(applications, self.bound, contexts, strict=True)
        ]

    async def open(self, ready: threading.Event) -> None:
        answer = await self.bench.authorize(
            "pi_7_1", await self.bench.token(CHALLENGED), return_url=f"{self.shop}/done", merchant_name="Tea"
        )
        assert answer.action is not None
        self.page = f"{self.issuer}/challenges/{answer.action.url.rpartition('/')[2]}"
        serving = asyncio.gather(*(listener.run_bound() for listener in self.listeners))
        while not all(listener.started for listener in self.listeners):
            await asyncio.sleep(0.01)
        ready.set()
        await serving


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


def test_a_cardholder_confirms_with_a_code_and_is_back_in_the_shop(tmp_path: Path, page: Page) -> None:
    with street(tmp_path / "keys") as here:
        page.goto(here.page)
        expect(page.get_by_text("10.00 EUR")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
        expect(page.get_by_label("Code")).to_be_focused()

        page.keyboard.type("123")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("That code is not right. 2 tries are left.")

        expect(page.get_by_label("Code")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Send another code")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Another code was sent.")

        page.keyboard.type("4815")
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", name="The shop")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("pi_7")).to_be_visible()
        assert here.bench.books.states().count("approved") == 1


def test_a_cardholder_who_cancels_is_back_in_the_shop_and_has_paid_nothing(
    tmp_path: Path, page: Page
) -> None:
    with street(tmp_path / "keys") as here:
        page.goto(here.page)
        page.get_by_role("button", name="Cancel the payment").press("Enter")

        expect(page.get_by_role("heading", name="The shop")).to_be_visible(timeout=30_000)
        assert "approved" not in here.bench.books.states()
