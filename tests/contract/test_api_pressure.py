"""Who is not let in, as a caller sees it: refused before anything is done, told when to come again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from gateway.api.application import make_application
from gateway.api.pay_desk import pay_desk
from gateway.pay_port import PayOrder, PaySession
from gateway.pressure.admission import BACKLOG_MAX
from gateway.pressure.errors import OverloadedError
from gateway.pressure.lateness import LATE_IN_A_ROW, LATE_SECONDS, Lateness, LatePolicy
from gateway.pressure.turnstile import WAIT_SECONDS_MAX, WAITING_MAX, Party
from gateway.requests import CreateIntent
from gateway.store.tables import api_keys, tokens
from tests.gateway_world import MERCHANT, World, live_virtually, make_user

INTENTS = "/v1/payment_intents"
ORDER = {"amount": 1250, "currency": "eur"}
Story = Callable[[httpx2.AsyncClient, World], Awaitable[None]]


def served(folder: Path, story: Story) -> None:
    async def live(world: World) -> None:
        headers = {"authorization": f"Bearer {world.keys['test']}"}
        transport = httpx2.ASGITransport(app=make_application(world.gateway))
        async with httpx2.AsyncClient(transport=transport, base_url="http://weir", headers=headers) as http:
            await story(http, world)

    live_virtually(folder, live)


@contextmanager
def full(world: World) -> Iterator[None]:
    """No place is free to write, until it is over."""
    writes = world.gateway.admission.writes
    limit, writes.limit = writes.limit, 0
    yield
    writes.limit = limit


def test_where_all_places_are_taken_a_caller_is_refused_after_a_moment_and_nothing_is_done(
    tmp_path: Path,
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        began = world.clock.monotonic()
        with full(world):
            refused = await http.post(INTENTS, json=ORDER, headers={"idempotency-key": "order-1"})
        assert world.clock.monotonic() - began == pytest.approx(WAIT_SECONDS_MAX, abs=0.05)

        assert refused.status_code == 503
        assert refused.headers["retry-after"] in ("1", "2", "3")
        error = refused.json()["error"]
        assert (error["type"], error["code"]) == ("api_error", "overloaded")
        assert error["request_id"] == refused.headers["request-id"]
        assert (await http.get(INTENTS)).json()["data"] == []

        again = await http.post(INTENTS, json=ORDER, headers={"idempotency-key": "order-1"})
        assert again.status_code == 200
        assert "idempotent-replayed" not in again.headers

    served(tmp_path, story)


def test_reads_and_health_are_answered_while_no_payment_is_let_in(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        with full(world):
            assert (await http.get(INTENTS)).status_code == 200
            assert (await http.get("/health")).status_code == 200

    served(tmp_path, story)


def test_health_is_answered_with_a_key_too_while_no_read_is_let_in(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        assert (await http.get(INTENTS)).status_code == 200
        reads = world.gateway.admission.reads
        reads.limit = 0
        waiting = [asyncio.ensure_future(http.get(INTENTS)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(WAIT_SECONDS_MAX / 2)
        assert (await http.get(INTENTS)).status_code == 503
        assert (await http.get("/health")).status_code == 200
        assert {each.status_code for each in await asyncio.gather(*waiting)} == {503}

    served(tmp_path, story)


def test_who_is_known_and_has_a_full_queue_is_refused_without_a_look_into_the_store(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        assert (await http.get(INTENTS)).status_code == 200
        with full(world), capture_logs() as logs:
            flood = [asyncio.ensure_future(status_of(http)) for _ in range(WAITING_MAX)]
            await asyncio.sleep(WAIT_SECONDS_MAX / 2)
            # Whoever looked would find that the key is revoked.
            await world.store.write(lambda c: c.execute(update(api_keys).values(revoked_us=1)))
            began = world.clock.monotonic()
            assert await status_of(http) == 503
            assert world.clock.monotonic() == began
            assert set(await asyncio.gather(*flood)) == {503}

        assert await status_of(http) == 401
        answers = [line for line in logs if line["event"] == "request answered"]
        assert {line["log_level"] for line in answers} == {"debug"}  # there may be thousands a second
        assert world.gateway.admission.refused == WAITING_MAX + 1

    served(tmp_path, story)


async def status_of(http: httpx2.AsyncClient) -> int:
    return (await http.post(INTENTS, json=ORDER)).status_code


def test_every_request_leaves_its_place_whatever_became_of_it(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        for body in (ORDER, {"amount": -1}, {"amount": 1, "currency": "eur", "number": "4242424242424242"}):
            await http.post(INTENTS, json=body)
        await http.get(f"{INTENTS}/pi_none")
        await http.get(INTENTS, headers={"authorization": "Bearer wrong"})

        admission = world.gateway.admission
        assert (admission.writes.in_use, admission.reads.in_use) == (0, 0)

    served(tmp_path, story)


def test_while_too_much_waits_for_the_log_no_write_is_let_in(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.gateway.admission.backlog = BACKLOG_MAX + 1
        refused = await http.post(INTENTS, json=ORDER)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await http.get(INTENTS)).status_code == 200

    served(tmp_path, story)


def test_pay_stands_in_the_same_queues_and_keeps_no_card_where_there_is_no_room(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        await make_user(world, "ada")
        signed = await http.post("/signin", json={"username": "ada", "password": "correct horse 42"})
        token, desk = signed.json()["token"], pay_desk(world.gateway)
        order = PayOrder(
            access_token=token,
            merchant_id=MERCHANT.id,
            pay_id="pay_1",
            amount_minor=100,
            currency="EUR",
            method="upi",
            vpa="ada@bank",
        )
        with full(world):
            waiting = [
                asyncio.ensure_future(world.gateway.admission.writes.enter(Party(MERCHANT.id, "test")))
                for _ in range(WAITING_MAX)
            ]
            await asyncio.sleep(0)
            with pytest.raises(OverloadedError):
                await desk.open(PaySession(access_token=token, merchant_id=MERCHANT.id))
            with pytest.raises(OverloadedError):
                await desk.pay(order)
            await asyncio.gather(*waiting, return_exceptions=True)
        assert (await desk.pay(order)).status in ("approved", "pending", "declined")
        assert world.gateway.admission.writes.in_use == 0

    served(tmp_path, story)


def test_tokens_stand_in_the_same_queues_and_none_is_kept_where_there_is_no_room(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        await world.token(name="tok_before")
        writes = world.gateway.admission.writes
        with full(world):
            began = world.clock.monotonic()
            with pytest.raises(OverloadedError):
                await world.token(name="tok_waited")
            assert world.clock.monotonic() - began == pytest.approx(WAIT_SECONDS_MAX, abs=0.05)
            waiting = [
                asyncio.ensure_future(writes.enter(Party(MERCHANT.id, "test"))) for _ in range(WAITING_MAX)
            ]
            await asyncio.sleep(0)
            # Whoever looked would find that the key is revoked.
            await world.store.write(lambda c: c.execute(update(api_keys).values(revoked_us=1)))
            with pytest.raises(OverloadedError):
                await world.token(name="tok_at_once")
            await asyncio.gather(*waiting, return_exceptions=True)

        known = await world.store.read(lambda c: list(c.execute(select(tokens.c.id)).scalars()))
        assert known == ["tok_before"]
        assert writes.in_use == 0

    served(tmp_path, story)


def late_for_a_while(world: World, policy: LatePolicy) -> None:
    lateness = Lateness(world.clock, policy)
    for _ in range(LATE_IN_A_ROW):
        lateness.note(in_time=False)
        world.clock.advance(LATE_SECONDS / (LATE_IN_A_ROW - 2))  # type: ignore[attr-defined]  # a virtual one
    vars(world.gateway)["lateness"] = lateness


def test_while_decisions_are_late_payments_are_refused_by_policy_and_what_was_done_is_answered_again(
    tmp_path: Path,
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        body = {**ORDER, "payment_method": await world.token(), "confirm": True}
        done = await http.post(INTENTS, json=body, headers={"idempotency-key": "order-1"})
        late_for_a_while(world, LatePolicy.REFUSE)

        assert (await http.post(INTENTS, json=body)).status_code == 200  # one is let in to see
        refused = await http.post(INTENTS, json=body)
        again = await http.post(INTENTS, json=body, headers={"idempotency-key": "order-1"})
        unconfirmed = await http.post(INTENTS, json=ORDER)
        confirmed = await http.post(f"{INTENTS}/{unconfirmed.json()['id']}/confirm", json={})

        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "decisions_late")
        assert refused.headers["retry-after"] == "1"
        assert again.json() == done.json()
        assert unconfirmed.status_code == 200
        assert confirmed.status_code == 503
        assert len((await http.get(INTENTS)).json()["data"]) == 3

    served(tmp_path, story)


def test_a_flight_says_whether_its_decision_came_in_time(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        caller = await world.caller()
        world.risk.silent = True
        for _ in range(LATE_IN_A_ROW):
            await world.gateway.payments.create(
                caller,
                CreateIntent(amount=100, currency="eur", payment_method=await world.token(), confirm=True),
            )
        assert world.gateway.lateness.is_late

    live_virtually(tmp_path, story, deadline_seconds=0.25)
