"""What merchants, shoppers and analysts do in a story: a few payments at once, each its own way."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

from gateway.errors import GatewayError, UnavailableError
from gateway.payments.intents import Intent
from gateway.processor.card_input import CardInput, check
from gateway.requests import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    ListReviews,
    ReportLabel,
    RiskContextInput,
)
from tests.simulation.links import Link, NoAnswerError, NotThereError
from tests.simulation.processes import ViolationError
from tests.simulation.world import World

DOCUMENTED = ("4000000000009995", "4000000000000119", "4000000000004954", "5555555555554444")
"""Insufficient funds, a processing error, one of highest risk, and Mastercard's."""
CVC = "737"
CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")


async def a_random_story(world: World) -> None:
    """One to three payments, side by side."""
    random = Random(f"{world.seed}/story")
    shoppers = [Shopper(world, Random(random.random()), n) for n in range(random.choice((1, 1, 2, 3)))]
    await asyncio.gather(*(shopper.pay() for shopper in shoppers))


class Shopper:
    """One payment and all that is asked about it."""

    def __init__(self, world: World, random: Random, number: int) -> None:
        self._world = world
        self._random = random
        self._name = f"payment {number}"
        self._amount_minor = random.randrange(100, 90_000)
        self._status = ""
        self._at_tokens = Link(world, "to vault", world.processor, random, 30.0)

    async def pay(self) -> None:
        random = self._random
        await asyncio.sleep(random.choice((0, 0.1, 2)) * random.random())
        token = await self._token()
        if token is None:
            return
        method = random.choice(("automatic", "manual"))
        context = CONTEXT if random.random() < 0.8 else None
        body = CreateIntent(
            amount=self._amount_minor,
            currency="EUR",
            capture_method=method,
            payment_method=token,
            risk_context=context,
        )
        created = await self._ask(f"create {method}", lambda g, c: g.payments.create(c, body))
        if created is None:
            return
        self._id = created.id
        await self._confirm(token)
        for _ in range(random.choice((1, 2, 3, 5))):
            await asyncio.sleep(random.choice((0, 0, 0.3, 3)) * random.random())
            await self._step(token)
            self._world.require()

    async def _step(self, token: str) -> None:
        again = partial(self._confirm, token)
        likely: dict[str, tuple[Callable[[], Awaitable[None]], ...]] = {
            "requires_capture": (self._capture, self._capture, self._close_review, self._close_review),
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
        if self._random.random() < 0.15:
            return self._random.choice(DOCUMENTED)
        begun = f"40000276{self._random.randrange(10**7):07}"
        doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(begun)]
        total = sum(digit - 9 if digit > 9 else digit for digit in doubled)
        return f"{begun}{-total % 10}"

    async def _confirm(self, token: str) -> None:
        body = ConfirmIntent(payment_method=token)
        asked = [self._intent("confirm", lambda g, c: g.payments.confirm(c, self._id, body))]
        if self._random.random() < 0.15:
            asked.append(self._intent("confirm too", lambda g, c: g.payments.confirm(c, self._id, body)))
        await asyncio.gather(*asked)

    async def _capture(self) -> None:
        part = self._random.choice((None, None, self._amount_minor // 2, self._amount_minor + 1))
        body = CaptureIntent(amount_to_capture=part)
        await self._intent(f"capture {part}", lambda g, c: g.payments.capture(c, self._id, body))

    async def _cancel(self) -> None:
        if self._random.random() < 0.6:
            await self._intent("cancel", lambda g, c: g.payments.cancel(c, self._id, CancelIntent()))

    async def _close_review(self) -> None:
        found = await self._ask("list reviews", lambda g, c: g.reviews.list(c, ListReviews(open=None)))
        own = [review for review in (found or ([], False))[0] if review.payment_id == self._id]
        if own:
            verdict = self._random.choice(("approve", "approve", "reject"))
            await self._ask(verdict, lambda g, c: getattr(g.reviews, verdict)(c, own[0].id))

    async def _label(self) -> None:
        body = ReportLabel(payment_intent=self._id, kind="fraud_dispute", source="bank")
        await self._ask("label", lambda g, c: g.labels.report(c, body))

    async def _intent(self, what: str, call: Callable[[Any, Any], Awaitable[Intent]]) -> None:
        intent = await self._ask(what, call)
        if intent is not None:
            self._status = intent.status
            self._world.watch.heard(intent.id, intent.status, intent.version)

    async def _ask(self, what: str, call: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        """The answer, None where it is a refusal or where nobody could be reached for long."""

        async def called(gateway: Any) -> Any:
            return await call(gateway, await gateway.keys.authenticate(self._world.key, None))

        for _ in range(self._random.choice((1, 3))):
            try:
                answer = await self._world.till.ask(f"{what} {self._name}", called)
            except (NoAnswerError, NotThereError, UnavailableError) as error:
                self._world.tell(f"{self._name}: {what}: {type(error).__name__}")
                await asyncio.sleep(self._random.choice((0, 0.5, 2)))
            except GatewayError as error:
                self._world.tell(f"{self._name}: {what}: {getattr(error, 'code', error)}")
                return None
            except Exception as error:
                raise ViolationError(f"{what} failed: {error!r}") from error
            else:
                self._world.tell(f"{self._name}: {what}: {getattr(answer, 'status', 'done')}")
                return answer
        return None
