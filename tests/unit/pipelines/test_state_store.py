"""The store that keeps a flow's changed rows by version, with the positions that they were made from."""

import random
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import StateCorruptError, StateMismatchError
from pipelines.forgetting import LOOKED_AT
from pipelines.state_store import POINT, Point, StateStore


def filled(path: Path, versions: int) -> StateStore:
    store = StateStore(path)
    for version in range(1, versions + 1):
        store.write({"always": b"%d" % version, f"only/{version}": b"x"})
        store.commit(Point(version=version, batch=10 * version, positions={"labels/0": version}))
    return store


def test_rows_that_were_never_committed_are_gone_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = filled(path, 1)
    store.write({"always": b"lost", "other": b"lost"})
    store.close()

    assert dict(StateStore(path).rows()) == {"always": b"1", "only/1": b"x"}


def test_a_store_that_is_opened_again_stands_where_its_last_version_stood(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    filled(path, 7).close()

    assert StateStore(path).point == Point(version=7, batch=70, positions={"labels/0": 7})


def test_a_new_store_has_no_version_and_no_rows(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state.sqlite")

    assert (store.point, dict(store.rows())) == (Point(), {})


def test_versions_follow_each_other_without_gaps(tmp_path: Path) -> None:
    store = filled(tmp_path / "state.sqlite", 2)

    with pytest.raises(StateMismatchError, match="version 4 cannot follow version 2"):
        store.commit(Point(version=4))


def test_a_row_is_found_in_the_making_while_it_waits_and_when_it_is_durable(tmp_path: Path) -> None:
    store = filled(tmp_path / "state.sqlite", 3)
    store.settle()
    store.write({"always": b"newer", "only/1": None})

    assert [store.get(row) for row in ("always", "only/1", "only/2", "none")] == [b"newer", None, b"x", None]
    store.commit(Point(version=4))
    assert [store.get(row) for row in ("always", "only/1", "only/2", "none")] == [b"newer", None, b"x", None]
    store.settle()
    assert [store.get(row) for row in ("always", "only/1", "only/2", "none")] == [b"newer", None, b"x", None]


def test_a_flow_starts_with_the_rows_that_are_no_entity_s(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state.sqlite")
    own = {"engine/model/online", "engine/control/limit", "engine/engine/sequences", "seen/1"}
    own |= {"engine/anomaly/cold_start", "engine/engine/memory"}
    others = {"engine/card/7", "engine/payment/pi_1", "engine/merchant/m", "seem", "seen0"}
    store.write(dict.fromkeys(own | others, msgspec.msgpack.encode([7])))
    store.commit(Point(version=1))

    assert {row for row, _ in store.own_rows()} == own


def test_filled_rows_are_there_as_if_a_flow_had_written_them(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state.sqlite")
    rows = {f"engine/card/{number:05}": b"%d" % number for number in range(1000)}

    store.fill(rows.items())

    assert dict(store.rows()) == rows
    assert store.get("engine/card/00007") == b"7"


def test_a_write_that_fails_is_raised_where_the_next_version_is_handed_over(tmp_path: Path) -> None:
    store = filled(tmp_path / "state.sqlite", 1)
    store.settle()
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("DROP TABLE rows")
    connection.close()
    store.write({"a": b"x"})
    store.commit(Point(version=2))

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.settle()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.commit(Point(version=3))


def test_no_version_is_durable_before_what_it_rests_on(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"

    def refusing() -> None:
        raise OSError("the order cannot be synced")

    store = StateStore(path, first=refusing)
    store.write({"a": b"x"})
    store.commit(Point(version=1))
    with pytest.raises(OSError, match="the order cannot be synced"):
        store.settle()
    store.close()

    assert StateStore(path).version == 0


def test_payments_that_the_engine_has_forgotten_leave_the_disk_a_few_with_each_version(
    tmp_path: Path,
) -> None:
    store = StateStore(tmp_path / "state.sqlite")
    payments = {
        f"engine/payment/pi_{n:06}": msgspec.msgpack.encode([n, ["card"], False]) for n in range(3000)
    }
    store.fill(payments.items())
    store.write({"engine/engine/memory": msgspec.msgpack.encode([2500, 256]), "engine/card/1": b"\x01"})
    left = []
    for version in range(1, 5):
        store.commit(Point(version=version))
        left.append(sum(1 for row, _ in store.rows() if row in payments))

    assert left[0] == 3000 - LOOKED_AT
    assert left[-1] == 500
    assert store.get("engine/payment/pi_002499") is None
    assert store.get("engine/payment/pi_002500") == payments["engine/payment/pi_002500"]
    assert store.get("engine/card/1") == b"\x01"


def test_a_store_that_is_opened_again_goes_on_forgetting(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = StateStore(path)
    store.write({"engine/engine/memory": msgspec.msgpack.encode([10, 256])})
    store.commit(Point(version=1))
    store.close()
    again = StateStore(path)
    again.write({"engine/payment/pi_1": msgspec.msgpack.encode([9])})
    again.commit(Point(version=2))

    again.commit(Point(version=3))

    assert "engine/payment/pi_1" not in dict(again.rows())


def damaged(path: Path, row: str) -> None:
    """Flip one bit in the value of a row."""
    with sqlite3.connect(path) as connection:
        kept = bytearray(connection.execute("SELECT value FROM rows WHERE key = ?", (row,)).fetchone()[0])
        kept[random.Random(3).randrange(len(kept))] ^= 4
        connection.execute("UPDATE rows SET value = ? WHERE key = ?", (bytes(kept), row))
    connection.close()


def test_a_flipped_bit_in_a_row_is_found_when_the_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    filled(path, 2).close()
    damaged(path, "only/1")
    store = StateStore(path)

    with pytest.raises(StateCorruptError, match=r"state\.sqlite is damaged \(a row is not what was written"):
        store.get("only/1")
    assert isinstance(store.fault, StateCorruptError)


def test_a_flipped_bit_in_where_the_flow_stood_is_found_when_the_store_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    filled(path, 2).close()
    damaged(path, POINT)

    with pytest.raises(StateCorruptError, match="a row is not what was written"):
        StateStore(path)


KEYS = ("a", "a\0", "a\0b", 'a"b\\', "é漢😀", "12", "\n\x7f\ufffe")
rows = st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), st.binary(max_size=3)), max_size=5)


@given(epochs=st.lists(st.lists(rows, max_size=3), max_size=6), settled=st.sets(st.integers(0, 6)))
def test_whatever_is_written_in_whatever_versions_reads_like_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, epochs: list[list[dict[str, bytes | None]]], settled: set[int]
) -> None:
    path = tmp_path_factory.mktemp("any") / "state.sqlite"
    store = StateStore(path)
    now: dict[str, bytes] = {}
    for version, writes in enumerate(epochs, start=1):
        for changed in writes:
            store.write(changed)
            now = {k: v for k, v in (now | changed).items() if v is not None}
            assert {row: store.get(row) for row in KEYS} == {row: now.get(row) for row in KEYS}
        store.commit(Point(version=version))
        if version in settled:
            store.settle()
    assert {row: store.get(row) for row in KEYS} == {row: now.get(row) for row in KEYS}

    store.close()

    again = StateStore(path)
    assert dict(again.rows()) == now
    again.close()
