"""The embedded log and a power cut: no acknowledgement without a sync, nothing acknowledged is lost.

The same looks at a log that syncs too little must find the fault: else they could not see one.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.errors import LogError
from events.log import open_log
from events.log.port import TopicPartition
from tests.power_cut import Acknowledgement, Disk, lay_out, record

WEAK = ["OFF", "NORMAL"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def recorded(root: Path, *, synchronous: str = "FULL", arguments: str) -> list[Acknowledgement]:
    """Appends by a process of its own, into folders that it has to make, under strace."""
    url = f"sqlite://{root}/home/log/log.sqlite?synchronous={synchronous}"
    command = ["-m", "tests.log_process", "write", "--log", url, *arguments.split()]
    recording = record(command, root.parent / "recording")
    return list(Disk(root).acknowledgements(recording))


def found_after(files: dict[str, bytes], root: Path, copy: Path) -> set[str]:
    """What the log still holds when the machine starts again with these files; nothing, if it is damaged."""
    lay_out(files, root, copy)
    try:
        log = open_log(f"sqlite://{copy}/home/log/log.sqlite")
        reader = log.reader({TopicPartition("payments", number): 0 for number in range(8)})
        records = list(itertools.chain.from_iterable(iter(lambda: reader.poll(100, 0), [])))
        reader.close()
        log.close()
    except LogError:
        return set()
    return {(record.value or b"").decode().strip() for record in records}


def lost(moments: list[Acknowledgement], root: Path, chosen: slice) -> Iterator[set[str]]:
    """For each chosen moment and each disk that a power cut may leave then: what was promised and is gone."""
    acknowledged = list(itertools.accumulate((moment.text.split() for moment in moments), lambda a, b: a + b))
    for moment, promised in list(zip(moments, acknowledged, strict=True))[chosen]:
        for number, files in enumerate(moment.power_cuts()):
            yield set(promised) - found_after(files, root, root.parent / f"{moment.text}-{number}")


def test_each_acknowledgement_has_a_sync_before_it(root: Path) -> None:
    moments = recorded(root, arguments="--count 12")

    assert [moment.text for moment in moments] == [f"w-0-{number}" for number in range(12)]
    assert min(moment.syncs for moment in moments) >= 1


def test_a_power_cut_at_any_acknowledgement_loses_nothing_acknowledged(root: Path) -> None:
    moments = recorded(root, arguments="--count 6 --threads 3")

    assert len(moments) == 18
    assert set().union(*lost(moments, root, slice(None))) == set()


def test_a_power_cut_after_the_file_was_written_through_loses_nothing_acknowledged(root: Path) -> None:
    moments = recorded(root, arguments="--count 24 --padding 200000")

    sizes = [len(moment.synced[f"{root}/home/log/log.sqlite"]) for moment in moments]
    assert sizes[-1] > sizes[0], "no checkpoint came: nothing was shown"
    assert set().union(*lost(moments, root, slice(3, None, 5))) == set()


@pytest.mark.parametrize("synchronous", WEAK)
def test_counting_syncs_finds_a_log_that_acknowledges_without(root: Path, synchronous: str) -> None:
    moments = recorded(root, synchronous=synchronous, arguments="--count 6")

    assert [moment.syncs for moment in moments][1:] == [0] * 5


@pytest.mark.parametrize("synchronous", WEAK)
def test_a_power_cut_finds_a_log_that_acknowledges_without(root: Path, synchronous: str) -> None:
    moments = recorded(root, synchronous=synchronous, arguments="--count 6")

    assert all(any(lost(moments, root, slice(number, number + 1))) for number in range(1, 6))


@pytest.mark.parametrize("synchronous", WEAK)
def test_a_log_that_syncs_too_little_says_so_itself(root: Path, synchronous: str) -> None:
    log = open_log(f"sqlite://{root}/log.sqlite?synchronous={synchronous}")

    assert log.durability.is_weak
    assert log.durability.words.startswith("WEAK: ")
    log.close()
