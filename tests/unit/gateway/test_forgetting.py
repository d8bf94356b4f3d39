"""Forgetting a person on a home whose programs run: no file holds what was deleted, others lose nothing."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from gateway.backoffice import Backoffice
from gateway.commands import app
from gateway.errors import NotFoundError, StoreUnavailableError
from gateway.keys.key_files import make_private_folder, write_secret
from gateway.payments.intents import Intent
from gateway.processor import vault_rows
from gateway.processor.store import ProcessorStore
from gateway.processor.vault import SealedCard
from gateway.requests import AccountEvent, ConfirmIntent, CreateIntent, RiskContextInput
from gateway.scheduling import InlineScheduling
from gateway.store.tables import subject_keys, subject_surrogates
from tests.gateway_world import KEYRING, MERCHANT, World

NAME, NOTE, SEALED = b"customer-of-this-name", b"for-ada-alone", b"what-stands-for-a-sealed-card"


class Home:
    """A home with keys, a running gateway, and a processor that has its vault open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "home"
        self.keys = folder / "keys"
        self.folder.mkdir()
        make_private_folder(self.keys / "api")
        for name, secret in KEYRING._asdict().items():
            write_secret(self.keys / "api" / f"{name}.key", secret)

    def lived(self, story: Callable[[World, ProcessorStore], Awaitable[None]]) -> None:
        async def live() -> None:
            vault = ProcessorStore(self.folder / "processor.sqlite", InlineScheduling())
            async with World(self.folder) as world:
                await story(world, vault)
            vault.close()

        asyncio.run(live())

    async def erase(self, customer: bytes = NAME) -> None:
        office = Backoffice(self.folder, self.keys)
        await asyncio.to_thread(office.erase_customer, "test", MERCHANT.id, customer.decode())

    @property
    def places(self) -> list[str]:
        return ["--home", str(self.folder), "--keys", str(self.keys)]

    def files_with(self, secret: bytes) -> list[str]:
        return [path.name for path in sorted(self.folder.iterdir()) if secret in path.read_bytes()]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def paid(world: World, vault: ProcessorStore, customer: bytes = NAME, token: str = "tok_1") -> Intent:
    card = SealedCard(token, 1, b"key", b"nonce", SEALED + token.encode())
    await vault.transact(lambda db: vault_rows.insert_card(db, card))
    body = CreateIntent(
        amount=100,
        currency="eur",
        customer=customer.decode(),
        metadata={"note": NOTE.decode()},
        payment_method=await world.token(name=token, fingerprint=f"fingerprint of {token}"),
        risk_context=RiskContextInput(email="a@example.com"),
    )
    caller = await world.caller()
    intent = await world.gateway.payments.create(caller, body)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def wrapped_key(world: World, subject: str) -> bytes:
    query = select(subject_keys.c.wrapped_key).where(subject_keys.c.subject == subject)
    return bytes(await world.store.read(lambda c: c.execute(query).scalar_one()))


async def linked_digest(world: World, subject: str) -> bytes:
    query = select(subject_surrogates.c.digest).where(subject_surrogates.c.subject == subject)
    return bytes((await world.store.read(lambda c: c.execute(query).scalars().all()))[0])


async def cards(vault: ProcessorStore) -> list[str]:
    rows = await vault.transact(lambda db: db.execute("SELECT token FROM cards").fetchall())
    return [token for (token,) in rows]


@pytest.mark.sqlite_store
def test_no_file_of_a_running_home_holds_what_was_forgotten(home: Home) -> None:
    async def story(world: World, vault: ProcessorStore) -> None:
        intent = await paid(world, vault)
        secrets = (await wrapped_key(world, intent.subject), NAME, NOTE, SEALED)
        assert all(home.files_with(secret) for secret in secrets)

        await home.erase()

        assert [home.files_with(secret) for secret in secrets] == [[], [], [], []]
        assert await cards(vault) == []

    home.lived(story)


@pytest.mark.sqlite_store
def test_who_signed_in_without_a_customer_is_forgotten_by_the_id_that_the_api_answered(home: Home) -> None:
    async def story(world: World, _vault: ProcessorStore) -> None:
        caller = await world.caller()
        first, second = [
            await world.gateway.account_events.record(caller, AccountEvent(type="sign_in_failed", ip=address))
            for address in ("192.0.2.7", "192.0.2.8")
        ]
        secrets = (await wrapped_key(world, first.id), await linked_digest(world, first.id))
        assert all(home.files_with(secret) for secret in secrets)

        words = ["erase-person", "--account-event", first.id, *home.places]
        shown = await asyncio.to_thread(CliRunner().invoke, app, words)

        assert shown.exit_code == 0, shown.stderr
        assert [home.files_with(secret) for secret in secrets] == [[], []]
        assert await wrapped_key(world, second.id)
        again = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert again.exit_code == 1
        assert "forgotten already" in again.stderr

    home.lived(story)


def test_for_a_sign_in_that_named_a_customer_the_way_to_erase_the_customer_is_said(home: Home) -> None:
    async def story(world: World, _vault: ProcessorStore) -> None:
        event = AccountEvent(type="sign_in_failed", ip="192.0.2.7", customer="cus_7")
        named = await world.gateway.account_events.record(await world.caller(), event)

        words = ["erase-person", "--account-event", named.id, *home.places]
        refused = await asyncio.to_thread(CliRunner().invoke, app, words)

        assert refused.exit_code == 1
        assert "if it named a customer, erase the customer (--merchant, --customer)" in refused.stderr
        assert refused.stderr.count("\n") == 1

    home.lived(story)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of --customer, --payment and --account-event"),
        (["--merchant", "m_1", "--customer", "c", "--payment", "pi_1"], "give one of"),
        (["--customer", "c"], "give --merchant"),
        (["--account-event", "pi_1"], "should be a valid UUID"),
    ],
)
def test_a_person_is_named_in_one_way(home: Home, words: list[str], said: str) -> None:
    refused = CliRunner().invoke(app, ["erase-person", *words, *home.places], env={"COLUMNS": "200"})

    assert refused.exit_code == 2
    assert said in refused.stderr


def test_the_cards_of_other_customers_stay_in_the_vault(home: Home) -> None:
    async def story(world: World, vault: ProcessorStore) -> None:
        await paid(world, vault)
        other = await paid(world, vault, b"another", "tok_2")

        await home.erase()

        assert await cards(vault) == ["tok_2"]
        assert (await world.intent(other.id)).customer == "another"

    home.lived(story)


@pytest.mark.sqlite_store
def test_a_forgetting_that_ended_before_the_log_was_emptied_is_ended_by_another(home: Home) -> None:
    async def story(world: World, vault: ProcessorStore) -> None:
        await paid(world, vault)
        reader = sqlite3.connect(home.folder / "gateway.sqlite", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM merchants").fetchall()

        with pytest.raises(StoreUnavailableError):
            await home.erase()
        assert home.files_with(NAME) != []
        reader.close()
        with pytest.raises(NotFoundError):
            await home.erase()

        assert home.files_with(NAME) == []

    home.lived(story)
