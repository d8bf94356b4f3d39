"""The store that keeps a flow's changed rows by epoch."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import StateMismatchError
from pipelines.state_store import UNDO_VERSIONS, StateStore


def filled(path: Path, versions: int) -> StateStore:
    store = StateStore(path)
    for version in range(1, versions + 1):
        store.write({"always": b"%d" % version, f"only/{version}": b"x"})
        store.commit(version)
    return store


def test_rows_that_were_never_committed_are_gone_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = filled(path, 1)
    store.write({"always": b"lost", "other": b"lost"})
    store.close()

    assert dict(StateStore(path).rows()) == {"always": b"1", "only/1": b"x"}


def test_rewinding_restores_changed_new_and_removed_rows(tmp_path: Path) -> None:
    store = filled(tmp_path / "state.sqlite", 2)
    store.write({"only/1": None, "always": b"first"})
    store.write({"always": b"second", "late": b"x"})
    store.commit(3)

    store.rewind(2)

    assert dict(store.rows()) == {"always": b"2", "only/1": b"x", "only/2": b"x"}
    assert store.version == 2


def test_rewinding_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path / "state.sqlite", 5)

    store.rewind(0)

    assert dict(store.rows()) == {}


def test_a_version_that_the_store_never_had_is_refused_with_a_way_out(tmp_path: Path) -> None:
    store = filled(tmp_path / "state.sqlite", 2)

    with pytest.raises(StateMismatchError, match=r"do not belong together.*delete"):
        store.rewind(3)


def test_what_is_kept_for_rewinding_is_bounded_and_older_versions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = filled(path, UNDO_VERSIONS + 50)

    with pytest.raises(StateMismatchError):
        store.rewind(49)
    kept = sqlite3.connect(path).execute("SELECT count(DISTINCT version) FROM undo").fetchone()[0]

    assert kept == UNDO_VERSIONS
    store.rewind(50)
    assert dict(store.rows())["always"] == b"50"


rows = st.dictionaries(st.sampled_from("abcde"), st.one_of(st.none(), st.binary(max_size=3)), max_size=5)


@given(epochs=st.lists(st.lists(rows, max_size=3), max_size=6), back=st.integers(0, 6))
def test_any_epoch_can_be_gone_back_to(
    tmp_path_factory: pytest.TempPathFactory, epochs: list[list[dict[str, bytes | None]]], back: int
) -> None:
    store = StateStore(tmp_path_factory.mktemp("any") / "state.sqlite")
    states: list[dict[str, bytes]] = [{}]
    for version, writes in enumerate(epochs, start=1):
        now = dict(states[-1])
        for changed in writes:
            store.write(changed)
            now = {k: v for k, v in (now | changed).items() if v is not None}
        store.commit(version)
        states.append(now)
    target = max(0, len(epochs) - back)

    store.rewind(target)

    assert dict(store.rows()) == states[target]
    store.close()
