"""What both flows keep on disk is opened in one way, and refused with the same errors."""

import sqlite3
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from models.scored import Kept
from pipelines.errors import StateCorruptError, StateFormatError
from pipelines.learning_store import LearningStore
from pipelines.state_file import StateFile
from pipelines.state_store import Point, StateStore

SCHEMA = "CREATE TABLE things (name TEXT PRIMARY KEY) WITHOUT ROWID;"
Opened = Callable[[Path], StateStore | LearningStore]
KEEPERS = [StateStore, LearningStore]
each = pytest.mark.parametrize("opened", KEEPERS)


def a_file(path: Path, format: int = 1) -> StateFile:
    return StateFile(path, schema=SCHEMA, format=format, ways_out="It begins anew.")


def filled(opened: Opened, path: Path) -> None:
    store = opened(path)
    if isinstance(store, StateStore):
        for version in range(1, 61):
            store.write({"always": b"%d" % version, f"only/{version}": b"x"})
            store.commit(Point(version=version))
    else:
        store.remember([Kept(f"pi_{number}", number, b"as scored" * 50) for number in range(60)])
        store.commit(b"state", 1, {})
    store.close()


@each
def test_a_state_of_another_format_is_refused_with_both_numbers(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    filled(opened, path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE about SET value = 99 WHERE name = 'format'")
    connection.close()

    with pytest.raises(
        StateFormatError, match=r"has format 99, this build reads \d\..*(delete it|from the log)"
    ):
        opened(path)


@each
def test_a_database_of_someone_else_is_refused_by_name(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()

    with pytest.raises(StateCorruptError, match=r"state\.sqlite is a database, but not the one"):
        opened(path)


@pytest.mark.parametrize(("made", "opened"), list(permutations(KEEPERS, 2)))
def test_what_another_keeper_left_there_is_refused_too(made: Opened, opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    filled(made, path)

    with pytest.raises(StateCorruptError, match="not the one that this flow keeps there"):
        opened(path)


@each
@pytest.mark.parametrize("place", [0, 4096, 8192])
def test_a_damaged_file_is_refused_by_name(opened: Opened, place: int, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    filled(opened, path)
    content = bytearray(path.read_bytes())
    content[place : place + 2000] = b"\xff" * 2000
    path.write_bytes(content)

    with pytest.raises(StateCorruptError, match=r"state\.sqlite is damaged"):
        opened(path)


@each
def test_a_file_that_is_no_database_is_refused(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"not a database at all" * 100)

    with pytest.raises(StateCorruptError, match=r"state\.sqlite is damaged.*(delete it|from the log)"):
        opened(path)


def test_changes_are_durable_with_the_commit_and_gone_without_it(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    file = a_file(path)
    file.change("INSERT INTO things VALUES (?)", ("kept",))
    file.commit()
    file.change_many("INSERT INTO things VALUES (?)", [("lost",), ("lost too",)])
    file.close()

    assert a_file(path).rows("SELECT name FROM things") == [("kept",)]


def test_a_path_that_cannot_be_opened_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").mkdir()

    with pytest.raises(sqlite3.OperationalError):
        a_file(tmp_path / "state.sqlite")
