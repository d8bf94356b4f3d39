"""Commands for merchants: who sells, whether live already, and what they may take."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from events.options import HOME
from gateway.command_line import Home, Keys, MerchantId, run

merchants_app = typer.Typer(no_args_is_help=True, help="Who sells, and what they may take.")

Name = Annotated[str | None, typer.Option(help="As people know the merchant.")]
Category = Annotated[str | None, typer.Option(help="Merchant category code, four digits.")]
Country = Annotated[str | None, typer.Option(help="ISO 3166 alpha-2.")]
Limits = Annotated[
    list[str] | None,
    typer.Option(metavar="AMOUNT CURRENCY", help="Such as '5000.00 EUR'; 'none EUR' takes it away."),
]
Choices = Annotated[
    str | None, typer.Option(metavar="LIST", help="With commas between; 'any' allows every one.")
]


@merchants_app.command("list")
def merchants_list(home: Home = HOME, keys: Keys = None) -> None:
    """List merchants by id."""
    run("merchants", home, keys, lambda office: office.merchants())


@merchants_app.command("show")
def merchants_show(merchant_id: MerchantId, home: Home = HOME, keys: Keys = None) -> None:
    """Show one merchant with its settings; what is not shown is as by default."""
    run("merchants", home, keys, lambda office: [office.merchant(merchant_id)])


@merchants_app.command("create")
def merchants_create(
    merchant_id: MerchantId,
    name: Annotated[str, typer.Option()],
    home: Home = HOME,
    keys: Keys = None,
    category: Category = None,
    country: Country = None,
) -> None:
    """Create a merchant. It takes test payments at once, live ones once it is activated."""

    def work(office: Any) -> Iterable[Any]:
        from gateway.people.merchants import Merchant

        office.add_merchant(Merchant(id=merchant_id, name=name, category=category, country=country))
        yield office.merchant(merchant_id)

    run("merchants", home, keys, work, may_make=True)


@merchants_app.command("activate")
def merchants_activate(merchant_id: MerchantId, home: Home = HOME, keys: Keys = None) -> None:
    """Let a merchant take live payments: it is who it says, and may sell what it sells."""
    run("merchants", home, keys, lambda office: [office.set_status(merchant_id, "active")])


@merchants_app.command("suspend")
def merchants_suspend(merchant_id: MerchantId, home: Home = HOME, keys: Keys = None) -> None:
    """Take no new live payments for a merchant; what was paid before goes on to its end."""
    run("merchants", home, keys, lambda office: [office.set_status(merchant_id, "suspended")])


@merchants_app.command("update")
def merchants_update(
    merchant_id: MerchantId,
    home: Home = HOME,
    keys: Keys = None,
    name: Name = None,
    category: Category = None,
    country: Country = None,
    plan: Annotated[str | None, typer.Option(help="standard, growth or scale: how often it may ask.")] = None,
    limit_per_payment: Limits = None,
    limit_per_day: Limits = None,
    methods: Choices = None,
    countries: Choices = None,
    currencies: Choices = None,
) -> None:
    """Change what is named, and leave the rest. A payment's next step goes by it."""

    def change(merchant: Any) -> Any:
        from gateway.people.updating import updated

        return updated(
            merchant,
            {"name": name, "category": category, "country": country},
            plan=plan,
            limits={"limit_per_payment": limit_per_payment, "limit_per_day": limit_per_day},
            choices={"methods": methods, "countries": countries, "currencies": currencies},
        )

    run("merchants", home, keys, lambda office: [office.change_merchant(merchant_id, change)])
