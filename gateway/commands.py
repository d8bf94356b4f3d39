"""Commands of the gateway: merchants, API keys, and forgetting a person. Each prints one JSON line."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from sqlalchemy import Connection

from events.types import Mode
from gateway.auth import Merchant, create_key, create_merchant, list_keys, revoke_key
from gateway.errors import GatewayError
from gateway.facts import Facts
from gateway.keyring import Keyring, open_keyring
from gateway.personal import PersonalData
from gateway.store.database import open_engine

T = TypeVar("T")
ACTOR = "command-line"

app = typer.Typer(no_args_is_help=True)
merchants_app = typer.Typer(no_args_is_help=True, help="Who sells.")
keys_app = typer.Typer(no_args_is_help=True, help="Keys to the API: shown once, revocable.")
app.add_typer(merchants_app, name="merchants")
app.add_typer(keys_app, name="api-keys")

Home = Annotated[Path, typer.Option(help="Where the operational store is kept.")]
KeysFolder = Annotated[Path, typer.Option("--keys", help="Where secrets are kept.")]


class Office:
    """The operational store as commands use it: beside a running API, or without one."""

    def __init__(self, home: Path, keys: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.facts = Facts(secrets.token_bytes)
        self.keyring: Keyring = open_keyring(keys)
        self._engine = open_engine(f"sqlite:///{(home / 'gateway.sqlite').absolute()}")

    def write(self, work: Callable[[Connection], T]) -> T:
        """One durable transaction."""
        writer = self._engine.execution_options(weir_writes=True)
        try:
            with writer.connect() as connection, connection.begin():
                return work(connection)
        finally:
            self._engine.dispose()

    def add_merchant(self, merchant: Merchant) -> None:
        self.write(lambda c: create_merchant(c, self.facts, merchant, at=_now(), actor=ACTOR))

    def add_key(self, merchant_id: str, mode: Mode) -> dict[str, str]:
        """The new key's id and its text, which is nowhere else."""
        key = self.write(
            lambda c: create_key(
                c,
                self.facts,
                merchant_id=merchant_id,
                mode=mode,
                secret=self.keyring.api_keys,
                entropy=secrets.token_bytes,
                at=_now(),
                actor=ACTOR,
            )
        )
        return {"id": key.id, "secret": key.secret}

    def erase(self, mode: Mode, merchant_id: str, customer: str | None, payment_id: str | None) -> None:
        """Forget a merchant's customer, or the shopper of one payment without a customer."""
        personal = PersonalData(
            entities_secret=self.keyring.entities,
            wrapping_key=self.keyring.subjects,
            entropy=secrets.token_bytes,
        )

        def work(connection: Connection) -> None:
            subject = payment_id
            if customer is not None:
                subject = personal.customer_subject(connection, mode, merchant_id, customer)
            personal.erase(connection, subject or "")
            self.facts.audit(connection, _now(), actor=ACTOR, action="person.erase", resource=subject or "")

        self.write(work)


@merchants_app.command("create")
def merchants_create(
    merchant_id: str,
    name: Annotated[str, typer.Option()],
    home: Home,
    keys: KeysFolder,
    category: Annotated[str | None, typer.Option(help="Merchant category code, four digits.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO 3166 alpha-2.")] = None,
) -> None:
    """Create a merchant."""
    merchant = Merchant(id=merchant_id, name=name, category=category, country=country)
    _told(lambda: Office(home, keys).add_merchant(merchant))
    _print(msgspec.to_builtins(merchant))


@keys_app.command("create")
def api_keys_create(
    merchant_id: str, home: Home, keys: KeysFolder, live: Annotated[bool, typer.Option("--live")] = False
) -> None:
    """Create a key, for test mode unless --live. Its text is printed now and never again."""
    _print(_told(lambda: Office(home, keys).add_key(merchant_id, "live" if live else "test")))


@keys_app.command("list")
def api_keys_list(
    home: Home, keys: KeysFolder, merchant_id: Annotated[str | None, typer.Option("--merchant")] = None
) -> None:
    """List keys by id and last four characters."""
    for key in Office(home, keys).write(lambda c: list_keys(c, merchant_id)):
        _print(msgspec.to_builtins(key))


@keys_app.command("revoke")
def api_keys_revoke(key_id: str, home: Home, keys: KeysFolder) -> None:
    """Revoke a key: from now on it opens nothing."""
    office = Office(home, keys)
    _told(lambda: office.write(lambda c: revoke_key(c, office.facts, key_id, at=_now(), actor=ACTOR)))
    _print({"id": key_id, "revoked": True})


@app.command("erase-person")
def erase_person(
    home: Home,
    keys: KeysFolder,
    merchant_id: Annotated[str, typer.Option("--merchant")] = "",
    customer: Annotated[str | None, typer.Option(help="The merchant's own id of the customer.")] = None,
    payment: Annotated[str | None, typer.Option(help="A payment that had no customer.")] = None,
    live: Annotated[bool, typer.Option("--live")] = False,
) -> None:
    """Forget a person: delete keys and mappings; log, lake and engine forget at once."""
    if (customer is None) == (payment is None):
        raise typer.BadParameter("give --customer (with --merchant), or --payment")
    mode: Mode = "live" if live else "test"
    _told(lambda: Office(home, keys).erase(mode, merchant_id, customer, payment))
    _print({"erased": True})


def _now() -> datetime:
    return datetime.now(UTC)


def _told(work: Callable[[], T]) -> T:
    try:
        return work()
    except GatewayError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from None


def _print(content: Any) -> None:
    typer.echo(msgspec.json.encode(content).decode())
