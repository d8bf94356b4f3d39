"""Idempotency keys: what is asked under one is done once and answered again, whatever happens in between."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from events.clock import VirtualClock
from gateway.api.application import make_application
from gateway.idempotency import PRUNED_AT_ONCE_MAX
from gateway.store.idempotency_rows import prune_claims
from gateway.store.tables import attempts, idempotency_keys, intents, labels
from tests.contract.api_serving import served
from tests.gateway_world import START, World
from tests.virtual_time import run_virtually

INTENTS = "/v1/payment_intents"
ORDER = {"amount": 1250, "currency": "eur"}
KEY = {"idempotency-key": "order-7"}
SOME = PRUNED_AT_ONCE_MAX


async def count(world: World, table: Any) -> int:
    return await world.store.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())


async def forget_the_answers(world: World) -> None:
    """As a crash between the commit of what was done and that of its answer leaves the store."""
    await all_kept(world)
    lost = update(idempotency_keys).values(status=None, sealed_body=None)
    await world.store.write(lambda c: c.execute(lost) and None)


async def all_kept(world: World) -> None:
    """Answers are kept a moment after they were given."""
    pending = select(func.count()).where(idempotency_keys.c.status.is_(None))

    async def kept() -> bool:
        return await world.store.read(lambda c: c.execute(pending).scalar_one()) == 0

    await world.until(kept)


def test_a_request_sent_again_is_answered_again_and_done_once(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        first = await http.post(INTENTS, json=ORDER, headers=KEY)
        again = await http.post(INTENTS, data={"currency": "eur", "amount": "1250"}, headers=KEY)
        await all_kept(world)
        from_disk = await http.post(INTENTS, json=ORDER, headers=KEY)

        assert "idempotent-replayed" not in first.headers
        for answer in (again, from_disk):
            assert (answer.status_code, answer.content) == (200, first.content)
            assert answer.headers["idempotent-replayed"] == "true"
        assert await count(world, intents) == 1

    served(tmp_path, story)


def test_a_key_for_another_request_is_refused_and_nothing_is_done(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        created = (await http.post(INTENTS, json=ORDER, headers=KEY)).json()
        for path, body in ((INTENTS, {**ORDER, "amount": 1}), (f"{INTENTS}/{created['id']}/cancel", {})):
            answer = await http.post(path, json=body, headers=KEY)

            assert answer.status_code == 400
            assert answer.json()["error"]["type"] == "idempotency_error"
            assert answer.json()["error"]["code"] == "idempotency_key_reuse"
        other = await http.post(INTENTS, json=ORDER, headers={"idempotency-key": "order-8"})
        assert other.json()["id"] != created["id"]
        assert await count(world, intents) == 2

    served(tmp_path, story)


def test_a_key_is_the_merchants_in_one_mode(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        live = {**KEY, "authorization": f"Bearer {world.keys['live']}"}
        test_id = (await http.post(INTENTS, json=ORDER, headers=KEY)).json()["id"]

        assert (await http.post(INTENTS, json=ORDER, headers=live)).json()["id"] != test_id

    served(tmp_path, story)


def test_a_declined_confirm_is_answered_again_without_another_attempt(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.decline_code = "insufficient_funds"
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        path = f"{INTENTS}/{created['id']}/confirm"
        first = await http.post(path, json={"payment_method": "tok_1"}, headers=KEY)
        again = await http.post(path, json={"payment_method": "tok_1"}, headers=KEY)

        assert (first.status_code, again.status_code) == (402, 402)
        assert again.content == first.content
        assert (
            first.json()["error"]["request_id"] == first.headers["request-id"] != again.headers["request-id"]
        )
        assert again.headers["content-type"] == "application/problem+json"
        assert await count(world, attempts) == 1

    served(tmp_path, story)


def test_while_the_first_is_under_way_the_second_is_told_to_wait(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        path = f"{INTENTS}/{created['id']}/confirm"
        world.processor.delay_seconds = 0.3
        first = asyncio.create_task(http.post(path, headers=KEY))
        await asyncio.sleep(0.1)
        second = await http.post(path, headers=KEY)
        other = await http.post(path, json={"payment_method": "tok_1"}, headers=KEY)

        assert (second.status_code, second.headers["retry-after"]) == (409, "1")
        assert second.json()["error"]["code"] == "idempotency_key_in_use"
        assert other.json()["error"]["code"] == "idempotency_key_reuse"
        assert (await first).json()["status"] == "succeeded"
        assert (await http.post(path, headers=KEY)).content == (await first).content

    served(tmp_path, story)


def test_of_two_processes_with_one_key_one_does_it(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        # The second process knows nothing of the first but the store that they share.
        first_process, first = world.gateway, http
        await world.open()
        transport = httpx2.ASGITransport(app=make_application(world.gateway))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://weir", headers=http.headers
        ) as second:
            answers = await asyncio.gather(
                *(each.post(INTENTS, json=ORDER, headers=KEY) for each in (first, second))
            )
            later = await second.post(INTENTS, json=ORDER, headers=KEY)
        await first_process.stop()

        assert later.status_code == 200
        assert {answer.json().get("id", later.json()["id"]) for answer in answers} == {later.json()["id"]}
        assert await count(world, intents) == 1

    served(tmp_path, story)


def test_a_refused_request_keeps_its_key_free(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        bad = await http.post(INTENTS, json={**ORDER, "currency": "zzz"}, headers=KEY)
        unknown = await http.post(INTENTS, json={**ORDER, "payment_method": "tok_9"}, headers=KEY)
        good = await http.post(INTENTS, json=ORDER, headers=KEY)

        assert (bad.status_code, unknown.status_code, good.status_code) == (400, 404, 200)

    served(tmp_path, story)


@pytest.mark.parametrize("step", ["confirm", "capture", "cancel"])
def test_a_request_whose_answer_was_lost_is_answered_by_what_it_did(tmp_path: Path, step: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {**ORDER, "payment_method": await world.token(), "capture_method": "manual"}
        path = f"{INTENTS}/{(await http.post(INTENTS, json=order)).json()['id']}"
        if step != "confirm":
            await http.post(f"{path}/confirm")
        first = await http.post(f"{path}/{step}", headers=KEY)
        await forget_the_answers(world)
        again = await http.post(f"{path}/{step}", headers=KEY)

        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert await count(world, attempts) == 1

    served(tmp_path, story)


def test_a_confirm_cut_off_by_a_crash_is_in_use_until_its_attempt_has_its_end(tmp_path: Path) -> None:
    clock = VirtualClock(START)

    async def live() -> None:
        async with World(tmp_path, clock=clock, deadline_seconds=20) as world:
            world.risk.silent = True

            def client() -> httpx2.AsyncClient:
                headers = {**KEY, "authorization": f"Bearer {world.keys['test']}"}
                transport = httpx2.ASGITransport(app=make_application(world.gateway))
                return httpx2.AsyncClient(transport=transport, base_url="http://weir", headers=headers)

            order = {**ORDER, "payment_method": await world.token()}
            created = (await client().post(INTENTS, json=order, headers={"idempotency-key": "x"})).json()
            path = f"{INTENTS}/{created['id']}/confirm"
            cut_off = asyncio.create_task(client().post(path))
            await asyncio.sleep(1)
            await world.restart()
            meanwhile = await client().post(path)
            await asyncio.sleep(10)
            after = await client().post(path)

            assert (meanwhile.status_code, after.status_code) == (409, 200)
            assert after.json()["status"] == "requires_capture"  # the fallback held it
            assert world.processor.authorized == [f"{created['id']}_1"]
            cut_off.cancel()

    run_virtually(clock, live)


def test_labels_sign_ins_and_reviews_take_keys_too(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {**ORDER, "payment_method": await world.token(test_risk="elevated")}
        payment = (await http.post(INTENTS, json=order)).json()["id"]
        review = (await http.post(f"{INTENTS}/{payment}/confirm")).json()["review"]
        label = {"payment_intent": payment, "kind": "fraud_dispute", "source": "bank"}
        calls = [
            ("/v1/account_events", {"type": "sign_in", "customer": "c-1"}),
            ("/v1/labels", label),
            (f"/v1/reviews/{review}/approve", {}),
        ]
        for number, (path, body) in enumerate(calls):
            headers = {"idempotency-key": f"k{number}"}
            first = await http.post(path, json=body, headers=headers)
            again = await http.post(path, json=body, headers=headers)
            await forget_the_answers(world)
            recalled = await http.post(path, json=body, headers=headers)

            assert first.status_code == 200
            assert again.content == first.content
            assert recalled.json() == first.json()
            assert recalled.headers["idempotent-replayed"] == "true"
            await all_kept(world)
            await world.store.write(lambda c: c.execute(delete(idempotency_keys)) and None)
        assert await count(world, labels) == 1
        assert len(world.log.events("accounts")) == 1

    served(tmp_path, story)


def test_keys_are_forgotten_after_a_day_and_not_before(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        async def grown_older_by(hours: int) -> None:
            older = update(idempotency_keys).values(
                claimed_us=idempotency_keys.c.claimed_us - hours * 3_600_000_000
            )
            await all_kept(world)
            await world.store.write(lambda c: c.execute(older) and None)
            pruning = world.scheduling.spawn(world.gateway.idempotency.run(), "pruning")
            await asyncio.sleep(0.05)
            pruning.cancel()

        first = (await http.post(INTENTS, json=ORDER, headers=KEY)).json()["id"]
        await grown_older_by(24)
        assert (await http.post(INTENTS, json=ORDER, headers=KEY)).json()["id"] == first
        await grown_older_by(2)
        assert await count(world, idempotency_keys) == 0
        assert (await http.post(INTENTS, json=ORDER, headers=KEY)).json()["id"] != first

    served(tmp_path, story)


def test_a_busy_days_keys_are_forgotten_some_at_a_time(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        row = {"merchant_id": "m_1", "mode": "test", "fingerprint": b"f", "resource": "pi", "at_us": 0}
        many = [{**row, "claimed_us": 0, "digest": number.to_bytes(32)} for number in range(2 * SOME + 1)]

        def forget_some(connection: Connection) -> int:
            connection.execute(insert(idempotency_keys), many)
            return prune_claims(connection, 1, SOME)

        # In one commit, since the gateway forgets on its own, too.
        assert await world.store.write(forget_some) == SOME
        pruning = world.scheduling.spawn(world.gateway.idempotency.run(), "pruning")

        async def none_is_left() -> bool:
            return await count(world, idempotency_keys) == 0

        await world.until(none_is_left)
        pruning.cancel()

    served(tmp_path, story)


def test_nothing_of_a_key_or_an_answer_is_readable_in_the_store(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        body = {**ORDER, "metadata": {"note": "for-ada"}}
        await http.post(INTENTS, json=body, headers={"idempotency-key": "ada@example.com"})
        await all_kept(world)
        await world.store.write(lambda c: c.execute(delete(intents)) and None)
        rows = await world.store.read(lambda c: c.execute(select(idempotency_keys)).all())

        assert len(rows) == 1
        assert b"ada" not in repr(rows).encode()

    served(tmp_path, story)


@pytest.mark.parametrize("text", ["", "x" * 256])
def test_a_key_of_no_length_is_refused(tmp_path: Path, text: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, json=ORDER, headers={"idempotency-key": text})

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "idempotency-key")

    served(tmp_path, story)
