"""A state that cannot be used is set aside, whole, so that the flow makes another from the log.

The log has every event, and the recorded order says in which order they were taken in: the state made again
is the same, and the answers in the log are not given twice.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from events.crash import crash_point, declare
from events.durable_files import sync_folder
from pipelines.errors import StateCorruptError, StateError, StateFormatError
from pipelines.state_store import StateStore

logger = logging.getLogger(__name__)

declare(
    {
        "state.aside.moving": "a state that cannot be used is still in its place",
        "state.aside.moved": "a state that cannot be used is set aside, no other is begun",
    }
)


def state_folder(home: Path) -> Path:
    """Where a flow's rows are, alone: it is moved as one."""
    return home / "state"


def usable_store(home: Path, first: Callable[[], None]) -> StateStore:
    """The flow's store (`first`: see there); a new one where the present one cannot even be opened."""
    path = state_folder(home) / "state.sqlite"
    try:
        return StateStore(path, first)
    except (StateFormatError, StateCorruptError) as error:
        set_aside(home, error)
        return StateStore(path, first)


def set_aside(home: Path, error: StateError) -> None:
    """Move the state out of the way, in place of one that was moved before, and say so."""
    folder, aside = state_folder(home), home / "state.unusable"
    shutil.rmtree(aside, ignore_errors=True)
    crash_point("state.aside.moving")
    folder.rename(aside)
    sync_folder(home)
    crash_point("state.aside.moved")
    logger.error(
        "%s The old one was moved to %s. Answers that are in the log are not given twice.",
        str(error),
        aside,
    )
