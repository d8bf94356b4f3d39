"""Commands for merchants' people: who may sign in."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from events.options import HOME
from gateway.command_line import Home, Keys, Live, run

users_app = typer.Typer(no_args_is_help=True, help="Merchants' people: who may sign in (POST /signin).")

UserName = Annotated[str, typer.Argument(metavar="NAME", help="As it is typed to sign in; capitals or not.")]
Prompt = Annotated[
    bool, typer.Option("--prompt", help="Type the password; without it, one is generated and shown once.")
]


@users_app.command("create")
def users_create(
    name: UserName,
    merchant_id: Annotated[str, typer.Option("--merchant", metavar="MERCHANT")],
    home: Home = HOME,
    keys: Keys = None,
    live: Live = False,
    prompt: Prompt = False,
) -> None:
    """Create a user of a merchant, for test payments or live ones."""

    def work(office: Any) -> Iterable[Any]:
        password = _typed() if prompt else _generated()
        user = office.add_user(name, merchant_id, "live" if live else "test", password)
        yield {"id": user.id, "name": user.name} | ({} if prompt else {"password": password})

    run("users", home, keys, work)


@users_app.command("list")
def users_list(
    merchant_id: Annotated[str | None, typer.Option("--merchant", metavar="MERCHANT")] = None,
    home: Home = HOME,
    keys: Keys = None,
) -> None:
    """List users by name, and who is locked or disabled; never with their passwords."""
    run("users", home, keys, lambda office: map(_with_state, office.users(merchant_id)))


@users_app.command("disable")
def users_disable(name: UserName, home: Home = HOME, keys: Keys = None) -> None:
    """Let a user in no more: neither the password nor a token given for it opens anything."""
    run("users", home, keys, lambda office: [_with_state(office.disable_user(name))])


@users_app.command("enable")
def users_enable(name: UserName, home: Home = HOME, keys: Keys = None) -> None:
    """Let a user in again who was disabled, with the same password; tokens of before open nothing."""
    run("users", home, keys, lambda office: [_with_state(office.enable_user(name))])


@users_app.command("unlock")
def users_unlock(name: UserName, home: Home = HOME, keys: Keys = None) -> None:
    """Let a user in again whom ten failures have locked; the password stays as it is."""
    run("users", home, keys, lambda office: [_with_state(office.unlock_user(name))])


@users_app.command("reset")
def users_reset(name: UserName, home: Home = HOME, keys: Keys = None, prompt: Prompt = False) -> None:
    """Give a user a new password, and lift a lock; tokens given for the old one open nothing."""

    def work(office: Any) -> Iterable[Any]:
        password = _typed() if prompt else _generated()
        user = office.reset_password(name, password)
        yield {"id": user.id, "name": user.name} | ({} if prompt else {"password": password})

    run("users", home, keys, work)


def _with_state(user: Any) -> dict[str, Any]:
    import msgspec

    from gateway.people.users import state_of

    return {"state": state_of(user, datetime.now(UTC)), **msgspec.structs.asdict(user)}


def _typed() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _generated() -> str:
    import secrets

    from gateway.people.passwords import generated

    return generated(secrets.token_bytes)
