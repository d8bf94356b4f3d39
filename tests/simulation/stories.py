"""What merchants, shoppers and analysts do in a story: a few payments at once, each its own way."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

from gateway.errors import UnavailableError
from gateway.processor.card_input import CardInput, check
from tests.simulation import tills
from tests.simulation.links import Link, NoAnswerError, NotThereError
from tests.simulation.processes import ViolationError
from tests.simulation.tills import Answer
from tests.simulation.world import World

DOCUMENTED = ("4000000000009995", "4000000000000119", "4000000000004954", "5555555555554444")
"""Insufficient funds, a processing error, one of highest risk, and Mastercard's."""
CHALLENGED = (
    "4000002760003184",
    "4000000000003238",
    "4000008260003178",
    "4000008400001629",
    "4000008400001280",
)
"""The issuer wants a proof of the cardholder: twice it approves then, twice not, once there is none."""
TROUBLED = ("4000000000081044", "4000000000081051", "4000000000081069", "4000000000081077")
"""Half is approved; the issuer is down; the answer is lost; it is late."""
ADDRESSES = (
    "success@razorpay",
    "success@razorpay",
    "failure@razorpay",
    "late@weir",
    "never@weir",
    "twice@weir",
    "poor@weir",
    "down@weir",
)
"""UPI addresses whose payers do as is documented."""
CVC = "737"
CONTEXT = {"ip": "192.0.2.7", "device_id": "device-1", "email": "a@example.com"}
INTENTS = "/v1/payment_intents"
TRY_AGAIN = (409, 503)
STRAGGLERS_SECONDS_MAX = 60.0


async def a_random_story(world: World) -> None:
    """One to three payments, side by side; now and then it takes so long that what is left expires."""
    random = Random(f"{world.seed}/story")
    shoppers = [Shopper(world, Random(random.random()), n) for n in range(random.choice((1, 1, 2, 3)))]
    await asyncio.gather(*(shopper.pay() for shopper in shoppers))
    if random.random() < 0.3:
        # What was asked twice has come by then: idempotency keys are kept for a day, no longer.
        await asyncio.sleep(STRAGGLERS_SECONDS_MAX)
        world.tell("days pass")
        world.clock.advance(random.choice((6.5, 8)) * 24 * 3600)
        await asyncio.sleep(10 * random.random())


