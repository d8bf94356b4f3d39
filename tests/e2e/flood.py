"""Two merchants at one platform: one pays at a steady pace, the other floods. Who was answered what?

Both send on time whatever is unanswered (an open loop), from an address of their own, each request a whole
payment under an idempotency key of its own. What was refused is not sent again: it must have left nothing.
"""

import asyncio
import ssl
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp
import msgspec

from simulator.traffic.population import with_check_digit
from tests.e2e.lean_http import LeanClient

SETUP_AT_ONCE = 8
CONNECTIONS_MAX = 200
"""Of one merchant: below what a listener lets one address have."""

PATIENCE_SECONDS = 60.0
PATIENCE = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
RECOVERED_IN_A_ROW = 10
"""So many payments, one after another, that were let in and answered in good time."""

TAKEN = (200, 402)


@dataclass
class Answers:
    """What became of requests, by the seconds from when each was due."""

    statuses: Counter[str] = field(default_factory=Counter)
    taken_seconds: list[float] = field(default_factory=list)
    refused_seconds: list[float] = field(default_factory=list)
    after_seconds: Counter[str] = field(default_factory=Counter)
    intents: set[str] = field(default_factory=set)
    fallbacks: int = 0
    in_doubt: list[str] = field(default_factory=list)
    """Keys of requests of which nobody knows what became: neither taken nor refused by Weir's own word."""

    @property
    def offered(self) -> int:
        """How many were sent."""
        return self.statuses.total()

    @property
    def refused(self) -> int:
        """How many were told to come again."""
        return self.statuses["overloaded"]


class Shop:
    """One merchant, paying with cards that it keeps tokens of."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        lean: LeanClient,
        api: str,
        processor: str,
        first_card: int,
    ) -> None:
        self._client = client
        self._lean = lean
        self._api, self._processor = api, processor
        self._cards = first_card
        self._tokens: deque[str] = deque()
        self.all_intents: set[str] = set()
        """Of whatever was ever taken."""

    async def stock(self, count: int) -> None:
        """Have so many tokens of cards that nobody has used."""
        gate = asyncio.Semaphore(SETUP_AT_ONCE)

        async def make() -> None:
            async with gate:
                while (token := await self._token()) is None:
                    await asyncio.sleep(1)
                self._tokens.append(token)

        await asyncio.gather(*(make() for _ in range(count - len(self._tokens))))

    async def offer(self, per_second: float, seconds: float) -> Answers:
        """Pay at this rate, whatever is answered; returns when all has been answered."""
        answers, start = Answers(), time.perf_counter()
        sent: list[asyncio.Task[None]] = []
        for place in range(int(per_second * seconds)):
            due = start + place / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sent.append(asyncio.create_task(self._pay(answers, due)))
        await asyncio.gather(*sent)
        return answers

    async def at_once(self, callers: int, seconds: float) -> Answers:
        """Pay with so many callers, each again as soon as it has an answer (a closed loop)."""
        answers, end = Answers(), time.perf_counter() + seconds

        async def call() -> None:
            while time.perf_counter() < end:
                await self._pay(answers, time.perf_counter())

        await asyncio.gather(*(call() for _ in range(callers)))
        return answers

    async def recovery_seconds(self, good_seconds: float, seconds_max: float) -> float:
        """How long until payments are let in again and answered within `good_seconds`, one after another."""
        start, last_bad = time.perf_counter(), time.perf_counter()
        in_a_row = 0
        while in_a_row < RECOVERED_IN_A_ROW and time.perf_counter() - start < seconds_max:
            answers = Answers()
            await self._pay(answers, time.perf_counter())
            good = bool(answers.taken_seconds) and answers.taken_seconds[0] <= good_seconds
            in_a_row = in_a_row + 1 if good else 0
            last_bad = last_bad if good else time.perf_counter()
            await asyncio.sleep(0.05)
        return last_bad - start

    async def listed(self) -> list[str]:
        """The ids of all intents that the platform has of this merchant."""
        found: list[str] = []
        more = True
        while more:
            after = f"&starting_after={found[-1]}" if found else ""
            async with self._client.get(f"{self._api}/v1/payment_intents?limit=100{after}") as response:
                if response.status == 503:
                    await asyncio.sleep(1)
                    continue
                page = await response.json()
            found += [each["id"] for each in page["data"]]
            more = page["has_more"]
        return found

    async def _pay(self, answers: Answers, due: float) -> None:
        token = self._tokens.popleft() if self._tokens else await self._token()
        if token is None:
            answers.statuses["overloaded"] += 1
            answers.refused_seconds.append(time.perf_counter() - due)
            return
        key = uuid4().hex
        body = {"amount": 1250, "currency": "eur", "payment_method": token, "confirm": True}
        body["risk_context"] = {"device_id": f"device-{token}", "email": f"{token}@example.org"}
        try:
            status, headers, told = await self._lean.post("/v1/payment_intents", body, key)
        except (OSError, TimeoutError) as error:
            answers.statuses[type(error).__name__] += 1
            answers.in_doubt.append(key)
            return
        answer = msgspec.json.decode(told)
        if status in TAKEN:
            intent = answer["error"]["payment_intent"] if status == 402 else answer
            answers.statuses["taken"] += 1
            answers.taken_seconds.append(time.perf_counter() - due)
            answers.intents.add(intent["id"])
            self.all_intents.add(intent["id"])
            answers.fallbacks += bool(intent["not_assessed"])
            return
        self._tokens.append(token)
        code = str(answer["error"]["code"])
        answers.statuses["overloaded" if code == "too_many_connections" else code] += 1
        answers.refused_seconds.append(time.perf_counter() - due)
        answers.after_seconds[headers.get("retry-after", "")] += 1

    async def _token(self) -> str | None:
        """A token of one more card; None where it was refused as too much."""
        self._cards += 1
        card = {"exp_month": 12, "exp_year": 2031, "cvc": "123"}
        card["number"] = with_check_digit(f"40000276{self._cards:07}")
        async with self._client.post(f"{self._processor}/v1/tokens", json={"card": card}) as response:
            if response.status == 503:
                return None
            response.raise_for_status()
            return str((await response.json())["id"])


@asynccontextmanager
async def shop(
    key: str, *, api: str, processor: str, ca: str, address: str, first_card: int
) -> AsyncIterator[Shop]:
    """A merchant's shop, whose connections come from this address of the machine."""
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(cafile=ca), limit=CONNECTIONS_MAX, local_addr=(address, 0)
    )
    headers = {"authorization": f"Bearer {key}"}
    lean = LeanClient(
        api, headers, address=address, connections_max=CONNECTIONS_MAX, seconds_max=PATIENCE_SECONDS
    )
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=PATIENCE) as client:
        yield Shop(client, lean, api, processor, first_card)
        lean.close()
