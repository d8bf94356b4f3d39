"""The processor and a power cut: nothing leaves, and nothing is told, before what it rests on is on disk.

The same look at a store that syncs too little must find the fault.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.processor import advice_rows
from gateway.processor.store import ProcessorStore
from gateway.scheduling import InlineScheduling
from tests.power_cut import Acknowledgement, Disk, lay_out, record


def recorded(folder: Path, synchronous: str) -> "Recorded":
    """What left and what was told, each with the disk as it was then."""
    root = folder / "disk"
    root.mkdir()
    command = ["-m", "tests.integration.processor_durability", str(root / "home"), synchronous, "3"]
    moments = Disk(root).acknowledgements(record(command, folder / "recording"))
    return Recorded(root, list(moments))


class Recorded(NamedTuple):
    """A recorded run below `root`."""

    root: Path
    moments: list[Acknowledgement]

    def beginning(self, text: str) -> list[Acknowledgement]:
        chosen = [moment for moment in self.moments if moment.text.startswith(text)]
        assert len(chosen) == 3
        return chosen


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("full"), "FULL")


def status_after(files: dict[str, bytes], root: Path, copy: Path, reference: str) -> str | None:
    """How the attempt of a reference stands on a disk that a power cut left; None: it is not there."""
    lay_out(files, root, copy)
    try:
        database = sqlite3.connect(copy / "home" / "processor.sqlite")
        row = database.execute("SELECT status FROM attempts WHERE reference = ?", (reference,)).fetchone()
        database.close()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])


def test_an_attempt_is_synced_before_its_authorization_leaves(full: Recorded, tmp_path: Path) -> None:
    moments = full.beginning("left 0100")

    assert all(moment.syncs >= 1 for moment in moments)
    for number, moment in enumerate(moments):
        for cut, files in enumerate(moment.power_cuts()):
            copy = tmp_path / f"left-{number}-{cut}"
            assert status_after(files, full.root, copy, moment.text.split()[2]) == "sending"


def test_an_approval_is_synced_before_the_api_is_told(full: Recorded, tmp_path: Path) -> None:
    moments = full.beginning("told approved")

    assert all(moment.syncs >= 1 for moment in moments)
    for number, moment in enumerate(moments):
        for cut, files in enumerate(moment.power_cuts()):
            copy = tmp_path / f"told-{number}-{cut}"
            assert status_after(files, full.root, copy, moment.text.split()[2]) == "approved"


def test_a_capture_is_synced_before_its_advice_leaves(full: Recorded, tmp_path: Path) -> None:
    moments = full.beginning("left 0220")

    for number, moment in enumerate(moments):
        lay_out(moment.synced, full.root, tmp_path / f"capture-{number}")
        store = ProcessorStore(
            tmp_path / f"capture-{number}" / "home" / "processor.sqlite", InlineScheduling()
        )
        assert (f"a{number}", "capture", "1") in asyncio.run(store.transact(advice_rows.waiting))
        store.close()


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_counting_syncs_finds_a_store_that_syncs_too_little(tmp_path: Path, synchronous: str) -> None:
    weak = recorded(tmp_path, synchronous)
    moments = weak.beginning("left 0100")

    assert [moment.syncs for moment in moments[1:]] == [0, 0]
    for number, moment in enumerate(moments[1:]):
        copy = tmp_path / f"weak-{number}"
        assert status_after(moment.synced, weak.root, copy, moment.text.split()[2]) is None
