"""What merchants, shoppers and analysts do in a story: a few payments at once, each its own way."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.simulation.asking import Asking
from tests.simulation.counters import Counter
from tests.simulation.tills import Answer
from tests.simulation.ways_to_pay import COUNTRIES, METHODS, Way, card_number, half_of_it, some_way
from tests.simulation.world import World

CONTEXT = {"ip": "192.0.2.7", "device_id": "device-1", "email": "a@example.com"}
CONSENT = {"customer_acceptance": {"type": "online", "text_version": "1"}}
INTENTS = "/v1/payment_intents"
RETURN_URL = "https://shop.example/back"
STRAGGLERS_SECONDS_MAX = 60.0

Deed = Callable[[], Awaitable[Any]]


async def a_random_story(world: World) -> None:
    """One to three payments, side by side; now and then it takes so long that what is left expires."""
    random = Random(f"{world.seed}/story")
    payers = [_payer(world, Random(random.random()), n) for n in range(random.choice((1, 1, 2, 3)))]
    await asyncio.gather(*(payer.pay() for payer in payers))
    if random.random() < 0.3:
        # What was asked twice has come by then: idempotency keys are kept for a day, no longer.
        await asyncio.sleep(STRAGGLERS_SECONDS_MAX)
        world.tell("days pass")
        world.clock.advance(random.choice((6.5, 8)) * 24 * 3600)
        await asyncio.sleep(10 * random.random())


def _payer(world: World, random: Random, number: int) -> "Shopper | Counter":
    return random.choices((Counter, Guest, Shopper), (2, 3, 15))[0](world, random, number)


class Shopper(Asking):
    """One payment and all that is asked about it; now and then another one with what was kept of it."""

    def __init__(self, world: World, random: Random, number: int) -> None:
        super().__init__(world, random, f"payment {number}")
        self._amount_minor = random.randrange(100, 90_000)
        self._status = ""
        self._part = Random(f"{world.seed}/{self.name}/part").random()

    async def pay(self) -> None:
        random = self.random
        await asyncio.sleep(random.choice((0, 0.1, 2)) * random.random())
        way = await (half_of_it(self) if self._part < 0.1 else some_way(self))
        if way is None:
            return
        self._way = way
        self._keeps = way.type == "card" and random.random() < 0.25
        created = await self._create(self._body())
        if created is None or created.intent is None:
            return
        self._id, self._secret = created.intent["id"], created.intent["client_secret"]
        self._hear(created)
        if self._status == "requires_confirmation" and random.random() < 0.1:
            await self._update()
        await self._confirm()
        for _ in range(random.choice((2, 3, 5, 7))):
            await asyncio.sleep(random.choice((0, 0, 0.3, 3)) * random.random())
            await self._step()
            self.world.require()
        if self._keeps and self._status == "succeeded":
            await self._pay_again()

    def _body(self) -> dict[str, Any]:
        random, way = self.random, self._way
        method = random.choice(("automatic", "manual"))
        body = {
            "amount": self._amount_minor,
            "currency": way.currency,
            "capture_method": method,
            "metadata": {"shopper": self.name},
        }
        if way.type != "card":
            body["payment_method_types"] = [way.type]
        if way.customer or self._keeps:
            body["customer"] = way.customer or f"customer of {self.name}"
        if "payment_method" in way.given and random.random() < 0.9:
            body |= way.given
        if random.random() < 0.8:
            body["risk_context"] = CONTEXT
        if method == "automatic" and random.random() < 0.2:
            body["capture_delay_hours"] = 1
        if self._part < 0.08 or self._part > 0.8:
            body["payment_method_options"] = {"card": {"request_partial_authorization": "if_available"}}
        if Random(f"{self.world.seed}/{self.name}/confirmation").random() < 0.25:
            # What its payer approves waits for a second confirm, which some never send.
            body["confirmation_method"] = "manual"
        if random.random() < 0.15:
            body |= {"confirm": True} | self._confirmation()
        return body

    async def _create(self, body: dict[str, Any]) -> Answer | None:
        self.world.watch.asked[self.name, "confirm"] += body.get("confirm", False)
        return await self.post(f"create {body['capture_method']}", INTENTS, body)

    def _confirmation(self) -> dict[str, Any]:
        body = {"return_url": RETURN_URL, **self._way.given}
        if self._keeps:
            body |= {"setup_future_usage": "off_session", "mandate_data": CONSENT}
        return body

    async def _step(self) -> None:
        likely: dict[str, tuple[Deed, ...]] = {
            "requires_capture": (self._capture, self._capture, self._close_review, self._increment),
            "succeeded": (self._label, self._cancel, self._capture),
            "requires_action": (self._cancel, self._confirm),
            "requires_payment_method": (self._confirm, self._confirm, self._update),
            "requires_confirmation": (self._confirm, self._confirm, self._update),
            "canceled": (self._label, self._capture),
        }
        any_deed = (
            *(self._capture, self._close_review, self._cancel, self._label, self._confirm),
            *(self._update, self._detach),
        )
        deeds = likely.get(self._status, (self._confirm,))
        deed = self.random.choice(deeds if self.random.random() < 0.7 else any_deed)
        await asyncio.gather(*(deed() for _ in range(2 if self.random.random() < 0.2 else 1)))

    async def _confirm(self) -> None:
        body, key = self._confirmation(), None
        if self.random.random() < 0.2:
            # From the shopper's browser.
            key, body = self.world.keys.publishable, {**body, "client_secret": self._secret}
        at_once = 2 if self.random.random() < 0.15 else 1
        await asyncio.gather(*(self._on_intent("confirm", body, key) for _ in range(at_once)))

    async def _update(self) -> None:
        changes: dict[str, Any] = self.random.choice(
            (
                {"amount": self.random.randrange(100, 90_000)},
                {"metadata": {"order": "7"}},
                {"description": "tea"},
            )
        )
        self._heard(await self.post("update", f"{INTENTS}/{self._id}", changes))

    async def _capture(self) -> None:
        part = self.random.choice((None, None, self._amount_minor // 2, self._amount_minor // 5, 10**9))
        body: dict[str, Any] = {} if part is None else {"amount_to_capture": part}
        if part is not None and self.random.random() < 0.6:
            body["final_capture"] = False
        await self._on_intent("capture", body)

    async def _increment(self) -> None:
        more = self.random.choice((100, self._amount_minor // 8, self._amount_minor // 5, 5000, 10**6))
        await self._on_intent("increment_authorization", {"amount": self._amount_minor + more})

    async def _cancel(self) -> None:
        if self.random.random() < 0.6:
            await self._on_intent("cancel", {})

    async def _close_review(self) -> None:
        found = await self.get("reviews", "/v1/reviews")
        own = [r for r in (found.body["data"] if found else ()) if r["payment_intent"] == self._id]
        if own:
            verdict = self.random.choice(("approve", "approve", "reject"))
            await self.post(verdict, f"/v1/reviews/{own[0]['id']}/{verdict}", {})

    async def _label(self) -> None:
        body = {"payment_intent": self._id, "kind": "fraud_dispute", "source": "bank"}
        await self.post("label", "/v1/labels", body)

    async def _detach(self) -> None:
        if self._way.customer:
            await self.post("detach", f"{METHODS}/{self._way.given['payment_method']}/detach", {})

    async def _pay_again(self) -> None:
        """Without the shopper, with the method that the first payment left."""
        customer = f"customer of {self.name}"
        kept = await self.get("methods", f"{METHODS}?customer={customer.replace(' ', '%20')}")
        if kept is None or kept.status != 200 or not kept.body["data"]:
            return
        self._way = Way("card", {"payment_method": kept.body["data"][0]["id"]}, customer)
        body = {"amount": 700, "currency": "eur", "capture_method": "automatic", "customer": customer}
        body |= {"metadata": {"shopper": self.name}, "confirm": True, "off_session": True}
        paid = await self._create(body | self._way.given)
        is_sent_off = paid is not None and paid.intent is not None and paid.intent["next_action"] is not None
        assert not is_sent_off, f"the absent shopper of {self.name} is sent off"

    async def _on_intent(self, verb: str, body: dict[str, Any], key: str | None = None) -> None:
        self._heard(await self.post(verb, f"{INTENTS}/{self._id}/{verb}", body, key=key))

    def _heard(self, answer: Answer | None) -> None:
        if answer is not None and answer.intent is not None:
            self._hear(answer)
            if not answer.replayed:
                self.world.watch.heard(self._id, self._status)

    def _hear(self, answer: Answer) -> None:
        assert answer.intent is not None
        self._status, self._amount_minor = answer.intent["status"], answer.intent["amount"]


class Guest(Shopper):
    """At a hotel: an estimate is authorized, more comes on top of it, and in the end all is taken."""

    async def pay(self) -> None:
        random = self.random
        token = await self.token_of(card_number(random, random.choice(COUNTRIES)))
        if token is None:
            return
        self._way, self._keeps = Way("card", {"payment_method": token}), False
        body = self._body() | self._confirmation() | {"confirm": True, "capture_method": "manual"}
        body.pop("capture_delay_hours", None)
        created = await self._create(body)
        if created is None or created.intent is None:
            return
        self._id = created.intent["id"]
        self._hear(created)
        for deed in (self._increment, self._close_review, self._increment, self._capture_all):
            await asyncio.sleep(random.choice((0.3, 3, 30)) * random.random())
            self._heard(await self.get("look", f"{INTENTS}/{self._id}"))
            await deed()
            self.world.require()

    async def _capture_all(self) -> None:
        await self._on_intent("capture", {})
