"""The stores of the flows and the network's books, and a power cut: each commit is synced, none is lost.

The same looks at a store that does not sync must find the fault: else they could not see one.
"""

import sqlite3
from pathlib import Path

import pytest

from pipelines.errors import StateCorruptError
from tests.integration.keeping_process import FILES, last_of
from tests.power_cut import Acknowledgement, Disk, lay_out, record

COUNT = 4

each_kind = pytest.mark.parametrize("kind", sorted(FILES))


def recorded(folder: Path, kind: str, synchronous: str = "") -> list[Acknowledgement]:
    root = folder / "disk"
    root.mkdir()
    command = ["-m", "tests.integration.keeping_process", kind, str(root), synchronous, str(COUNT)]
    return list(Disk(root).acknowledgements(record(command, folder / "recording")))


def kept(kind: str, files: dict[str, bytes], root: Path, copy: Path) -> int:
    """The last commit on a disk that a power cut left; -1 where the file cannot even be opened."""
    lay_out(files, root, copy)
    (copy / FILES[kind]).parent.mkdir(parents=True, exist_ok=True)
    try:
        return last_of(kind, copy)
    except (StateCorruptError, sqlite3.DatabaseError):
        return -1


@each_kind
def test_a_power_cut_after_any_commit_loses_nothing_of_it(tmp_path: Path, kind: str) -> None:
    moments = recorded(tmp_path, kind)

    assert [moment.text for moment in moments] == [str(number) for number in range(1, COUNT + 1)]
    assert min(moment.syncs for moment in moments) >= 1
    for number, moment in enumerate(moments, 1):
        for cut, files in enumerate(moment.power_cuts()):
            assert kept(kind, files, tmp_path / "disk", tmp_path / f"{number}-{cut}") == number


@each_kind
def test_a_store_that_does_not_sync_is_found_by_counting_and_by_a_power_cut(
    tmp_path: Path, kind: str
) -> None:
    moments = recorded(tmp_path, kind, "OFF")

    assert [moment.syncs for moment in moments[1:]] == [0] * (COUNT - 1)
    left = kept(kind, moments[-1].synced, tmp_path / "disk", tmp_path / "left")
    assert left < COUNT
