"""Finding what stands for a device, address, email, customer or card. Makes none: the store is only read."""

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from events.vocabulary import Mode
from gateway.errors import InvalidRequestError, StoreUnavailableError
from gateway.geo import Geography
from gateway.keys.home_keys import find_keys
from gateway.keys.keyring import open_keyring
from gateway.personal import PersonalData
from gateway.requests import RiskContextInput
from gateway.shopper import known_shopper
from gateway.store.database import open_read_only
from gateway.store.finding import store_url
from gateway.store.method_rows import surrogate_of_method
from gateway.tokens import surrogate_of_card

Kind = Literal["device", "ip", "email", "customer", "card"]


def find_surrogate(
    home: Path, keys: Path | None, kind: Kind, value: str, *, mode: Mode, merchant: str | None
) -> str | None:
    """The surrogate of a value, None where it has none; of what pays by its token or payment method.

    Raises `HomeError`, `InvalidRequestError` for what the API would not take, and `StoreUnavailableError`.
    """
    keyring = open_keyring(find_keys(home, keys))
    entities = _entities(kind, value, merchant)
    # `bytes` gives zeros for entropy: nothing is made here that would need any.
    personal = PersonalData(entities_secret=keyring.entities, wrapping_key=keyring.subjects, entropy=bytes)
    engine = open_read_only(store_url(home))
    try:
        with engine.connect().execution_options(weir_reads=True) as connection:
            if kind == "card":
                return surrogate_of_what_pays(connection, value, mode)
            return personal.find(connection, mode, kind, entities[kind])
    except DBAPIError as error:
        raise StoreUnavailableError(f"the store of {home} cannot be read: {error.orig}") from None
    finally:
        engine.dispose()


def surrogate_of_what_pays(connection: Connection, name: str, mode: Mode) -> str | None:
    """The surrogate behind a token or payment method, whoever has it; None where unknown in this mode."""
    token, surrogate = surrogate_of_method(connection, name, mode)
    return surrogate or surrogate_of_card(connection, token or name, mode)


def _entities(kind: Kind, value: str, merchant: str | None) -> dict[str, str]:
    """The value as the API would count it; raises `InvalidRequestError`."""
    if kind == "card":
        if not value.startswith(("tok_", "pm_")):
            raise InvalidRequestError(
                "A card is found by its token (tok_…), an account by its payment method (pm_…), and this is "
                "neither.",
                code="parameter_invalid",
            )
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
