"""A home's lock: one supervisor runs a home at a time."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from operations.errors import HomeInUseError, HomeUnusableError


@contextlib.contextmanager
def sole_supervisor(home: Path) -> Iterator[None]:
    """Hold the home's lock, which its holder's death frees.

    Raises `HomeInUseError` when another supervisor holds it, `HomeUnusableError` where there can be none.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "supervisor.lock").open("a")
    except OSError as error:
        why = "it is a file" if home.is_file() else error.strerror
        raise HomeUnusableError(f"{home} cannot be a home ({why}): give another --home") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeInUseError(
                f"{home} is in use by another `weir up` or `weir demo`: stop it first"
            ) from None
        yield
