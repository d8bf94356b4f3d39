"""`POST /pay` in a story: a merchant's program that signs in by name and password, and pays in one call."""

import asyncio
from functools import partial
from random import Random
from typing import Any

from tests.gateway_world import MERCHANT, PASSWORD
from tests.simulation import tills
from tests.simulation.asking import CVC, Asking
from tests.simulation.disks import USER
from tests.simulation.ways_to_pay import ADDRESSES, card_number
from tests.simulation.world import World


class Counter(Asking):
    """One or two payments by `POST /pay`."""

    def __init__(self, world: World, random: Random, number: int) -> None:
        super().__init__(world, random, f"counter {number}")

    async def pay(self) -> None:
        random = self.random
        signed_in = await self.post("signin", "/signin", {"username": USER, "password": PASSWORD})
        if signed_in is None or signed_in.status != 200:
            return
        for _ in range(random.choice((1, 1, 2))):
            self.world.watch.asked[None, "create"] += 1
            self.world.watch.asked[None, "confirm"] += 1
            ask = partial(
                tills.pay, body=self._body(), token=signed_in.body["token"], idempotency_key=self.question()
            )
            at_once = 2 if random.random() < 0.2 else 1
            await asyncio.gather(*(self.ask_processor("pay", ask) for _ in range(at_once)))
            await asyncio.sleep(random.choice((0, 0.3, 3)) * random.random())
            self.world.require()

    def _body(self) -> dict[str, Any]:
        random = self.random
        method = random.choice(("credit_card", "credit_card", "credit_card", "upi", "wallet", "net_banking"))
        return {
            "method": method,
            "merchant_id": MERCHANT.id,
            "amount": f"{random.randrange(100, 90_000) / 100:.2f}",
            "currency": "EUR" if method == "credit_card" else "INR",
            "return_url": "https://shop.example/back",
            **self._instrument(method),
        }

    def _instrument(self, method: str) -> dict[str, Any]:
        if method == "upi":
            return {"upi": {"vpa": self.random.choice(ADDRESSES)}}
        if method == "credit_card":
            number = card_number(self.random)
            self.world.secrets.add(number.encode())
            return {"card": {"number": number, "expiry": "12/31", "cvv": CVC}}
        account = f"Acc{self.random.randrange(10**9):09}"
        self.world.secrets.add(account.encode())
        if method == "wallet":
            return {"wallet": {"wallet_id": account}}
        return {"net_banking": {"bank_code": "DEMO", "account": account}}
