"""Commands of the gateway: merchants, API keys, and forgetting a person. Each prints JSON lines."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from events.options import HOME

app = typer.Typer(no_args_is_help=True)
merchants_app = typer.Typer(no_args_is_help=True, help="Who sells.")
keys_app = typer.Typer(no_args_is_help=True, help="Keys to the API: shown once, revocable.")
app.add_typer(merchants_app, name="merchants")
app.add_typer(keys_app, name="api-keys")

Home = Annotated[Path, typer.Option(help="Where the operational store is kept.")]
Keys = Annotated[
    Path | None,
    typer.Option(
        help="Where keys and certificates are kept, apart from --home.",
        show_default="the folder that the home belongs to; of a new home HOME-keys",
    ),
]
MerchantId = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="Id of the merchant, such as acct_first.")
]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, key_…; `list` shows it.")]
Live = Annotated[
    bool,
    typer.Option("--live", help="Live mode; without it, test mode, which a home of live payments has not."),
]


@merchants_app.command("list")
def merchants_list(home: Home = HOME, keys: Keys = None) -> None:
    """List merchants by id."""
    _run("merchants", home, keys, lambda office: office.merchants())


@merchants_app.command("create")
def merchants_create(
    merchant_id: MerchantId,
    name: Annotated[str, typer.Option()],
    home: Home = HOME,
    keys: Keys = None,
    category: Annotated[str | None, typer.Option(help="Merchant category code, four digits.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO 3166 alpha-2.")] = None,
) -> None:
    """Create a merchant."""

    def work(office: Any) -> Iterable[Any]:
        from gateway.auth import Merchant

        merchant = Merchant(id=merchant_id, name=name, category=category, country=country)
        office.add_merchant(merchant)
        yield merchant

    _run("merchants", home, keys, work, may_make=True)


@keys_app.command("create")
def api_keys_create(
    merchant_id: MerchantId, home: Home = HOME, keys: Keys = None, live: Live = False
) -> None:
    """Create a key. Its text is printed now and never again.

    A home that was first started with `weir up --live` has live keys alone: give --live there.
    """
    _run("api-keys", home, keys, lambda office: [office.add_key(merchant_id, "live" if live else "test")])


@keys_app.command("list")
def api_keys_list(
    merchant_id: Annotated[str | None, typer.Option("--merchant", metavar="MERCHANT")] = None,
    home: Home = HOME,
    keys: Keys = None,
) -> None:
    """List keys by id and last four characters."""
    _run("api-keys", home, keys, lambda office: office.keys(merchant_id))


@keys_app.command("revoke")
def api_keys_revoke(key_id: KeyId, home: Home = HOME, keys: Keys = None) -> None:
    """Revoke a key: from now on it opens nothing."""

    def work(office: Any) -> Iterable[Any]:
        office.revoke(key_id)
        yield {"id": key_id, "revoked": True}

    _run("api-keys", home, keys, work)


@app.command("erase-person")
def erase_person(
    merchant_id: Annotated[str | None, typer.Option("--merchant", metavar="MERCHANT")] = None,
    customer: Annotated[str | None, typer.Option(help="The merchant's own id of the customer.")] = None,
    payment: Annotated[str | None, typer.Option(help="A payment of the person.")] = None,
    account_event: Annotated[
        UUID | None,
        typer.Option(
            metavar="EVENT",
            help="A sign-in of the person, or a failed one, that named no customer: the id that the API "
            "answered. It needs no --merchant.",
        ),
    ] = None,
    home: Home = HOME,
    keys: Keys = None,
    live: Live = False,
) -> None:
    """Forget a person: delete keys and mappings, so that nothing in log or engine leads to them."""
    if [customer, payment, account_event].count(None) != 2:
        raise typer.BadParameter("give one of --customer, --payment and --account-event")
    if account_event is None and merchant_id is None:
        raise typer.BadParameter("give --merchant: whose customer, or whose payment, it is")
    mode = "live" if live else "test"

    def work(office: Any) -> Iterable[Any]:
        if account_event is not None:
            office.erase_visitor(account_event)
        elif payment is not None:
            office.erase_shopper(mode, merchant_id, payment)
        else:
            office.erase_customer(mode, merchant_id, customer)
        yield {"erased": True}

    _run("erase-person", home, keys, work)


def _run(
    command: str,
    home: Path,
    keys: Path | None,
    work: Callable[[Any], Iterable[Any]],
    *,
    may_make: bool = False,
) -> None:
    """Do it and print what comes of it; a refusal is one line and exit status 1."""
    import msgspec

    from gateway.backoffice import Backoffice
    from gateway.errors import GatewayError
    from gateway.keys.home_keys import ensure_keys, find_keys

    try:
        folder = ensure_keys(home, keys, datetime.now(UTC)) if may_make else find_keys(home, keys)
        for answer in work(Backoffice(home, folder)):
            typer.echo(msgspec.json.encode(answer).decode())
    except GatewayError as error:
        typer.echo(f"weir {command}: {error.message}", err=True)
        raise typer.Exit(1) from None
