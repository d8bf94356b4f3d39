"""The gateway's store and a power cut: syncs before each answer, and nothing that was answered is lost.

The same looks at a store with `synchronous=OFF` must find the fault: else they could not see one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.power_cut import Acknowledgement, Disk, lay_out, record

COUNT = 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def recorded(root: Path, synchronous: str) -> list[Acknowledgement]:
    command = ["-m", "tests.gateway_process", str(root / "home"), synchronous, str(COUNT)]
    recording = record(command, root.parent / "recording")
    return list(Disk(root).acknowledgements(recording))


def statuses(files: dict[str, bytes], root: Path, copy: Path) -> dict[str, str]:
    """What the store says when the machine starts again with these files; nothing, if it is damaged."""
    lay_out(files, root, copy)
    path = copy / "home" / "gateway.sqlite"
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(path)) as database:
            return dict(database.execute("SELECT id, status FROM intents").fetchall())
    except sqlite3.DatabaseError:
        return {}


def lost(moments: list[Acknowledgement], root: Path) -> Iterator[set[str]]:
    """For each disk that a power cut may leave at each answer: what was answered and does not stand so."""
    answered: set[str] = set()
    for moment in moments:
        answered.add(moment.text)
        for number, files in enumerate(moment.power_cuts()):
            kept = statuses(files, root, root.parent / f"{moment.text}-{number}")
            yield {payment for payment in answered if kept.get(payment) != "succeeded"}


def test_every_confirm_has_the_gateways_two_syncs_before_its_answer(root: Path) -> None:
    moments = recorded(root, "FULL")

    assert len(moments) == COUNT
    # Creation, the attempt with its question, and the final state; the processor's own sync is counted there.
    assert min(moment.syncs for moment in moments) >= 3


def test_a_power_cut_at_any_answer_loses_no_final_state(root: Path) -> None:
    assert set().union(*lost(recorded(root, "FULL"), root)) == set()


def test_counting_finds_a_store_that_answers_without_syncs(root: Path) -> None:
    moments = recorded(root, "OFF")

    assert [moment.syncs for moment in moments][1:] == [0] * (COUNT - 1)


def test_a_power_cut_finds_a_store_that_answers_without_syncs(root: Path) -> None:
    assert set().union(*lost(recorded(root, "OFF"), root)) != set()
