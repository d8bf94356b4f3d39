"""Files that hold secrets: only their owner reads them, and they are there whole or not at all."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably, sync_folder

declare(
    {
        "keys.file.synced": "a key file's content is on disk under a temporary name, nobody uses it yet",
        "keys.file.renamed": "a key file is in place, what depends on it is not yet written",
    }
)


def make_private_folder(folder: Path) -> None:
    """Create a folder (and its parents) that only its owner may enter; narrows one that exists."""
    make_folder_durably(folder)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    folder.chmod(0o700)


def write_secret(path: Path, content: bytes) -> None:
    """Put `content` at `path` with mode 0600: atomically, and durable when this returns."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    # Private from its first byte: narrowed later, it would have been open to all for a moment.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    crash_point("keys.file.synced")
    temporary.replace(path)
    sync_folder(path.parent)
    crash_point("keys.file.renamed")


@contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: programs that start at the same moment make its keys one after another."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Closing gives the lock back, as the death of its holder does.
        os.close(descriptor)


def exposed(path: Path) -> bool:
    """Whether anyone but the owner may read, write or enter `path`."""
    return bool(path.stat().st_mode & 0o077)
