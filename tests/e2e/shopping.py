"""The traffic of the kill tests: every kind of payment, sign-ins and labels, by shoppers side by side."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tests.e2e.merchant import Merchant

SHOPPERS = 3
BETWEEN = timedelta(minutes=30)
"""Business time from one payment to the next: the learner publishes by the hour."""
ELEVATED, BLOCKED, DECLINED = "4000000000009235", "4100000000000019", "4000000000000002"
CHALLENGED = "4000000000003220"
DOCUMENTED = {
    "approved": ELEVATED,
    "rejected": ELEVATED,
    "declined": DECLINED,
    "blocked": BLOCKED,
    "challenged": CHALLENGED,
}
"""The test card of a kind of payment; the others have cards of their own."""
KINDS = (
    "automatic",
    "put_off",
    "manual_full",
    "manual_part",
    "manual_canceled",
    "approved",
    "rejected",
    "declined",
    "blocked",
    "challenged",
    "upi",
    "manual_upi",
    "never_confirmed",
)
UPI = {"type": "upi", "upi": {"vpa": "twice@weir"}}
"""Of a payer who approves at once, which is told twice."""
LAST = 999_999
LABELS = ("confirmed_genuine", "fraud_dispute", "early_fraud_warning", "other_dispute")


def card_number(dice: random.Random) -> str:
    """A number that no documented test card has, with its check digit (ISO/IEC 7812-1)."""
    body = [int(digit) for digit in "40000276"] + [dice.randrange(10) for _ in range(7)]
    doubled = [digit * 2 - 9 * (digit > 4) if at % 2 == 0 else digit for at, digit in enumerate(body)]
    return "".join(map(str, body)) + str(-sum(doubled) % 10)


class Shopping:
    """Shoppers who buy until told to stop; each payment goes the way of its kind as far as answers allow."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self._merchant = merchant
        self._dice = random.Random(seed)
        self._begun = 0
        self.finished: Counter[str] = Counter()

    async def until(self, enough: Callable[[], bool], kinds: Sequence[str] = KINDS) -> None:
        """Buy until `enough`; what is under way then is brought to its end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SHOPPERS):
                group.create_task(self._shopper(enough, kinds))

    async def buy(self, count: int) -> None:
        """That many payments more."""
        wanted = self._begun + count
        await self.until(lambda: self._begun >= wanted)

    async def close_the_day(self) -> None:
        """One payment hours later, whose label makes the learner learn all that came before it."""
        self._merchant.pass_time(timedelta(hours=3))
        await self._purchase(LAST, "automatic", label="other_dispute")

    async def _shopper(self, enough: Callable[[], bool], kinds: Sequence[str]) -> None:
        while not enough():
            number, self._begun = self._begun, self._begun + 1
            kind = kinds[number % len(kinds)]
            self._merchant.pass_time(BETWEEN)
            await self._purchase(number, kind)
            self.finished[kind] += 1
            await asyncio.sleep(0.05)

    async def _purchase(self, number: int, kind: str, label: str | None = None) -> None:
        shopper = self._shopper_facts(number)
        await self._merchant.sign_in(self._sign_in(shopper, number))
        payment = await self._merchant.create(self._body(shopper, kind))
        if kind == "never_confirmed":
            await self._merchant.pay_as_nobody()
            await self._merchant.change(payment, {"description": "a basket that is left standing"})
            await self._merchant.step(payment, "cancel", {"cancellation_reason": "abandoned"})
            return
        intent = await self._merchant.confirm(payment, await self._paying(kind))
        if intent["status"] == "requires_action":
            intent = await self._merchant.send_to_bank(payment, intent)
        if intent["status"] == "requires_capture" and intent["capture_at"] is None:
            await self._follow(payment, intent, kind)
        await self._merchant.label(payment, label or LABELS[number % len(LABELS)])

    async def _paying(self, kind: str) -> str:
        """The id of what pays."""
        if kind.endswith("upi"):
            return await self._merchant.kept_method(UPI)
        token = await self._merchant.token(self._card(kind))
        card = {"type": "card", "card": {"token": token}}
        return await self._merchant.kept_method(card) if kind == "automatic" else token

    async def _follow(self, payment: str, intent: dict[str, Any], kind: str) -> None:
        if intent["review"] is not None:
            verb = "reject" if kind == "rejected" else "approve"
            intent = await self._merchant.close_review(payment, intent["review"], verb)
            if intent["status"] != "requires_capture":
                return
        if kind == "manual_canceled":
            await self._merchant.step(payment, "cancel", {"cancellation_reason": "requested_by_customer"})
        elif kind in ("manual_part", "manual_upi"):
            if kind == "manual_part":
                more = {"amount": intent["amount"] + 100}
                await self._merchant.step(payment, "increment_authorization", more)
            await self._merchant.step(payment, "capture", {"amount_to_capture": intent["amount"] // 2})
        else:
            await self._merchant.step(payment, "capture", {})

    def _card(self, kind: str) -> str:
        documented = {
            "approved": ELEVATED,
            "rejected": ELEVATED,
            "declined": DECLINED,
            "blocked": BLOCKED,
            "challenged": CHALLENGED,
        }
        return documented.get(kind) or card_number(self._dice)

    def _shopper_facts(self, number: int) -> dict[str, str]:
        return {
            "ip": f"198.18.{112 + number // 250 % 16}.{number % 250 + 1}",
            "device_id": f"device-{self._dice.getrandbits(48):012x}",
            "email": f"shopper{number}@example.com",
        }

    def _sign_in(self, shopper: dict[str, str], number: int) -> dict[str, Any]:
        kind = "sign_in_failed" if number % 5 == 0 else "sign_in"
        return {"type": kind, "customer": f"customer-{number}", **shopper}

    def _body(self, shopper: dict[str, str], kind: str) -> dict[str, Any]:
        return {
            "amount": self._dice.randrange(500, 9_000),
            **({"capture_delay_hours": 1} if kind == "put_off" else {}),
            "currency": "inr" if kind.endswith("upi") else "eur",
            "capture_method": "manual" if kind.startswith("manual") else "automatic",
            "risk_context": {
                **shopper,
                "user_agent": "Mozilla/5.0",
                "billing_address": {"country": "DE"},
                "items": [{"quantity": 1}],
            },
        }
