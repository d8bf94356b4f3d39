"""Where a home's operational store is: a SQLite file in it, or a database on PostgreSQL that it remembers.

Chosen at the home's first start, and for good: keys, surrogates and what is learned belong to what is in the
store. The URL holds no password, so that none can come into a log, a list of processes or a back-up of the
home: PostgreSQL's own password file has it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.errors import HomeError
from gateway.keys.home_keys import STORE, STORE_PLACE
from gateway.keys.key_files import write_secret

SQLITE = "sqlite"
"""`--store sqlite`: a file in the home, which is what a home has unless it was given another."""

ALLOWED = frozenset(
    {
        "host",
        "passfile",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "target_session_attrs",
        "channel_binding",
    }
)
"""What the URL may say besides the address: parameters of libpq, none of which is a secret."""
_FILES = ("passfile", "sslrootcert", "sslcert", "sslkey")


def store_url(home: Path) -> str:
    """The URL of the home's store; raises `HomeError`."""
    place = home / STORE_PLACE
    if not place.exists():
        return f"sqlite:///{(home / STORE).absolute()}"
    return checked(place.read_text().strip()).render_as_string()


def choose_store(home: Path, given: str | None, environment: Mapping[str, str] = os.environ) -> None:
    """Give a new home its store, durably; raises `HomeError` where it has another already.

    `given` None leaves the home what it has. A password file that `environment` names (`PGPASSFILE`) is
    remembered, for no program that is started from here sees the variable.
    """
    if given is None:
        return
    if given == SQLITE:
        wanted = f"sqlite:///{(home / STORE).absolute()}"
    else:
        wanted = _with_files(checked(given), environment).render_as_string()
    is_new = not any((home / name).exists() for name in (STORE, STORE_PLACE))
    if is_new and given != SQLITE:
        write_secret(home / STORE_PLACE, f"{wanted}\n".encode())
    elif not is_new and wanted != store_url(home):
        raise HomeError(
            f"the store of {home} is {store_url(home)}, for good: leave --store away, or give a new --home"
        )


def checked(text: str) -> URL:
    """The URL of a database on PostgreSQL; raises `HomeError`, which never quotes it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername != "postgresql" or not url.database:
        raise HomeError("--store: give sqlite, or postgresql://USER@HOST:PORT/DATABASE")
    if url.password is not None:
        raise HomeError(
            "--store: leave the password out of the URL, which others may see; it belongs into PostgreSQL's "
            "password file (~/.pgpass, PGPASSFILE, or ?passfile=PATH)"
        )
    strange = sorted(set(url.query) - ALLOWED)
    if strange:
        raise HomeError(
            f"--store: unknown parameters {', '.join(strange)}; known: {', '.join(sorted(ALLOWED))}"
        )
    return url


def _with_files(url: URL, environment: Mapping[str, str]) -> URL:
    """The URL with absolute paths: programs are started from elsewhere."""
    files = {name: str(url.query[name]) for name in _FILES if name in url.query}
    if "PGPASSFILE" in environment:
        files.setdefault("passfile", environment["PGPASSFILE"])
    return url.update_query_dict({name: str(Path(path).absolute()) for name, path in files.items()})
