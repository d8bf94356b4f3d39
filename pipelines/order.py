"""The order in which a flow read its topics, kept for good.

Topics are read side by side, so after a crash the same records might come in another order, and scores
would differ from those already sent. Each batch's order is therefore written down before its events are
handled; a flow that resumes reads the batches after its epoch again exactly as they were, one that has lost
its state reads all of them so, and `pipelines.recorded` shows that what was decided follows from it. A kill
cannot lose an entry; a power loss may lose the last ones, none of which the state has taken in, and then
those events are handled in a new order (replies stay as sent).
"""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably, sync_folder
from events.log.port import Record
from events.topics import TOPICS
from pipelines.errors import StateMismatchError
from pipelines.order_file import (
    BATCH,
    Coder,
    Header,
    OrderedBatch,
    OrderFile,
    Run,
    frame,
    header_frame,
    kept_frame,
)
from pipelines.share import WHOLE, Share

declare(
    {
        "risk.order.writing": "a batch was read; nothing of it is kept",
        "risk.order.written": "a batch's order is kept; none of its events has been handled",
    }
)

FILE_BYTES_MAX = 4 * 1024 * 1024
"""A file is read whole: this bounds the memory, and how much is read for the last batches of one."""

COMPACTED = frozenset(name for name, topic in TOPICS.items() if topic.compacted)
"""Topics whose records the log may drop: they are kept in full beside the order."""

_SUFFIX = ".order"


class OrderJournal:
    """Batches by number, in the order in which they were read: a folder of files that only grow.

    Used by one thread of one process; another may call `sync`.

    >>> import tempfile
    >>> journal = OrderJournal(Path(tempfile.mkdtemp()) / "order")
    >>> journal.note(1, [Run("labels", 3, 0, 4)])
    >>> [batch.runs for batch in journal.after(0)]
    [[Run(topic='labels', partition=3, first=0, last=4)]]
    """

    def __init__(self, folder: Path, share: Share = WHOLE) -> None:
        """Raises `StateFormatError`, `StateCorruptError`."""
        self._folder = folder
        self._share = share
        self._coder = Coder()
        self._file: int | None = None
        # A file must not be closed, and its number given to another, while it is synced.
        self._syncing = threading.Lock()
        self._bytes = 0
        self._last = 0
        make_folder_durably(folder)
        self._take_up()

    @property
    def last(self) -> int:
        """The number of the last batch; 0 for none."""
        return self._last

    def note(self, number: int, runs: Sequence[Run], kept: Sequence[Record] = ()) -> None:
        """Keep the order of batch `number`, which follows the one noted before, and the records in `kept`."""
        crash_point("risk.order.writing")
        content = b""
        if self._file is None or number != self._last + 1 or self._bytes > FILE_BYTES_MAX:
            content = self._begin_file(number - 1)
        # One write: a kill leaves all of it, or nothing.
        content += b"".join(map(kept_frame, kept)) + frame(BATCH, self._coder.encoded(runs))
        self._write(content)
        self._last = number
        crash_point("risk.order.written")

    def after(self, number: int) -> Iterator[OrderedBatch]:
        """The batches after `number`, in order; raises `StateMismatchError` where some are not kept."""
        return kept_order(self._folder, number)

    def sync(self) -> None:
        """What was noted survives a power loss."""
        with self._syncing:
            if self._file is not None:
                os.fdatasync(self._file)

    def close(self) -> None:
        """Nothing is noted any more."""
        with self._syncing:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _take_up(self) -> None:
        """Find the end of what was noted; what a power loss tore there is cut off."""
        paths = self._paths()
        if not paths:
            return
        file = OrderFile(paths[-1], is_last=True)
        header = file.header()
        if header is None:
            paths[-1].unlink()
            self._take_up()
            return
        self._last = header.number
        for batch in file.batches():
            self._last = batch.number
        os.truncate(paths[-1], file.whole_bytes)
        # Another flow's part begins in a file of its own, whose header says whose it is.
        if (header.flow, header.flows) == self._share:
            self._coder, self._bytes = file.coder, file.whole_bytes
            self._file = os.open(paths[-1], os.O_WRONLY | os.O_APPEND)

    def _begin_file(self, number: int) -> bytes:
        """A new file, empty; what it begins with."""
        self.sync()
        self.close()
        path = self._folder / f"{number + 1:015d}{_SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o644)
        self._coder, self._bytes = Coder(), 0
        sync_folder(self._folder)
        return header_frame(Header(number=number, flow=self._share.flow, flows=self._share.flows))

    def _write(self, content: bytes) -> None:
        assert self._file is not None  # noqa: S101  # whoever writes has opened it
        written = os.write(self._file, content)
        if written != len(content):  # a full disk: nothing after it would be found again
            os.truncate(self._file, self._bytes)
            raise OSError(f"{self._folder}: {written} of {len(content)} bytes could be written")
        self._bytes += len(content)

    def _paths(self) -> list[Path]:
        return _paths(self._folder)


def kept_order(folder: Path, number: int = 0) -> Iterator[OrderedBatch]:
    """The batches after `number` that a folder keeps, in order. It is only read: a flow may be writing to it.

    Raises `StateMismatchError` where some are not kept, `StateFormatError`, `StateCorruptError`.
    """
    paths = _paths(folder)
    beginning = [path for path in paths if _first(path) <= number + 1]
    for path in paths[max(len(beginning) - 1, 0) :]:
        for batch in OrderFile(path, is_last=path == paths[-1]).batches():
            if batch.number <= number:
                continue
            if batch.number != number + 1:
                raise StateMismatchError(
                    f"the order of batch {number + 1} is not kept, the next is {batch.number}: the "
                    f"state and {folder} do not belong together. Restore the whole folder "
                    f"{folder.parent} from one backup, or delete it."
                )
            number = batch.number
            yield batch


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


def _first(path: Path) -> int:
    return int(path.stem)
