"""API and processor over real HTTP in a thread of their own, with real network and issuers behind them."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import iso4217
import msgspec
from stdnum import luhn

from events.clock import SystemClock
from events.money import AMOUNT_MINOR_MAX
from gateway.api.application import make_application
from gateway.api.pay_desk import pay_desk
from gateway.event_recorder import EventRecorder
from gateway.http.listening import Listener, bind, serve_until
from gateway.http.operations import Operation
from gateway.people.merchants import MerchantSettings, Plan, update_merchant
from gateway.processor import authentication_rows
from gateway.processor.card_input import CardInput, check
from gateway.processor_port import TokenRegistered, TokenRegistration, TokenRegistry
from gateway.rate_limits import Limiter
from gateway.scheduling import InlineScheduling
from tests.gateway_world import MERCHANT, PASSWORD, START, World, make_user
from tests.processor_parts import Bench

T = TypeVar("T")

_ISSUED = "400002760"
"""A range of cards that no documented outcome overrides; each card is used once, as issuers count."""
HELD = "4000000000009235"
CHALLENGED = "4000000000003220"
TOKEN_SECONDS = 300.0
"""A third of what an access token is good for."""
START_SECONDS_MAX = 60


class LateRegistry:
    """The API's registry, named after the processor that needs it was made."""

    registry: TokenRegistry

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        return await self.registry.register(registration)


class LivingApi:
    """Where both listeners are, who may ask, and ways to bring resources into states that operations need."""

    def __init__(self, world: World, bench: Bench, ports: dict[str, int]) -> None:
        self.world, self.bench = world, bench
        self._cards = 0
        self._loop = asyncio.get_running_loop()
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.key = world.keys["test"]
        self.credentials = {"username": "ada", "password": PASSWORD}
        self._signed_in_at = 0.0
        self._access_token = ""
        self.http = httpx2.Client(
            base_url=self.urls["api"],
            headers={"authorization": f"Bearer {self.key}"},
            trust_env=False,
            timeout=30,
        )

    def authorization(self, one: Operation) -> dict[str, str]:
        """The header of who may ask for the operation."""
        if one.open_to_all:
            return {}
        return {
            "Authorization": f"Bearer {self.access_token() if 'access_token' in one.security else self.key}"
        }

    def access_token(self) -> str:
        """The token of who signed in, renewed long before it ends."""
        if time.monotonic() > self._signed_in_at + TOKEN_SECONDS:
            self._access_token = str(self.http.post("/signin", json=self.credentials).json()["token"])
            self._signed_in_at = time.monotonic()
        return self._access_token

    def kept(self) -> Iterator[bytes]:
        """All that both have written: files, the processor's store, and the log."""
        yield from (path.read_bytes() for path in self.world.folder.rglob("*") if path.is_file())
        yield self.run(self.bench.store.transact(lambda db: db.serialize()))
        yield from (record.value or b"" for record in self.world.log.written)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the API's loop, from the test's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def token(self, number: str | None = None) -> str:
        """A token of a card that is in the vault: this one, or a new one."""
        return self.run(self._token(number or self.card()))

    def intent(self, *steps: str, number: str | None = None, **members: Any) -> dict[str, Any]:
        """An intent with a token, after these steps."""
        body = {"amount": 1250, "currency": "eur", "payment_method": self.token(number), **members}
        answer = self._post("", body)
        for step in steps:
            path = f"/v1/payment_intents/{answer['id']}/{step}"
            told = self.http.post(path, json={})
            # Some cards do not pay here: then another one does.
            while told.status_code == 402:
                told = self.http.post(path, json={"payment_method": self.token(number)})
            assert told.status_code == 200, told.text
            answer = dict(told.json())
        return answer

    def method(self) -> dict[str, Any]:
        """A payment method that nobody has kept."""
        body = {"type": "card", "card": {"token": self.token()}}
        return dict(self.http.post("/v1/payment_methods", json=body).json())

    def review(self) -> dict[str, Any]:
        """An open review."""
        held = self.intent("confirm", number=HELD)
        return dict(self.http.get(f"/v1/reviews/{held['review']}").json())

    def payer(self) -> str:
        """The secret in the address that a cardholder comes back to from the issuer's page."""
        attempt_id = self.intent("confirm", number=CHALLENGED)["id"] + "_1"
        found = self.bench.store.transact(lambda db: authentication_rows.find(db, attempt_id))
        row = self.run(found)
        assert row is not None
        return row.secret

    def card(self) -> str:
        """The number of a card that nobody has used."""
        self._cards += 1
        digits = f"{_ISSUED}{self._cards:06}"
        return digits + luhn.calc_check_digit(digits)

    async def _token(self, number: str) -> str:
        now = self.bench.clock.now()
        card = check(CardInput(number=number, exp_month=12, exp_year=2031, cvc="737"), now)
        return str((await self.bench.processor.tokens.create(self.key, card, now))["id"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(f"/v1/payment_intents{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def take_any_amount(world: World, plan: Plan) -> None:
    """No limit but the document's: else nearly every amount that fits it would be refused."""
    most = {one.code: AMOUNT_MINOR_MAX for one in iso4217.Currency if one.exponent is not None}
    merchant = msgspec.structs.replace(MERCHANT, settings=MerchantSettings(plan=plan, limit_per_payment=most))
    recorder = EventRecorder(world.entropy)
    await world.store.write(lambda c: update_merchant(c, recorder, merchant, at=START, actor="test"))


@contextmanager
def living_api(folder: Path, limiter: Limiter | None = None) -> Iterator[LivingApi]:
    """Serve until the block ends; fails where a loop of the gateway dies meanwhile.

    With a `limiter` the merchant has the least plan.
    """
    ready, told = threading.Event(), {}

    async def live() -> None:
        stop = told["stop"] = asyncio.Event()
        told["loop"] = asyncio.get_running_loop()
        registry, scheduling = LateRegistry(), InlineScheduling()
        bench = Bench(scheduling=scheduling, clock=SystemClock(), registry=registry)
        # Nothing here dies, so nothing need wait for the disk.
        world = World(folder, scheduling=scheduling, deadline_seconds=5, synchronous="OFF")
        world.processor = bench.cards  # type: ignore[assignment]  # the port's real side
        world.own_per_second, world.limiter = 10_000, limiter
        world.failures_max = 10**6
        async with world:
            registry.registry = world.gateway.tokens
            scheduling.spawn(bench.processor.keep_house(scheduling), "processor")
            bench.listener.passes_on = world.gateway.payer_steps
            applications = {
                "api": make_application(world.gateway),
                "processor": bench.public(desk=pay_desk(world.gateway)).app(),
            }
            listeners = {name: Listener(one, bind("127.0.0.1", 0)) for name, one in applications.items()}

            await make_user(world, "ada")
            await take_any_amount(world, "scale" if limiter is None else "standard")

            def announce() -> None:
                told["api"] = LivingApi(world, bench, {name: one.port for name, one in listeners.items()})
                ready.set()

            await serve_until(stop, [*listeners.values()], announce)
            assert not world.failed.is_set(), "a loop of the gateway died"

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="living-api")
    thread.start()
    assert ready.wait(START_SECONDS_MAX), "the API did not start"
    try:
        yield told["api"]
    finally:
        told["api"].http.close()
        told["loop"].call_soon_threadsafe(told["stop"].set)
        thread.join()
