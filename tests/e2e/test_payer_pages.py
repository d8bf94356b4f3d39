"""A payer at a wallet's page in a real Chromium: pays, and is back in the shop, which knows it already.

Without scripts, by keyboard alone, on a screen of 320 pixels, in the dark.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.http.listening import Listener, bind
from gateway.keys.tls import server_context
from gateway.processor_port import AccountToCharge
from simulator.acquirer.certificates import public_context
from simulator.rails.app import payers_app
from tests.e2e.street import open_street, shop
from tests.processor_parts import Bench

pytestmark = pytest.mark.browser


class Street:
    """The wallet's pages and a shop, each at a port of its own, over TLS."""

    def __init__(self, keys: Path) -> None:
        self.bound = [bind("127.0.0.1", 0) for _ in range(2)]
        self.wallet, self.shop = (f"https://127.0.0.1:{one.getsockname()[1]}" for one in self.bound)
        self.contexts = (public_context(keys / "acquirer"), server_context(keys, "processor", "public"))

    async def prepare(self) -> Sequence[Listener]:
        self.bench = Bench()
        account = AccountToCharge(method="wallet", provider="demo_wallet")
        answer = await self.bench.authorize(
            "pi_7_1", "pm_1", currency="INR", account=account, return_url=f"{self.shop}/done"
        )
        assert answer.action is not None
        self.page = f"{self.wallet}/orders/{answer.action.url.rpartition('/')[2]}"
        apps = (payers_app(self.bench.rails.switch, self._tell), shop())
        return [Listener(*each) for each in zip(apps, self.bound, self.contexts, strict=True)]

    async def _tell(self) -> None:
        await self.bench.rails.tell(self.bench.processor.rails.changed)


@pytest.mark.parametrize("button", ["Pay", "Decline"])
def test_a_payer_decides_on_the_wallets_page_and_is_back_in_the_shop(
    tmp_path: Path, narrow_page: Page, button: str
) -> None:
    with open_street(tmp_path / "keys", Street) as here:
        narrow_page.goto(here.page)
        expect(narrow_page.get_by_text("10.00 INR")).to_be_visible()
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        assert narrow_page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"

        while narrow_page.evaluate("document.activeElement.textContent") != button:
            narrow_page.keyboard.press("Tab")
        narrow_page.keyboard.press("Enter")

        expect(narrow_page.get_by_role("heading", name="The shop")).to_be_visible(timeout=30_000)
        expect(narrow_page.get_by_text("pi_7")).to_be_visible()
        assert here.bench.listener.told == ["pi_7_1"]
