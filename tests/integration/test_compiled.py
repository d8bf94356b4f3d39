"""The hot modules, compiled from the same source: the same answers, and the same tests pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "*.so", "__pycache__", "build", "node_modules")
TESTS = ("tests/unit/models", "tests/contract/test_models.py")

ANSWERS = """
import hashlib, sys
import msgspec
from models import COMPILED
from models.engine import Engine
from models.learning import Learner, Schedule
from models.scored import MemoryStore, Scored
from tests.unit.models.sample_payments import days, label
from models.windows import DAY_US

engine, learner, answers = Engine(), Learner(MemoryStore(), Schedule(refit_frauds_min=20)), hashlib.sha256()
for number, (payment, fraud) in enumerate(days(40, per_day=60)):
    told = engine.assess([payment])[0]
    answers.update(msgspec.msgpack.encode(told))
    learner.note_scored([Scored(told.payment_id, told.occurred_at_us, told.features)])
    verdict = label(number, fraud, payment.occurred_at_us + DAY_US, "analyst_verdict")
    engine.assess([verdict])
    for snapshot in learner.note_label(verdict):
        engine.use(snapshot)
        answers.update(snapshot.state)
for row, value in sorted(engine.changed_rows().items()):
    answers.update(row.encode() + (value or b""))
print(COMPILED, answers.hexdigest())
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the engine and its tests, compiled as `make compiled` does but for the optimization."""
    copy = tmp_path_factory.mktemp("compiled") / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    subprocess.run(["make", "-o", ".venv/.dev-installed", "compiled", "OPTIMIZE=0"], cwd=copy, check=True)
    return copy


def answers(checkout: Path) -> list[str]:
    """Whether it was compiled, and the digest of every answer, model and row."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS],
        cwd=checkout,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@pytest.mark.timeout(600)
def test_compiled_and_interpreted_give_the_same_answers_models_and_state_bit_by_bit(compiled: Path) -> None:
    is_compiled, digest = answers(compiled)
    was_compiled, expected = answers(ROOT)

    assert (is_compiled, was_compiled) == ("True", "False")
    assert digest == expected


@pytest.mark.timeout(900)
def test_the_engines_own_tests_pass_on_what_was_compiled(compiled: Path) -> None:
    run = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(run, cwd=compiled, env=os.environ | {"PYTHONPATH": str(compiled)}, check=False)

    assert done.returncode == 0


def test_a_source_that_was_changed_since_it_was_compiled_is_refused(compiled: Path) -> None:
    odds = compiled / "models/odds.py"
    before = odds.read_text()
    try:
        odds.write_text(before + "\n")
        done = subprocess.run(
            [sys.executable, "-c", "import models"], cwd=compiled, capture_output=True, text=True, check=False
        )
    finally:
        odds.write_text(before)

    assert done.returncode == 1
    assert "models/odds.py was changed since it was compiled" in done.stderr
