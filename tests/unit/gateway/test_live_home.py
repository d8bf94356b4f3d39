"""A home of live payments takes them alone: test keys are refused, and none is made."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from gateway.auth import Keys
from gateway.backoffice import Backoffice
from gateway.business_time import BusinessTime
from gateway.counting import wrong_keys
from gateway.errors import AuthenticationError, HomeError, LiveKeyRequiredError
from gateway.keys.home_keys import ensure_keys
from gateway.live_home import MARK, is_live_home
from gateway.payments.intents import Intent
from gateway.people.merchants import Merchant
from gateway.store.intent_rows import insert_intent
from tests.gateway_world import KEYRING, World
from tests.processor_parts import GOOD_KEY, Bench, in_one_thread

LATER = "2099-01-05T10:00:00Z"
SHOP = Merchant(id="acct_shop", name="Shop")


@pytest.fixture
def office(tmp_path: Path) -> Backoffice:
    ensure_keys(tmp_path / "home", tmp_path / "keys", datetime.now(UTC))
    office = Backoffice(tmp_path / "home", tmp_path / "keys")
    office.add_merchant(SHOP)
    return office


def test_the_api_of_a_live_home_refuses_test_keys_and_their_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path) as world:
            time = BusinessTime(world.clock)
            wrong = wrong_keys(world.clock)
            keys = Keys(
                store=world.store, secret=KEYRING.api_keys, time=time, wrong_keys=wrong, live_alone=True
            )

            for known_or_not in (world.keys["test"], "sk_test_" + "0a" * 24):
                with pytest.raises(LiveKeyRequiredError, match="Give a live key") as refused:
                    await keys.authenticate(known_or_not, LATER)
                assert (refused.value.STATUS, refused.value.code) == (401, "live_key_required")
            assert (await keys.authenticate(world.keys["live"])).mode == "live"
            assert time.now("test").year < 2099

    asyncio.run(story())


@in_one_thread
async def test_the_processor_of_a_live_home_refuses_test_keys_before_it_reads_a_card() -> None:
    bench = Bench()
    listener = bench.public(live_alone=True)
    transport = httpx2.ASGITransport(app=listener.app())
    async with httpx2.AsyncClient(transport=transport, base_url="https://pay") as client:
        headers = {"authorization": f"Bearer {GOOD_KEY}", "weir-test-time": LATER}
        answer = await client.post("/v1/tokens", content="no card", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "live_key_required")
    assert listener.time.now("test").year < 2099


def test_a_live_home_makes_live_keys_alone(office: Backoffice, tmp_path: Path) -> None:
    office.take_live_alone()

    with pytest.raises(HomeError, match="add --live"):
        office.add_key(SHOP.id, "test")
    assert office.add_key(SHOP.id, "live")["secret"].startswith("sk_live_")
    assert {key.mode for key in office.keys(SHOP.id)} == {"live"}


def test_a_live_home_forgets_people_of_live_mode_alone(office: Backoffice) -> None:
    office.take_live_alone()

    with pytest.raises(HomeError, match="add --live"):
        office.erase_customer("test", SHOP.id, "cus_1")
    with pytest.raises(HomeError, match="add --live"):
        office.erase_shopper("test", SHOP.id, "pi_1")


def test_a_home_that_ever_had_a_test_key_never_becomes_one_of_live_payments(
    office: Backoffice, tmp_path: Path
) -> None:
    office.revoke(office.add_key(SHOP.id, "test")["id"])

    with pytest.raises(HomeError, match="give a new --home with --live"):
        office.take_live_alone()

    assert not is_live_home(tmp_path / "home")


def test_a_live_home_that_lost_its_mark_makes_no_test_key_and_takes_the_mark_again(
    office: Backoffice, tmp_path: Path
) -> None:
    office.take_live_alone()
    payment = Intent(
        id="pi_1",
        merchant_id=SHOP.id,
        mode="live",
        status="succeeded",
        amount_minor=100,
        currency="EUR",
        capture_method="automatic",
        subject="s",
        created_us=1,
    )
    office.write(lambda connection: insert_intent(connection, payment))
    (tmp_path / "home" / MARK).unlink()

    with pytest.raises(HomeError, match="start it with --live"):
        office.add_key(SHOP.id, "test")

    office.take_live_alone()
    assert is_live_home(tmp_path / "home")


@pytest.mark.parametrize(("point", "is_marked"), [("keys.file.synced", False), ("keys.file.renamed", True)])
def test_a_live_home_whose_making_was_killed_is_made_at_the_next_start(
    office: Backoffice, tmp_path: Path, point: str, is_marked: bool
) -> None:
    program = (
        "from pathlib import Path; from gateway.backoffice import Backoffice; "
        f"Backoffice(Path({str(tmp_path / 'home')!r}), Path({str(tmp_path / 'keys')!r})).take_live_alone()"
    )
    environment = {**os.environ, "WEIR_CRASH_AT": point}

    killed = subprocess.run([sys.executable, "-c", program], env=environment, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert is_live_home(tmp_path / "home") == is_marked
    office.take_live_alone()
    assert is_live_home(tmp_path / "home")


def test_a_key_that_is_wrong_is_told_so_where_both_modes_are_taken(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path) as world:
            with pytest.raises(AuthenticationError) as refused:
                await world.gateway.keys.authenticate("sk_test_" + "0a" * 24)
            assert refused.value.code == "api_key_invalid"

    asyncio.run(story())
