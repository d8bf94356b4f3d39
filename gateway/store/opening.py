"""A home's own store, opened. A database on PostgreSQL belongs to one home, whose id it keeps.

Two homes on one database would make keys and surrogates that the other cannot read, and send each other's
events to their own logs.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import DBAPIError

from gateway.errors import HomeError, StoreUnavailableError
from gateway.keys.home_keys import HOME_ID, STORE_PLACE
from gateway.store.database import open_engine, open_read_only
from gateway.store.finding import chosen_store, has_store, remember_store, store_url
from gateway.store.process_tables import homes
from gateway.store.writer import in_one_commit


def open_store(home: Path) -> Engine:
    """The store, migrated, and the home's alone.

    Raises `StoreUnavailableError`, and `HomeError` where it is another home's.
    """
    return _claimed(home, store_url(home))


def adopt_store(home: Path, given: str | None, environment: Mapping[str, str] = os.environ) -> None:
    """Give a new home the store `given`, durably, once it was opened: one that was mistyped binds no home.

    A home that has its store keeps it. Raises as `open_store` does, and `HomeError` where it has another.
    """
    url = chosen_store(home, given, environment)
    if not has_store(home) and not url.startswith("sqlite:"):
        _claimed(home, url).dispose()
        remember_store(home, url)


def _claimed(home: Path, url: str) -> Engine:
    own = home / HOME_ID
    if url.startswith("sqlite:") or not own.exists():
        return open_engine(url)  # a file in the home is the home's
    # Before anything is migrated: the other home may be running, on an older build.
    _refuse_others(home, url, _owner_before(url))
    engine = open_engine(url)
    try:
        owner = in_one_commit(engine, lambda connection: owner_of(connection, own.read_text().strip()))
        _refuse_others(home, url, owner)
    except DBAPIError as error:
        engine.dispose()
        raise StoreUnavailableError(f"the store cannot be opened: {type(error.orig).__name__}") from None
    except HomeError:
        engine.dispose()
        raise
    return engine


def _refuse_others(home: Path, url: str, owner: str | None) -> None:
    own = home / HOME_ID
    if owner is None or owner == own.read_text().strip():
        return
    place = home / STORE_PLACE
    forget = f"delete {place} and " if place.exists() else ""
    raise HomeError(
        f"{url} is the store of another home, {owner}: {forget}give a --store that is empty "
        f"(if {home} is that home, restored in part, write this id into {own})"
    )


def _owner_before(url: str) -> str | None:
    """The home that the store belongs to, as it is; None where it is nobody's, or opening it will say why."""
    engine = open_read_only(url)
    try:
        with engine.connect() as connection:
            return connection.execute(select(homes.c.id)).scalar()
    except DBAPIError:
        return None
    finally:
        engine.dispose()


def owner_of(connection: Connection, home_id: str) -> str:
    """The home that the store belongs to: this one, where it was nobody's."""
    found = connection.execute(select(homes.c.id)).scalar()
    if found is None:
        connection.execute(insert(homes), {"id": home_id})
    return found or home_id
