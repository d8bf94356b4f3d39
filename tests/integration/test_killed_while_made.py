"""A program killed while it makes a file of its own makes it at the next start, as if nothing had been."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

GATEWAY = """
from gateway.store.database import open_engine
from gateway.store.tables import merchants
from sqlalchemy import select
engine = open_engine(f"sqlite:///{folder}/home/gateway.sqlite")
with engine.connect() as connection:
    assert connection.execute(select(merchants)).all() == []
"""
PROCESSOR = """
import asyncio
from gateway.processor import vault_rows
from gateway.processor.store import ProcessorStore
from gateway.scheduling import InlineScheduling
store = ProcessorStore(folder / "home" / "processor.sqlite", InlineScheduling())
assert asyncio.run(store.transact(vault_rows.vault_is_empty))
"""
STATE = """
from pipelines.state_store import Point, StateStore
store = StateStore(folder / "risk" / "state" / "state.sqlite")
store.write({"card/7": b"one"})
store.commit(Point(version=1))
store.close()
"""
LEARNING = """
from pipelines.learning_store import LearningStore
store = LearningStore(folder / "learning" / "learning.sqlite")
store.commit(b"state", 1, {})
"""
ORDER = """
from pipelines.order import OrderJournal
from pipelines.order_file import Run
journal = OrderJournal(folder / "risk" / "order")
journal.note(1, [Run("labels", 0, 0, 0)])
assert len(list(journal.after(0))) == 1
"""
LOG = """
from events.log import open_log
from events.log.port import Outgoing
log = open_log(f"sqlite:///{folder}/log/log.sqlite")
assert log.append([Outgoing("labels", b"one", b"{}")])[0].offset == 0
"""
BOOKS = """
from simulator.acquirer.books import Books
books = Books(folder / "acquirer.sqlite")
with books.together():
    assert books.states() == []
"""
SECRET = """
from simulator.acquirer.certificates import issuers_secret
assert len(issuers_secret(folder)) == 32
"""


def run(program: str, folder: Path, crash_at: str = "") -> int:
    begun = f"from pathlib import Path\nfolder = Path({str(folder)!r})\n"
    command = [sys.executable, "-W", "ignore", "-c", begun + program]
    environment = {**os.environ, "WEIR_CRASH_AT": crash_at}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@pytest.mark.parametrize(
    ("point", "program"),
    [
        ("gateway.migration.writing", GATEWAY),
        ("gateway.migration.committed", GATEWAY),
        ("processor.migration.writing", PROCESSOR),
        ("processor.migration.committed", PROCESSOR),
        ("state.file.making", STATE),
        ("state.file.made", STATE),
        ("state.file.making", LEARNING),
        ("state.file.made", LEARNING),
        ("risk.order.writing", ORDER),
        ("risk.order.written", ORDER),
        ("log.sqlite.lanes_writing", LOG),
        ("log.sqlite.lanes_committed", LOG),
        ("acquirer.tables.writing", BOOKS),
        ("acquirer.tables.committed", BOOKS),
        ("acquirer.secret.synced", SECRET),
        ("acquirer.secret.renamed", SECRET),
    ],
)
def test_a_file_whose_making_was_killed_is_made_at_the_next_start(
    tmp_path: Path, point: str, program: str
) -> None:
    assert run(program, tmp_path, crash_at=point) == -signal.SIGKILL

    assert run(program, tmp_path) == 0
