"""The thread that makes a flow's rows durable, beside the scoring.

One transaction takes in every version that waits. Rows go to SQLite a few hundred at a time
(`pipelines.many_rows`): so it holds the interpreter's lock for 3 µs a row and leaves it for the rest.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from events.crash import crash_point, declare
from pipelines.forgetting import MEMORY, Forgetting
from pipelines.many_rows import put_rows, remove_rows
from pipelines.state_file import StateFile

declare(
    {
        "risk.state.handed": "rows of another version wait for the thread that writes, nothing is written",
        "risk.state.writing": "rows of another version are written with their positions and not durable",
        "risk.state.committed": "rows of another version are durable, with their positions",
    }
)

WAITING_BYTES_MAX = 128 * 1024 * 1024
"""So much may wait; then the flow waits. It bounds the memory, and how much is read again after a crash."""

Rows = Mapping[str, bytes | None]


class Version(NamedTuple):
    """What changed with a version; None removes a row."""

    number: int
    rows: Rows
    size: int


class StateWriter:
    """Takes versions from the flow's thread, in order, and writes them in its own.

    `first` makes durable what a version rests on, before each commit.
    """

    def __init__(
        self, file: StateFile, first: Callable[[], None], waiting_bytes_max: int = WAITING_BYTES_MAX
    ) -> None:
        self._file = file
        self._first = first
        self._forgetting = Forgetting(file)
        self._waiting_bytes_max = waiting_bytes_max
        self._change = threading.Condition()
        self._waiting: deque[Version] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._failure: BaseException | None = None
        self.written = 0
        """The last version that is durable."""
        self._last = 0
        self._thread = threading.Thread(target=self._run, name="state-writer", daemon=True)
        self._thread.start()

    def put(self, version: Version) -> None:
        """Hand a version over; waits where too much waits already. Raises what writing raised."""
        with self._change:
            self._change.wait_for(lambda: self._failure or self._waiting_bytes <= self._waiting_bytes_max)
            self._raise()
            self._waiting.append(version)
            self._waiting_bytes += version.size
            self._last = version.number
            self._change.notify_all()
        crash_point("risk.state.handed")

    def settle(self) -> None:
        """Wait until all that was put is durable. Raises what writing raised."""
        with self._change:
            self._change.wait_for(lambda: self._failure or self.written >= self._last)
            self._raise()

    def close(self) -> None:
        """What was put is durable, unless writing has failed."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join()
        self._file.close()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while versions := self._next():
                rows = _together(versions)
                put_rows(self._file, {key: value for key, value in rows.items() if value is not None})
                remove_rows(self._file, [key for key, value in rows.items() if value is None])
                self._forgetting.learn(rows.get(MEMORY))
                self._forgetting.forget_some()
                self._commit()
                with self._change:
                    self.written = versions[-1].number
                    self._waiting_bytes -= sum(version.size for version in versions)
                    self._change.notify_all()
        except Exception as error:  # it is raised where the flow hands over the next
            with self._change:
                self._failure = error
                self._change.notify_all()

    def _next(self) -> list[Version]:
        """All that waits, when there is something; nothing at the end."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closing)
            versions = list(self._waiting)
            self._waiting.clear()
            return versions

    def _commit(self) -> None:
        crash_point("risk.state.writing")
        self._first()
        self._file.commit()
        crash_point("risk.state.committed")


def _together(versions: list[Version]) -> Rows:
    if len(versions) == 1:
        return versions[0].rows
    rows: dict[str, bytes | None] = {}
    for version in versions:
        rows.update(version.rows)
    return rows
