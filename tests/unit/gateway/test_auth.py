"""Merchants and keys: shown once, kept as digests, revocable; and whose time it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.auth import create_key, list_keys, revoke_key
from gateway.errors import AuthenticationError, InvalidRequestError, NotFoundError
from gateway.event_recorder import EventRecorder
from gateway.people.merchants import Merchant, create_merchant
from gateway.store.tables import api_keys
from tests.gateway_world import KEYRING, MERCHANT, START, World, live_through


def test_a_key_opens_its_merchants_world(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        test, live = await world.caller("test"), await world.caller("live")

        assert (test.merchant_id, test.mode, live.mode) == (MERCHANT.id, "test", "live")
        assert world.keys["test"].startswith("sk_test_")
        assert world.keys["live"].startswith("sk_live_")

    live_through(tmp_path, story)


def test_no_key_is_on_disk(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        rows = await world.store.read(lambda c: c.execute(select(api_keys)).all())

        for key in world.keys.values():
            assert key not in str(rows)
            assert all(bytes.fromhex(key[8:]) not in path.read_bytes() for path in tmp_path.iterdir())

    live_through(tmp_path, story)


@pytest.mark.parametrize(
    ("merchant", "param"),
    [
        (Merchant(id="bad id", name="Shop"), "id"),
        (Merchant(id="4242424242424242", name="Shop"), "id"),
        (Merchant(id="acct_b", name=" "), "name"),
        (Merchant(id="acct_b", name="Shop", category="abc"), "category"),
        (Merchant(id="acct_b", name="Shop", country="Germany"), "country"),
        (Merchant(id="acct_b", name="Shop", country="XX"), "country"),
    ],
)
def test_a_merchant_of_another_form_than_documented_is_refused_by_member(
    tmp_path: Path, merchant: Merchant, param: str
) -> None:
    async def story(world: World) -> None:
        recorder = EventRecorder(world.entropy)
        with pytest.raises(InvalidRequestError, match=f"The merchant's {param} must be") as refused:
            await world.store.write(lambda c: create_merchant(c, recorder, merchant, at=START, actor="test"))
        assert refused.value.param == param

    live_through(tmp_path, story)


def test_a_revoked_key_opens_nothing_from_then_on(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        caller = await world.caller()
        recorder = EventRecorder(world.entropy)

        await world.store.write(lambda c: revoke_key(c, recorder, caller.key_id, at=START, actor="test"))

        with pytest.raises(AuthenticationError):
            await world.caller()
        with pytest.raises(NotFoundError):
            await world.store.write(lambda c: revoke_key(c, recorder, caller.key_id, at=START, actor="test"))
        await world.until(lambda: len(world.log.events("audit")) == 4)

    live_through(tmp_path, story)


@pytest.mark.parametrize("presented", ["", "sk_test_", "sk_test_" + "0" * 48, "sk_prod_" + "0" * 48, "é"])
def test_what_is_not_a_key_in_force_opens_nothing(tmp_path: Path, presented: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(AuthenticationError):
            await world.gateway.keys.authenticate(presented)

    live_through(tmp_path, story)


def test_the_test_clock_follows_the_latest_time_and_events_carry_their_own(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        later = await world.caller(at=START + timedelta(days=2))
        earlier = await world.caller(at=START)
        timeless = await world.caller(at=None)

        assert later.at == START + timedelta(days=2)
        assert earlier.at == START
        assert timeless.at == START + timedelta(days=2)
        assert abs((await world.caller("live")).at - datetime.now(UTC)) < timedelta(minutes=5)

    live_through(tmp_path, story)


def test_keys_are_listed_by_their_last_characters(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        listed = await world.store.read(lambda c: list_keys(c, MERCHANT.id))

        assert {key.ending for key in listed} == {key[-4:] for key in world.keys.values()}

    live_through(tmp_path, story)


def test_a_merchant_is_created_once_and_a_key_needs_one(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        recorder = EventRecorder(world.entropy)
        again = Merchant(id=MERCHANT.id, name="Another")
        with pytest.raises(InvalidRequestError):
            await world.store.write(lambda c: create_merchant(c, recorder, again, at=START, actor="test"))
        with pytest.raises(NotFoundError):
            await world.store.write(
                lambda c: create_key(
                    c,
                    recorder,
                    merchant_id="nobody",
                    mode="test",
                    secret=KEYRING.api_keys,
                    entropy=world.entropy,
                    at=START,
                    actor="test",
                )
            )

    live_through(tmp_path, story)
