"""The risk flow's state on disk: rows by key at one version, with the positions that they were made from.

Rows and positions are in one transaction, so that whatever a crash or a power loss leaves is of one moment: a
flow that resumes goes on from there, whatever it had done since. A thread makes versions durable; the flow
hands them over and goes on.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec

from events.crash import crash_point, declare
from models.errors import StateRowError
from pipelines.checked_rows import with_checksum, without_checksum
from pipelines.errors import StateCorruptError, StateError, StateFormatError, StateMismatchError
from pipelines.state_file import StateFile
from pipelines.state_writer import StateWriter, Version

declare({"state.filling.writing": "rows of a made-up state are written, not durable"})

FORMAT = 7
"""Raised whenever the meaning of rows changes, the models' own included.

There is no way between formats but reading the log again.
"""

SCHEMA = "CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"

POINT = "flow/point"

OWN = ("engine/anomaly/", "engine/control/", "engine/engine/", "engine/model/", "seen/")
"""What a flow needs before its first payment; everything else is of one entity or payment each."""

FILL_ROWS = 100_000
"""Rows that are filled in at a time, in one transaction."""

WRITER_PAGES_KIB, READER_PAGES_KIB = 16_384, 32_768
"""SQLite's own caches. The reader's holds the inner pages of the tree for some 5,000,000 rows."""

CHECKPOINT_PAGES = 16_384
"""64 MiB of SQLite's log before it is carried over: a page that changes often is then carried once."""


class Point(msgspec.Struct, array_like=True, frozen=True):
    """Where a flow stood: its version, the batch and the next offsets that the rows were made up to, and
    from where on replies stand that would be made again. Places are `topic/partition`."""

    version: int = 0
    batch: int = 0
    positions: Mapping[str, int] = {}
    replies: Mapping[str, int] = {}


_encode_point = msgspec.msgpack.Encoder().encode
_decode_point = msgspec.msgpack.Decoder(Point).decode


class StateStore:
    """Rows by key; used by one thread of one process.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "state.sqlite"
    >>> store = StateStore(path)
    >>> store.write({"card/7": b"one"}); store.commit(Point(version=1, batch=12))
    >>> store.get("card/7"), store.get("card/8")
    (b'one', None)
    >>> store.close()
    >>> StateStore(path).point.batch
    12
    """

    def __init__(self, path: Path, first: Callable[[], None] = lambda: None) -> None:
        """`first` is called before each commit, by the thread that writes: it makes the order durable that
        the version was made in.

        Raises `StateFormatError`, `StateCorruptError`.
        """
        self.fault: StateError | None = None
        """What was found to be wrong with the state, once something was."""
        self._path = path
        # Not looked through as a whole: that takes a minute for some millions of cards. Each row is checked
        # when it is read.
        self._reader = self._opened(READER_PAGES_KIB)
        writing = self._opened(WRITER_PAGES_KIB)
        writing.set_up(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self._point = self._kept_point()
        self._writer = StateWriter(writing, first)
        self._making: dict[str, bytes | None] = {}
        # Handed over and perhaps not yet durable, the newest first.
        self._recent: deque[Version] = deque()

    @property
    def point(self) -> Point:
        """Where the last version stood; version 0 when there never was one."""
        return self._point

    @property
    def version(self) -> int:
        """The number of the last version."""
        return self._point.version

    def get(self, row: str) -> bytes | None:
        """A row's last value, written or not; None where there is none. Raises `StateCorruptError`."""
        if row in self._making:
            return self._making[row]
        for version in self._recent:
            if row in version.rows:
                return version.rows[row]
        with self._noted():
            found = self._reader.rows("SELECT value FROM rows WHERE key = ?", (row,))
            return self._checked(row, found[0][0]) if found else None

    def own_rows(self) -> Generator[tuple[str, bytes], None, None]:
        """The rows that are no entity's and no payment's: what a flow loads when it starts."""
        for prefix in OWN:
            end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            yield from self._durable(f"WHERE key >= '{prefix}' AND key < '{end}'")

    def rows(self) -> Generator[tuple[str, bytes], None, None]:
        """Every row of the last version, in the order of keys."""
        return ((key, value) for key, value in self._durable("") if key != POINT)

    def unreadable(self, error: StateRowError) -> StateFormatError:
        """What to say of a row that this build cannot read, with the ways out."""
        fault = self._reader.unreadable(str(error))
        self.fault = fault
        return fault

    def write(self, changed: Mapping[str, bytes | None]) -> None:
        """Put (None: remove) rows into the version being made. May be called often."""
        self._making.update(changed)

    def commit(self, point: Point) -> None:
        """End the version. It is durable a little later: `settle` waits for it. Versions have no gaps.

        Raises `StateMismatchError`, and what writing a version before has raised.
        """
        if point.version != self.version + 1:
            raise StateMismatchError(f"version {point.version} cannot follow version {self.version}")
        rows, self._making = self._making, {}
        rows[POINT] = _encode_point(point)
        size = sum(len(value) for value in rows.values() if value is not None)
        version = Version(point.version, rows, size)
        while self._recent and self._recent[-1].number <= self._writer.written:
            self._recent.pop()
        self._recent.appendleft(version)
        self._point = point
        with self._noted():
            self._writer.put(version)

    def settle(self) -> None:
        """Wait until every version is durable."""
        with self._noted():
            self._writer.settle()

    def fill(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Write the rows of a made-up state; fastest in the order of keys. No version may be in the making.

        A crash leaves a part of them.
        """
        filling = self._opened(WRITER_PAGES_KIB)
        remaining = iter(rows)
        # A statement a row: nobody else wants the interpreter's lock, and it is a third of the work.
        while some := [(key, with_checksum(key, value)) for key, value in islice(remaining, FILL_ROWS)]:
            filling.change_many("INSERT OR REPLACE INTO rows VALUES (?, ?)", some)
            crash_point("state.filling.writing")
            filling.commit()
        filling.close()

    def close(self) -> None:
        """Versions that were committed are durable then; what was written since is gone."""
        self._writer.close()
        self._reader.close()

    def _opened(self, pages_kib: int) -> StateFile:
        out = "The flow makes its state again from the log."
        file = StateFile(self._path, schema=SCHEMA, format=FORMAT, ways_out=out, looks_through=False)
        file.set_up(f"PRAGMA cache_size = -{pages_kib}")
        return file

    def _kept_point(self) -> Point:
        with self._noted():
            found = self._reader.rows("SELECT value FROM rows WHERE key = ?", (POINT,))
            if not found:
                return Point()
            try:
                return _decode_point(self._checked(POINT, found[0][0]))
            except msgspec.DecodeError as error:
                raise self._reader.damaged(f"its point: {error}") from None

    def _durable(self, where: str) -> Generator[tuple[str, bytes], None, None]:
        self.settle()
        with self._noted():
            for key, kept in self._reader.iterate(f"SELECT key, value FROM rows {where} ORDER BY key"):  # noqa: S608  # no input
                yield key, self._checked(key, kept)

    def _checked(self, row: str, kept: bytes) -> bytes:
        value = without_checksum(row, kept)
        if value is None:
            raise self._reader.damaged("a row is not what was written")
        return value

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep in mind what is wrong with the state, for those who see an error of the whole flow."""
        try:
            yield
        except (StateCorruptError, StateFormatError) as error:
            self.fault = error
            raise
