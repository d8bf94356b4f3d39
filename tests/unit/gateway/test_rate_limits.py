"""How often one may ask: by plan, name and address; in memory and in a real Redis, also when it is away."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import structlog
from redis.asyncio import Redis

from events.clock import SystemClock, VirtualClock
from gateway.api.application import make_application
from gateway.auth import Caller
from gateway.counting import KEYS_MAX, FailuresByAddress, MemoryLimiter
from gateway.errors import HomeError
from gateway.event_recorder import EventRecorder
from gateway.people.errors import RateLimitedError
from gateway.people.merchants import MerchantSettings, update_merchant
from gateway.rate_limits import (
    AWAY_SECONDS,
    PUBLISHABLE_PER_SECOND,
    Limiter,
    RateLimits,
    RedisLimiter,
    open_limiter,
    require_usable,
)
from tests.gateway_world import MERCHANT, PASSWORD, START, World, live_virtually, make_user
from tests.redis_server import RedisServer

Story = Callable[[httpx2.AsyncClient, World], Awaitable[None]]


def served(folder: Path, story: Story, failures_max: int = 100) -> None:
    """The API in this process for a merchant of the least plan."""

    async def live() -> None:
        # No second ends before a test has asked all that it asks in one, however busy the machine.
        world = World(folder, clock=VirtualClock(START))
        world.failures_max = failures_max
        async with world:
            small = msgspec.structs.replace(MERCHANT, settings=MerchantSettings())
            recorder = EventRecorder(world.entropy)
            await world.store.write(lambda c: update_merchant(c, recorder, small, at=START, actor="test"))
            await make_user(world, "ada")
            headers = {"authorization": f"Bearer {world.keys['test']}"}
            transport = httpx2.ASGITransport(app=make_application(world.gateway), client=("192.0.2.7", 1))
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://weir", headers=headers
            ) as http:
                await story(http, world)

    asyncio.run(live())


async def sign_in(http: httpx2.AsyncClient, name: str) -> Any:
    return await http.post("/signin", json={"username": name, "password": PASSWORD})


def test_beyond_its_plan_a_merchant_is_asked_to_come_again(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        key = f"v1:sk:test:{MERCHANT.id}"
        limiter = vars(world.gateway.rate_limits)["_limiter"]
        for _ in range(100):
            assert await limiter.let(key, 100)

        refused = await http.get("/v1/payment_intents")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error"] == {
            "type": "invalid_request_error",
            "code": "rate_limit",
            "message": "Too many requests at once. Try again in a second.",
            "doc_url": "docs/api.md#error-codes",
            "request_id": refused.headers["request-id"],
        }
        live = {"authorization": f"Bearer {world.keys['live']}"}
        assert (await http.get("/v1/payment_intents", headers=live)).status_code == 200

    served(tmp_path, story)


def test_five_sign_ins_a_second_with_one_name_or_from_one_address(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        statuses = [(await sign_in(http, name)).status_code for name in ["ada"] * 3 + ["b", "c", "d", "ada"]]

        assert statuses == [200, 200, 200, 401, 401, 429, 429]

    served(tmp_path, story)


def test_five_sign_ins_a_second_of_one_merchants_people_told_to_nobody_who_guesses(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        application = make_application(world.gateway)
        for name in ("ada", "bob", "eve"):
            await make_user(world, name)

        async def status(number: int, name: str, password: str = PASSWORD) -> int:
            transport = httpx2.ASGITransport(app=application, client=(f"203.0.113.{number}", 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
                given = {"username": name, "password": password}
                return (await http.post("/signin", json=given)).status_code

        first = [await status(number, name) for number, name in enumerate(["ada", "ada", "bob", "bob"])]
        wrong = await status(4, "eve", "wrong horse 42")
        beyond = [await status(5, "eve"), await status(6, "eve", "wrong horse 42"), await status(7, "nobody")]
        await asyncio.sleep(1.1)
        after = await status(8, "eve")

        assert first == [200] * 4
        assert (wrong, beyond, after) == (401, [429, 401, 401], 200)

    live_virtually(tmp_path, story)


def test_names_and_addresses_are_counted_under_hashes() -> None:
    async def story() -> None:
        seen: list[str] = []

        class Watching(MemoryLimiter):
            async def let(self, key: str, per_second: int) -> bool:
                seen.append(key)
                return per_second == 5

        limits = RateLimits(Watching(VirtualClock(START)), b"s" * 32)
        await limits.admit_sign_in("Ada", "192.0.2.7")
        await limits.admit_sign_in("ada", None)
        assert seen[0] == seen[2]
        assert "ada" not in "".join(seen).lower().replace("address", "")
        assert "192" not in "".join(seen)[:6]
        with pytest.raises(RateLimitedError):
            await limits.admit(Caller(key_id="key_1", merchant_id="m_1", mode="test", at=START))

    asyncio.run(story())


def test_no_second_wherever_it_begins_sees_more_than_its_limit() -> None:
    async def story() -> None:
        clock = VirtualClock(START)
        limiter = MemoryLimiter(clock)

        async def at_once(count: int) -> int:
            return [await limiter.let("name", 5) for _ in range(count)].count(True)

        assert await at_once(2) == 2
        clock.advance(0.6)
        assert await at_once(9) == 3
        clock.advance(0.5)
        assert await at_once(9) == 2
        clock.advance(0.5)
        assert await at_once(9) == 3

    asyncio.run(story())


def test_ever_new_names_do_not_fill_the_memory() -> None:
    async def story() -> None:
        limiter = MemoryLimiter(VirtualClock(START))
        for number in range(KEYS_MAX + 10):
            assert await limiter.let(f"name:{number}", 5)

        assert len(vars(limiter)["_let_through"]) <= KEYS_MAX
        assert [await limiter.let("name:again", 5) for _ in range(6)] == [True] * 5 + [False]

    asyncio.run(story())


def test_processes_side_by_side_keep_a_limit_together() -> None:
    async def story() -> None:
        clock = VirtualClock(START)
        limiters: list[Limiter] = [MemoryLimiter(clock, processes=3) for _ in range(3)]

        assert await let_through(limiters, "a", 100, 300) == 99
        assert await let_through(limiters, "b", 2, 30) == 3

    asyncio.run(story())


def test_an_address_that_tries_keys_is_refused_without_a_look_and_who_shares_it_is_not(
    tmp_path: Path,
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        wrong = {"authorization": "Bearer sk_test_" + "0a" * 24}
        assert (await http.get("/v1/payment_intents")).status_code == 200
        tries = [(await http.get("/v1/payment_intents", headers=wrong)).status_code for _ in range(5)]
        assert tries == [401, 401, 401, 429, 429]

        refused = await http.get("/v1/payment_intents", headers=wrong)
        assert 1 < int(refused.headers["retry-after"]) <= 60
        assert (await http.get("/v1/payment_intents")).status_code == 200
        other = httpx2.ASGITransport(app=make_application(world.gateway), client=("192.0.2.8", 1))
        async with httpx2.AsyncClient(transport=other, base_url="http://weir") as another:
            assert (await another.get("/v1/payment_intents", headers=wrong)).status_code == 401

    served(tmp_path, story, failures_max=3)


def test_a_good_key_that_this_process_has_not_met_opens_at_an_address_that_tries_keys(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        wrong = {"authorization": "Bearer sk_test_" + "0a" * 24}
        for _ in range(5):
            last = await http.get("/v1/payment_intents", headers=wrong)
        assert last.status_code == 429

        assert (await http.get("/v1/payment_intents")).status_code == 200
        assert (await http.get("/v1/payment_intents", headers=wrong)).status_code == 429

    served(tmp_path, story, failures_max=3)


def test_an_address_that_tries_passwords_is_refused_whatever_the_names(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        for name in ("nobody", "nothing"):
            assert (await sign_in(http, name)).status_code == 401

        assert (await sign_in(http, "ada")).status_code == 429

    served(tmp_path, story, failures_max=2)


def test_failures_are_forgotten_after_their_window_and_fill_no_memory() -> None:
    clock = VirtualClock(START)
    failures = FailuresByAddress(clock, failures_max=1, window_seconds=60)
    failures.count("2001:db8::1")
    with pytest.raises(RateLimitedError) as refused:
        failures.require_few("2001:db8::2")
    assert refused.value.headers == {"retry-after": "60"}
    failures.require_few("2001:db8:0:1::1")
    clock.advance(60)
    failures.require_few("2001:db8::2")

    for number in range(KEYS_MAX + 10):
        failures.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(vars(failures)["_counted"]) <= KEYS_MAX


def test_one_shopper_does_not_use_up_what_a_merchants_others_may_ask() -> None:
    async def story() -> None:
        limits = RateLimits(MemoryLimiter(VirtualClock(START)), b"s" * 32)
        page = Caller(key_id="key_1", merchant_id="m_1", mode="test", at=START, publishable=True)
        for _ in range(PUBLISHABLE_PER_SECOND):
            await limits.admit(page, "192.0.2.7")
        for _ in range(200):
            with pytest.raises(RateLimitedError):
                await limits.admit(page, "192.0.2.7")

        await limits.admit(page, "192.0.2.8")

    asyncio.run(story())


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[None]:
    server = RedisServer(folder, port)
    server.start()
    try:
        yield
    finally:
        server.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


async def let_through(limiters: list[Limiter], key: str, per_second: int, tries: int) -> int:
    """How many of so many tries at once, dealt among these processes, pass."""
    asked = [limiters[number % len(limiters)].let(key, per_second) for number in range(tries)]
    return sum(await asyncio.gather(*asked))


def test_in_redis_processes_count_together_and_each_by_itself_while_it_is_away(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"

    async def story() -> None:
        clocks = [VirtualClock(START), VirtualClock(START)]
        limiters: list[Limiter] = [
            RedisLimiter(url, clock, processes=2, answer_seconds_max=20) for clock in clocks
        ]
        with structlog.testing.capture_logs() as logs:
            with redis_server(tmp_path, port):
                assert await let_through(limiters, "a", 20, 100) == 20
            assert await let_through(limiters, "b", 5, 40) == 4
            assert [line["log_level"] for line in logs] == ["warning", "warning"]
            with redis_server(tmp_path, port):
                # Left alone for a moment, then asked again.
                assert await let_through(limiters, "c", 5, 40) == 4
                for clock in clocks:
                    clock.advance(AWAY_SECONDS)
                assert await let_through(limiters, "d", 5, 40) == 5
            assert [line["log_level"] for line in logs] == ["warning"] * 4
        for limiter in limiters:
            await limiter.close()

    asyncio.run(story())


def test_a_redis_that_never_answers_costs_a_moment_once(tmp_path: Path) -> None:
    async def story() -> None:
        clock = SystemClock()
        # It accepts connections, and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            limiter = RedisLimiter(f"redis://127.0.0.1:{silent.getsockname()[1]}", clock)
            begun = clock.monotonic()
            assert await limiter.let("a", 5)
            assert await let_through([limiter], "a", 5, 20) == 4
            # Far below what twenty such moments are.
            assert clock.monotonic() - begun < 2.0
            await limiter.close()

    asyncio.run(story())


def test_the_password_of_a_redis_is_read_from_the_keys_folder(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "redis-password").write_text("letmein\n")

    async def story() -> None:
        with redis_server(tmp_path, port):
            client = Redis(port=port)
            await client.config_set("requirepass", "letmein")
            await client.aclose()
            limiter = open_limiter(f"redis://127.0.0.1:{port}", tmp_path, SystemClock())
            with structlog.testing.capture_logs() as logs:
                assert await let_through([limiter], "a", 5, 20) == 5
            assert logs == []
            await limiter.close()

    asyncio.run(story())


@pytest.mark.parametrize("url", ["redis", "redis://:secret@host:6379", "memcached://host", "redis://"])
def test_a_url_that_is_none_or_holds_a_password_is_refused(url: str) -> None:
    with pytest.raises(HomeError) as refused:
        require_usable(url)

    assert "secret" not in refused.value.message


@pytest.mark.parametrize("url", ["memory", "redis://host", "redis://[::1]:6379/3", "rediss://host:6380"])
def test_memory_and_redis_are_taken(url: str) -> None:
    assert require_usable(url) == url
