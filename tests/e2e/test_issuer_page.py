"""A cardholder at the issuer's page in a real Chromium: to the code, back over the processor, into the shop.

Without scripts, by keyboard alone, on a screen of 320 pixels, in the dark.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.http.listening import Listener, bind
from gateway.keys.tls import server_context
from gateway.processor.payer_pages import payer_route
from gateway.processor.routing import application
from simulator.acquirer.certificates import public_context
from simulator.acs.app import pages_app
from tests.e2e.street import open_street, shop
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
            shop(),
        )
        contexts = (public_context(keys / "acquirer"), own, own)
        self.listeners = [
            Listener(app, bound, context)
            for app, bound, context in zip(applications, self.bound, contexts, strict=True)
        ]

    async def prepare(self) -> Sequence[Listener]:
        answer = await self.bench.authorize(
            "pi_7_1", await self.bench.token(CHALLENGED), return_url=f"{self.shop}/done", merchant_name="Tea"
        )
        assert answer.action is not None
        self.page = f"{self.issuer}/challenges/{answer.action.url.rpartition('/')[2]}"
        return self.listeners


def test_a_cardholder_confirms_with_a_code_and_is_back_in_the_shop(tmp_path: Path, narrow_page: Page) -> None:
    with open_street(tmp_path / "keys", Street) as here:
        narrow_page.goto(here.page)
        expect(narrow_page.get_by_text("10.00 EUR")).to_be_visible()
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        assert narrow_page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
        expect(narrow_page.get_by_label("Code")).to_be_focused()

        narrow_page.keyboard.type("123")
        narrow_page.keyboard.press("Enter")
        expect(narrow_page.get_by_role("alert")).to_have_text("That code is not right. 2 tries are left.")

        expect(narrow_page.get_by_label("Code")).to_be_focused()
        narrow_page.keyboard.press("Tab")
        narrow_page.keyboard.press("Tab")
        expect(narrow_page.get_by_role("button", name="Send another code")).to_be_focused()
        narrow_page.keyboard.press("Enter")
        expect(narrow_page.get_by_role("status")).to_have_text("Another code was sent.")

        narrow_page.keyboard.type("4815")
        narrow_page.keyboard.press("Enter")

        expect(narrow_page.get_by_role("heading", name="The shop")).to_be_visible(timeout=30_000)
        expect(narrow_page.get_by_text("pi_7")).to_be_visible()
        assert here.bench.books.states().count("approved") == 1


def test_a_cardholder_who_cancels_is_back_in_the_shop_and_has_paid_nothing(
    tmp_path: Path, narrow_page: Page
) -> None:
    with open_street(tmp_path / "keys", Street) as here:
        narrow_page.goto(here.page)
        narrow_page.get_by_role("button", name="Cancel the payment").press("Enter")

        expect(narrow_page.get_by_role("heading", name="The shop")).to_be_visible(timeout=30_000)
        assert "approved" not in here.bench.books.states()
