"""Commands of the gateway: API keys, forgetting a person, and those of `people`. Each prints JSON lines."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

import typer

from events.options import HOME
from gateway.command_line import Home, Keys, Live, MerchantId, run
from gateway.people.merchant_commands import merchants_app
from gateway.people.user_commands import users_app

app = typer.Typer(no_args_is_help=True)
keys_app = typer.Typer(no_args_is_help=True, help="Keys to the API: shown once, revocable.")
app.add_typer(merchants_app, name="merchants")
app.add_typer(keys_app, name="api-keys")
app.add_typer(users_app, name="users")
clock_app = typer.Typer(no_args_is_help=True, help="Test mode's clock, which test requests move on.")
app.add_typer(clock_app, name="test-clock")

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, key_…; `list` shows it.")]


@keys_app.command("create")
def api_keys_create(
    merchant_id: MerchantId,
    home: Home = HOME,
    keys: Keys = None,
    live: Live = False,
    publishable: Annotated[
        bool,
        typer.Option("--publishable", help="For pages of the shop: makes tokens, confirms with a secret."),
    ] = False,
) -> None:
    """Create a key. Its text is printed now and never again.

    A home that was first started with `weir up --live` has live keys alone: give --live there.
    """
    mode = "live" if live else "test"
    run("api-keys", home, keys, lambda office: [office.add_key(merchant_id, mode, publishable=publishable)])


@keys_app.command("list")
def api_keys_list(
    merchant_id: Annotated[str | None, typer.Option("--merchant", metavar="MERCHANT")] = None,
    home: Home = HOME,
    keys: Keys = None,
) -> None:
    """List keys by id and last four characters."""
    run("api-keys", home, keys, lambda office: office.keys(merchant_id))


@keys_app.command("revoke")
def api_keys_revoke(key_id: KeyId, home: Home = HOME, keys: Keys = None) -> None:
    """Revoke a key: from now on it opens nothing."""

    def work(office: Any) -> Iterable[Any]:
        office.revoke(key_id)
        yield {"id": key_id, "revoked": True}

    run("api-keys", home, keys, work)


@clock_app.command("show")
def clock_show(home: Home = HOME, keys: Keys = None) -> None:
    """Show where test mode's clock stands; null where it goes by the machine's."""
    run("test-clock", home, keys, lambda office: [{"test_clock": office.test_clock()}])


@clock_app.command("reset")
def clock_reset(home: Home = HOME, keys: Keys = None) -> None:
    """Have test mode go by the machine's clock again: a running API within seconds."""

    def work(office: Any) -> Iterable[Any]:
        office.reset_test_clock()
        yield {"test_clock": office.test_clock()}

    run("test-clock", home, keys, work)


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

    run("erase-person", home, keys, work)
