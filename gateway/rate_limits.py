"""How often one may ask: moving windows of a second, counted in this process or, for several, in Redis.

`/v1` by the merchant's plan; signing in and `/pay`, where guesses are worth most, far less.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter as AsyncMovingWindow
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from events.clock import Clock
from events.personal import mac
from gateway.auth import Caller
from gateway.counting import MemoryLimiter
from gateway.errors import HomeError
from gateway.http.origins import counted_as
from gateway.people.errors import RateLimitedError
from gateway.people.merchants import Plan

PER_SECOND: Mapping[Plan, int] = {"standard": 100, "growth": 500, "scale": 5000}
"""Requests a second to `/v1`, of one merchant in one mode."""

OWN_PER_SECOND = 5
"""Of one merchant to `/pay`, and to `/signin` of one merchant's people, with one name or from one address."""

PUBLISHABLE_PER_SECOND = 10
"""Of one address with one merchant's publishable keys: a shopper's page asks a few times in all."""

CONNECTIONS_MAX = 4
"""More take longer to open at once than they save: a question takes Redis well under a millisecond."""

ANSWER_SECONDS_MAX = 0.25
"""How long Redis may take: a payment is not to wait for what counts it."""

AWAY_SECONDS = 1.0
"""After a question without answer, Redis is left alone so long: not every request waits for it."""

MEMORY = "memory"
_REDIS = re.compile(r"rediss?://([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?(/[0-9]{1,3})?")


class Limiter(Protocol):
    """Counts; never raises. Of requests at once no more than `per_second` are let through in any second."""

    async def let(self, key: str, per_second: int) -> bool: ...

    async def close(self) -> None: ...


class RedisLimiter:
    """Counts in Redis, for all processes together; where it gives no answer in time, in this process alone.

    There each of several processes lets through its part, so that a Redis that is away, which the log tells,
    neither stops payments nor multiplies limits.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        password: str | None = None,
        processes: int = 1,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            # Tried once: whoever waits for a second try waits for a payment.
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=answer_seconds_max,
            **({"password": password} if password else {}),
        )
        pool: Any = self._pool  # declared as text or number, documented as a pool
        storage = RedisStorage(url, implementation="redispy", connection_pool=pool)
        self._windows = AsyncMovingWindow(storage)
        self._meanwhile = MemoryLimiter(clock, processes)
        self._clock = clock
        self._answer_seconds_max = answer_seconds_max
        self._away_until = float("-inf")
        self._is_away = False
        self._log = structlog.get_logger("gateway")

    async def let(self, key: str, per_second: int) -> bool:
        """Whether one more may pass."""
        if self._clock.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(self._answer_seconds_max):
                    passes = await self._windows.hit(RateLimitItemPerSecond(per_second), key)
            except (RedisError, OSError, TimeoutError) as error:
                self._leave_alone(error)
            else:
                self._back()
                return passes
        return await self._meanwhile.let(key, per_second)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    def _leave_alone(self, error: Exception) -> None:
        self._away_until = self._clock.monotonic() + AWAY_SECONDS
        if not self._is_away:
            self._log.warning(
                "Redis gives no answer: each process counts requests by itself", error=type(error).__name__
            )
        self._is_away = True

    def _back(self) -> None:
        if self._is_away:
            self._log.warning("Redis answers again: requests are counted together")
        self._is_away = False


def open_limiter(url: str, keys: Path, clock: Clock, processes: int = 1) -> Limiter:
    """`memory`, or `redis://HOST:PORT[/DB]`, whose password, if any, stands in `KEYS/api/redis-password`."""
    if url == MEMORY:
        return MemoryLimiter(clock, processes)
    file = keys / "api" / "redis-password"
    password = file.read_text().strip() if file.exists() else None
    return RedisLimiter(url, clock, password=password, processes=processes)


def require_usable(url: str) -> str:
    """The URL; raises `HomeError` where it names no kind of counting, or holds a password."""
    if url != MEMORY and not _REDIS.fullmatch(url):
        raise HomeError(
            "--rate-limits takes memory, or redis://HOST:PORT[/DB] without a password, which other programs "
            "would see: write it into api/redis-password in the folder of --keys"
        )
    return url


class RateLimits:
    """Who may ask how often. Names and addresses are counted under keyed hashes, never as they are."""

    def __init__(self, limiter: Limiter, secret: bytes, *, own_per_second: int = OWN_PER_SECOND) -> None:
        self._limiter = limiter
        self._secret = secret
        self._own_per_second = own_per_second

    async def admit(self, caller: Caller, address: str | None = None) -> None:
        """A request to `/v1`; raises `RateLimitedError`.

        Those with a publishable key have a window of their own: anybody may send them, and shall not use up
        the merchant's; and each address has a small one, so that no shopper uses up the others'.
        """
        if caller.publishable and address is not None:
            of = f"v1:pk:{caller.mode}:{caller.merchant_id}:{self._hashed(counted_as(address))}"
            await self._require(of, PUBLISHABLE_PER_SECOND)
        kind = "pk" if caller.publishable else "sk"
        await self._require(f"v1:{kind}:{caller.mode}:{caller.merchant_id}", PER_SECOND[caller.plan])

    async def admit_pay(self, merchant_id: str) -> None:
        """A request to `/pay`; raises `RateLimitedError`."""
        await self._require(f"pay:{merchant_id}", self._own_per_second)

    async def admit_sign_in(self, name: str, address: str | None) -> None:
        """A try to sign in; raises `RateLimitedError`."""
        await self._require(f"name:{self._hashed(name.lower())}", self._own_per_second)
        if address is not None:
            await self._require(f"address:{self._hashed(counted_as(address))}", self._own_per_second)

    async def lets_sign_in(self, merchant_id: str) -> bool:
        """Whether one more of a merchant's people may sign in; each try with one of their names counts."""
        return await self._limiter.let(f"signin:{merchant_id}", self._own_per_second)

    async def close(self) -> None:
        """Close what counts."""
        await self._limiter.close()

    async def _require(self, key: str, per_second: int) -> None:
        if not await self._limiter.let(key, per_second):
            raise RateLimitedError()

    def _hashed(self, text: str) -> str:
        return mac(self._secret, f"rate:{text}".encode()).hex()[:32]
