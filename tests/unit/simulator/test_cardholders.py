"""What simulated payers do at the page of their card's issuer."""

import asyncio
from itertools import count

import httpx2
import pytest

from events.clock import VirtualClock
from simulator.acs.app import pages_app
from simulator.acs.books import ChallengeBooks
from simulator.acs.directory import Directory, Question
from simulator.traffic.cardholder import answer_challenge
from simulator.traffic.population import CHALLENGED_CARDS
from simulator.traffic.steps import Reaction
from tests.gateway_world import START

SHOP = "https://shop.test/back?payment=1&more=2"


@pytest.mark.parametrize("card", CHALLENGED_CARDS)
@pytest.mark.parametrize(
    ("reaction", "status"),
    [("right_code", "authenticated"), ("wrong_code", "failed"), ("leaves", "abandoned")],
)
def test_a_payer_passes_fails_or_leaves_and_takes_the_way_back(
    card: str, reaction: Reaction, status: str
) -> None:
    numbers = count(1)
    directory = Directory(
        ChallengeBooks(":memory:"), VirtualClock(START), lambda size: next(numbers).to_bytes(size), b"issuers"
    )
    asked = Question("t1", card, 1250, "EUR", "Books", return_url=SHOP, is_test=True)
    secret = directory.look_up(asked).secret
    visited: list[str] = []

    async def story() -> None:
        transport = httpx2.ASGITransport(pages_app(directory))
        async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as browser:

            async def send(address: str, form: dict[str, str] | None) -> str:
                visited.append(address)
                if form is None:
                    return ""
                return (await browser.post(address, data=form)).text

            await answer_challenge(f"https://issuer.test/challenges/{secret}", reaction, send)

    asyncio.run(story())

    assert directory.find("t1").status == status
    assert visited[-1] == SHOP
