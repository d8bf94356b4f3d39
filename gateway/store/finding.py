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


def chosen_store(home: Path, given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The URL of the home's store, or of one `given` to a new home; raises `HomeError` where it has another.

    `given` None takes what the home has. A password file that `environment` names (`PGPASSFILE`) comes into
    the URL, for no program that is started from here sees the variable. Writes nothing: whoever has opened
    the store, and found it to be the home's, has the home remember it.
    """
    if given is None:
        return store_url(home)
    if given == SQLITE:
        wanted = f"sqlite:///{(home / STORE).absolute()}"
    else:
        wanted = _with_files(checked(given), environment).render_as_string()
    if has_store(home) and wanted != store_url(home):
        raise HomeError(
            f"the store of {home} is {store_url(home)}, for good: leave --store away, or give a new --home"
        )
    return wanted


def has_store(home: Path) -> bool:
    """Whether the home has its store already."""
    return any((home / name).exists() for name in (STORE, STORE_PLACE))


def remember_store(home: Path, url: str) -> None:
    """Have a new home take the store at the URL for good, durably; a file in it needs no remembering."""
    if not has_store(home) and not url.startswith("sqlite:"):
        write_secret(home / STORE_PLACE, f"{url}\n".encode())


def require_shareable(home: Path, url: str, api_processes: int) -> None:
    """Raises `HomeError` where several API processes shall share a store that is a file."""
    if api_processes > 1 and url.startswith("sqlite:"):
        raise HomeError(
            f"the store of {home} is a file, which one API process has to itself: give a new home a "
            "--store on PostgreSQL for several"
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
