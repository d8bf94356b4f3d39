"""Which keys belong to a home: it remembers their folder, so that no command takes, or makes, another's.

Otherwise the only sign of a wrong folder is a key that the API does not know, or a person who is not found.
The folder knows its home as well, by an id and not by a path: both may be moved, but no second home shares
the keys, and none overwrites the other's.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from events.log.finding import url_marks
from gateway.errors import HomeError
from gateway.keys.key_files import exclusively, make_private_folder, write_secret
from gateway.keys.keyring import is_complete
from gateway.keys.tls import ensure_certificates

REMEMBERED = "keys-folder"
"""The file in the home that holds the path of its keys."""

HOME_ID = "home-id"
"""The file, in the home and in its keys folder, that says that they belong together."""

STORE = "gateway.sqlite"
STORE_PLACE = "store-url"
"""The file in the home that says where its store is, if it is no file in the home."""


def keys_of(home: Path, given: Path | None) -> Path:
    """The home's keys folder, be it there yet or not; raises `HomeError` where the two are no pair."""
    keys = _remembered_or(home, given)
    _require_own(home, keys)
    return keys


def _remembered_or(home: Path, given: Path | None) -> Path:
    if marks := url_marks(home):
        raise HomeError(f"--home {home}: a home's path cannot hold {marks}")
    file = home / REMEMBERED
    if not file.exists():
        return (given or beside(home)).absolute()
    told = file.read_text().strip()
    if not told:  # written and not yet on disk when the machine lost its power
        raise HomeError(
            f"{file} is empty: write the path of the keys folder into it, or delete it and give --keys"
        )
    remembered = Path(told)
    if given is not None and given.resolve() != remembered.resolve():
        raise HomeError(
            f"{home} belongs to the keys folder {remembered}, not to {given}: leave --keys away "
            f"(if the folder was moved, write where it is now into {file})"
        )
    return remembered


def beside(home: Path) -> Path:
    """Where a home's keys are unless `--keys` says otherwise."""
    return home.with_name(home.name + "-keys")


def _require_own(home: Path, keys: Path) -> None:
    known, own = (folder / HOME_ID for folder in (keys, home))
    # A home that was deleted and is made anew in its place has its keys again: their folder bears its name.
    is_anew = not (own.exists() or _has_store(home)) and keys == beside(home).absolute()
    if known.exists() and not is_anew and not (own.exists() and own.read_text() == known.read_text()):
        raise HomeError(
            f"in {keys} are the keys of another home: give {home} a folder of its own with --keys "
            f"(a home that was moved has its file {HOME_ID} with it; if the other one is gone for good and "
            f"{home} shall have its keys, delete {known})"
        )


def _pair(home: Path, keys: Path) -> None:
    """Give both the same id, durably, the home first: after a kill in between it gives the keys its own."""
    known, own = (folder / HOME_ID for folder in (keys, home))
    with exclusively(keys):
        _require_own(home, keys)
        if not own.exists():
            write_secret(own, known.read_bytes() if known.exists() else secrets.token_hex(16).encode())
        if not known.exists():
            write_secret(known, own.read_bytes())


def find_keys(home: Path, given: Path | None) -> Path:
    """The keys folder of a home that is there with its keys; raises `HomeError`, and makes nothing."""
    if not _has_store(home):
        raise HomeError(f"{home} is no home of Weir yet: `weir up` or `weir merchants create` makes it one")
    keys = keys_of(home, given)
    if not is_complete(keys):
        raise HomeError(
            f"the keys of {home} are not in {keys}: name their folder with --keys, or restore them there"
        )
    return keys


def _has_store(home: Path) -> bool:
    return (home / STORE).exists() or (home / STORE_PLACE).exists()


def ensure_keys(home: Path, given: Path | None, now: datetime, hosts: tuple[str, ...] = ()) -> Path:
    """The same where a home may be made: what a new one lacks is made, and the folder is remembered."""
    keys = find_keys(home, given) if _has_store(home) else keys_of(home, given)
    home.mkdir(parents=True, exist_ok=True)
    with _writing(keys):  # before the home remembers it, so that another may be given where it cannot be
        make_private_folder(keys)
    # Not synced, as every start writes it again; what a power cut leaves empty is refused above.
    temporary = home / f".{REMEMBERED}.new"
    temporary.write_text(f"{keys}\n")
    temporary.replace(home / REMEMBERED)
    with _writing(keys):
        _pair(home, keys)
        ensure_certificates(keys, now, hosts)
    return keys


@contextmanager
def _writing(keys: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"{keys} cannot hold the keys ({error.strerror}): make it writable, or give a new home "
            "another folder with --keys"
        ) from None