class Shopper:
    """One payment and all that is asked about it."""

    def __init__(self, world: World, random: Random, number: int) -> None:
        self._world = world
        self._random = random
        self._name = f"payment {number}"
        self._amount_minor = random.randrange(100, 90_000)
        self._status = ""
        self._asked = 0
        self._at_tokens = Link(world, "to vault", world.processor, random, 30.0)

    async def pay(self) -> None:
        random = self._random
        await asyncio.sleep(random.choice((0, 0.1, 2)) * random.random())
        self._address = random.choice(ADDRESSES) if random.random() < 0.15 else None
        token = None if self._address else await self._token()
        if token is None and self._address is None:
            return
        method = random.choice(("automatic", "manual"))
        body = {
            "amount": self._amount_minor,
            "currency": "inr" if self._address else "eur",
            "capture_method": method,
            "metadata": {"shopper": self._name},
        }
        if self._address:
            body["payment_method_types"] = ["upi"]
        else:
            body["payment_method"] = token
        if random.random() < 0.8:
            body["risk_context"] = CONTEXT
        if method == "automatic" and random.random() < 0.2:
            body["capture_delay_hours"] = 1
        created = await self._post(f"create {method}", INTENTS, body)
        if created is None or created.intent is None:
            return
        self._id = created.intent["id"]
        await self._confirm(token)
        for _ in range(random.choice((2, 3, 5, 7))):
            await asyncio.sleep(random.choice((0, 0, 0.3, 3)) * random.random())
            await self._step(token)
            self._world.require()

    async def _step(self, token: str | None) -> None:
        again = partial(self._confirm, token)
        likely: dict[str, tuple[Callable[[], Awaitable[Any]], ...]] = {
            "requires_capture": (self._capture, self._capture, self._close_review, self._increment),
            "succeeded": (self._label, self._cancel, self._capture),
            "requires_action": (self._cancel, again),
            "canceled": (self._label, self._capture),
        }
        any_deed = (self._capture, self._close_review, self._cancel, self._label, again)
        deeds = likely.get(self._status, (again,))
        deed = self._random.choice(deeds if self._random.random() < 0.7 else any_deed)
        await asyncio.gather(*(deed() for _ in range(2 if self._random.random() < 0.2 else 1)))

    async def _token(self) -> str | None:
        number = self._card_number()
        self._world.secrets.add(number.encode())
        now = self._world.clock.now()
        card = check(CardInput(number=number, exp_month=12, exp_year=2031, cvc=CVC), now)

        async def create(processor: Any) -> str:
            return str((await processor.tokens.create(self._world.key, card, now))["id"])

        for _ in range(3):
            try:
                return await self._at_tokens.ask("make a token", create)
            except (NoAnswerError, NotThereError, UnavailableError):
                await asyncio.sleep(0.5)
        return None

    def _card_number(self) -> str:
        """A card of its own, whose issuer decides by its account, or now and then a documented one."""
        if self._random.random() < 0.25:
            return self._random.choice(self._random.choice((DOCUMENTED, CHALLENGED, TROUBLED)))
        begun = f"40000276{self._random.randrange(10**7):07}"
        doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(begun)]
        total = sum(digit - 9 if digit > 9 else digit for digit in doubled)
        return f"{begun}{-total % 10}"

    async def _confirm(self, token: str | None) -> None:
        body: dict[str, Any] = {"return_url": "https://shop.example/back"}
        if self._address:
            body["payment_method_data"] = {"type": "upi", "upi": {"vpa": self._address}}
        else:
            body["payment_method"] = token
        at_once = 2 if self._random.random() < 0.15 else 1
        await asyncio.gather(*(self._on_intent("confirm", body) for _ in range(at_once)))

    async def _capture(self) -> None:
        part = self._random.choice((None, None, self._amount_minor // 2, self._amount_minor // 5, 10**9))
        body: dict[str, Any] = {} if part is None else {"amount_to_capture": part}
        if part is not None and self._random.random() < 0.6:
            body["final_capture"] = False
        await self._on_intent("capture", body)

    async def _increment(self) -> None:
        more = self._random.choice((100, 5000, 10**6))
        await self._on_intent("increment_authorization", {"amount": self._amount_minor + more})

    async def _cancel(self) -> None:
        if self._random.random() < 0.6:
            await self._on_intent("cancel", {})

    async def _close_review(self) -> None:
        found = await self._ask("reviews", lambda g: tills.get(g, "/v1/reviews", key=self._world.key))
        own = [r for r in (found.body["data"] if found else ()) if r["payment_intent"] == self._id]
        if own:
            verdict = self._random.choice(("approve", "approve", "reject"))
            await self._post(verdict, f"/v1/reviews/{own[0]['id']}/{verdict}", {})

    async def _label(self) -> None:
        body = {"payment_intent": self._id, "kind": "fraud_dispute", "source": "bank"}
        await self._post("label", "/v1/labels", body)

    async def _on_intent(self, verb: str, body: dict[str, Any]) -> None:
        answer = await self._post(verb, f"{INTENTS}/{self._id}/{verb}", body)
        if answer is not None and answer.intent is not None:
            self._status, self._amount_minor = answer.intent["status"], answer.intent["amount"]
            if not answer.replayed:
                self._world.watch.heard(self._id, self._status)

    async def _post(self, what: str, path: str, body: dict[str, Any]) -> Answer | None:
        """What is asked is asked under one key, however often."""
        self._asked += 1
        idempotency_key = f"{self._name}, question {self._asked}"
        self._world.watch.asked[self._name, what.partition(" ")[0]] += 1
        ask = partial(tills.post, path=path, body=body, key=self._world.key, idempotency_key=idempotency_key)
        return await self._ask(what, ask)

    async def _ask(self, what: str, ask: Callable[[Any], Awaitable[Answer]]) -> Answer | None:
        """The answer, None where it is a refusal or where nobody could be reached for long."""
        for _ in range(self._random.choice((1, 3))):
            try:
                answer = await self._world.till.ask(f"{what} {self._name}", ask)
            except (NoAnswerError, NotThereError) as error:
                self._world.tell(f"{self._name}: {what}: {type(error).__name__}")
                await asyncio.sleep(self._random.choice((0, 0.5, 2)))
                continue
            except Exception as error:
                raise ViolationError(f"{what} failed: {error!r}") from error
            told = answer.body.get("status", "done") if answer.status < 400 else answer.code
            self._world.tell(f"{self._name}: {what}: {answer.status} {told}{' again' * answer.replayed}")
            if answer.status == 500:
                raise ViolationError(f"{what} was answered with 500: {answer.body}")
            if answer.status not in TRY_AGAIN:
                return answer
            await asyncio.sleep(self._random.choice((0, 0.5, 2)))
        return None
