"""`weir surrogate`: what stands for a device, address, email, customer or card in lists and on the log.

The store is only read. The value itself goes nowhere: a list holds its surrogate, which leads to nobody once
the person is forgotten.
"""

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.exc import OperationalError

from events.vocabulary import Mode
from gateway.errors import GatewayError, InvalidRequestError
from gateway.geo import Geography
from gateway.keys.home_keys import STORE, found_keys
from gateway.keys.keyring import open_keyring
from gateway.personal import PersonalData
from gateway.requests import RiskContextInput
from gateway.shopper import known_shopper
from gateway.store.tables import surrogates, tokens
from operations.errors import SurrogateError

Kind = Literal["device", "ip", "email", "customer", "card"]


def surrogate_of(
    home: Path, keys: Path | None, kind: Kind, value: str, *, mode: Mode, merchant: str | None
) -> str:
    """The surrogate of a value (of a card: of its token); raises `SurrogateError` where there is none."""
    try:
        folder = found_keys(home, keys)
        entities = _entities(kind, value, merchant)
    except GatewayError as error:
        raise SurrogateError(error.message) from None
    keyring = open_keyring(folder)
    personal = PersonalData(entities_secret=keyring.entities, wrapping_key=keyring.subjects, entropy=bytes)
    engine = create_engine(f"sqlite:///file:{(home / STORE).absolute()}?mode=ro&uri=true")
    try:
        with engine.connect() as connection:
            found = _card(connection, value, mode) if kind == "card" else None
            if entities:
                found = _known(connection, personal.digest(mode, kind, entities[kind]))
    except OperationalError as error:
        raise SurrogateError(f"the store of {home} cannot be read: {error.orig}") from None
    finally:
        engine.dispose()
    if found is None:
        raise SurrogateError(_unknown(kind, mode))
    return found


def _entities(kind: Kind, value: str, merchant: str | None) -> dict[str, str]:
    """The value as the API would count it; raises `InvalidRequestError`."""
    if kind == "card":
        return {}
    if kind == "customer" and merchant is None:
        raise InvalidRequestError(
            "A customer is a merchant's own: say whose with --merchant.", code="parameter_missing"
        )
    context = RiskContextInput(
        ip=value if kind == "ip" else None,
        device_id=value if kind == "device" else None,
        email=value if kind == "email" else None,
    )
    shopper = known_shopper(
        context,
        merchant_id=merchant or "",
        customer=value if kind == "customer" else None,
        geography=Geography(),
    )
    return shopper.entities


def _known(connection: Connection, digest: bytes) -> str | None:
    return connection.execute(select(surrogates.c.surrogate).where(surrogates.c.digest == digest)).scalar()


def _card(connection: Connection, token: str, mode: Mode) -> str | None:
    found = select(tokens.c.surrogate).where(tokens.c.id == token, tokens.c.mode == mode)
    return connection.execute(found).scalar()


def _unknown(kind: Kind, mode: Mode) -> str:
    other = "add --live for live mode" if mode == "test" else "leave --live away for test mode"
    if kind == "card":
        return f"no such token (tok_…) is known in {mode} mode ({other})"
    word = "IP address" if kind == "ip" else kind
    return (
        f"this {word} is not known in {mode} mode ({other}): it gets its surrogate with its first payment "
        "or sign-in"
    )
