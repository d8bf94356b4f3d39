"""Whatever the five programs make durable while payments flow stands beside a crash point.

The programs are watched from inside: a statement that commits by itself, or a library that commits, is seen
too, which the source does not show (`tests/test_crash_points.py` looks there).
"""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import watch
from tests.e2e.closing import come_to_rest
from tests.e2e.merchant import merchant_of
from tests.e2e.shopping import KINDS, Shopping
from tests.e2e.whole_platform import whole_platform

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
WRITERS = {
    "events/log/sqlite.py",
    "gateway/keys/key_files.py",
    "gateway/processor/store.py",
    "gateway/store/writer.py",
    "pipelines/learning_store.py",
    "pipelines/order.py",
    "pipelines/state_writer.py",
    "simulator/acquirer/books.py",
    "simulator/acs/books.py",
    "simulator/rails/books.py",
}


def watching(folder: Path, root: Path) -> Path:
    """A folder for PYTHONPATH: every Python under it is watched, and tells there what it saw."""
    folder.mkdir()
    shutil.copy(watch.__file__, folder / "sitecustomize.py")
    (folder / "watched-root").write_text(f"{root}/")
    return folder


def seen(folder: Path) -> dict[str, set[str]]:
    """Places by how they write: `guarded` or `bare`."""
    found: dict[str, set[str]] = {"guarded": set(), "bare": set()}
    for path in folder.glob("*.seen"):
        for line in path.read_text().splitlines():
            how, _, place = line.partition(" ")
            found[how].add(place)
    return found


def test_no_program_makes_anything_durable_without_a_crash_point(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = watching(tmp_path / "watch", ROOT)
    paths = [str(watched), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    asyncio.run(_a_day(tmp_path, sqlite_url))

    found = seen(watched)
    assert {file for file in WRITERS if not any(file in place for place in found["guarded"])} == set()
    assert found["bare"] == set()


async def _a_day(folder: Path, log_url: str) -> None:
    async with whole_platform(folder, log_url) as platform, merchant_of(platform) as merchant:
        shopping = Shopping(merchant, seed=3)
        await shopping.buy(len(KINDS))
        await shopping.close_the_day()
        await come_to_rest(platform)


BEGUN = """
import os, sqlite3, sys
crash_point = print
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("CREATE TABLE things (name TEXT)")
"""


@pytest.mark.parametrize(
    "write",
    [
        "connection.execute('INSERT INTO things VALUES (1)')",
        "connection.execute('BEGIN'), connection.execute('DELETE FROM things'), connection.execute('COMMIT')",
        "connection.executescript('BEGIN; UPDATE things SET name = 2; COMMIT;')",
        "connection.execute('BEGIN'), connection.execute('DROP TABLE things'), connection.commit()",
        "os.write(os.open(sys.argv[1] + '.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND), b'thing')",
        "open(sys.argv[1] + '.new', 'w').close(), os.replace(sys.argv[1] + '.new', sys.argv[1] + '.file')",
    ],
)
@pytest.mark.parametrize("how", ["guarded", "bare"])
def test_the_watch_sees_a_durable_write_and_whether_a_crash_point_is_beside_it(
    tmp_path: Path, write: str, how: str
) -> None:
    point = "crash_point('here')" if how == "guarded" else "pass"
    (tmp_path / "product").mkdir()
    program = tmp_path / "product" / "writes.py"
    program.write_text(
        f"{BEGUN}\ndef outer():\n    keep()\n\ndef keep():\n    {point}\n    {write}\n\nouter()\n"
    )
    watched = watching(tmp_path / "watch", tmp_path / "product")

    environment = {**os.environ, "PYTHONPATH": str(watched)}
    command = [sys.executable, str(program), str(tmp_path / "file.sqlite")]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

    assert "writes.py:keep < writes.py:outer" in seen(watched)[how]


def test_the_watch_takes_no_look_and_nothing_undone_for_a_write(tmp_path: Path) -> None:
    (tmp_path / "product").mkdir()
    program = tmp_path / "product" / "looks.py"
    looks = "connection.execute('SELECT * FROM things').fetchall()"
    undone = "connection.execute('BEGIN'), connection.execute('DELETE FROM things'), connection.rollback()"
    program.write_text(f"{BEGUN}\ndef look():\n    {looks}\n    {undone}\n\nlook()\n")
    watched = watching(tmp_path / "watch", tmp_path / "product")

    environment = {**os.environ, "PYTHONPATH": str(watched)}
    subprocess.run([sys.executable, str(program), str(tmp_path / "a.sqlite")], env=environment, check=True)

    assert not any("look" in place.partition(":")[2] for places in seen(watched).values() for place in places)
