"""Every command of the README, in its order, in a clean clone in an empty folder.

The clone borrows this checkout's `.venv`, so that the commands run at once; the rest is its own.
Where a command takes minutes by nature, its length alone is shortened (`SECONDS`, `TESTS`, `--seconds`).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.e2e.platforms import up

ROOT = Path(__file__).parents[2]
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for line in block.strip().splitlines()
]
MINUTE = 60
LOCKED = ("requirements/runtime.txt", "requirements/dev.txt", "requirements/runtime.in", "pyproject.toml")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone of what is committed, whose `.venv` counts as made."""
    folder = tmp_path_factory.mktemp("newcomer") / "weir"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(sys.prefix)
    for name in LOCKED:
        os.utime(folder / name, (0, 0))
    made = subprocess.run(["make", "--question", ".venv/.dev-installed"], cwd=folder, check=False)
    assert made.returncode == 0, "make would set up the environment again"
    return folder


def run(command: str, folder: Path, minutes: float = 4) -> str:
    """Run a README line as it stands; gives what it printed, and fails unless it succeeds."""
    environment = {
        **os.environ,
        "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "SECONDS": "8",
        "TESTS": "tests/unit/events/test_money.py",
        "COLUMNS": "120",
    }
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=minutes * MINUTE,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout + result.stderr


def command_with(words: str) -> str:
    """The one README line that begins so."""
    found = [command for command in COMMANDS if command.startswith(words)]
    assert len(found) == 1, (words, found)
    return found[0]


def test_every_command_of_the_readme_is_run_here() -> None:
    known = (
        "make demo",
        "make test",
        "weir --help",
        "weir doctor",
        "weir topics",
        "weir up ",
        "weir replay ",
    )
    known += ("weir explain ", "weir demo --log kafka ")

    assert [command for command in COMMANDS if not command.startswith(known)] == []
    assert len(COMMANDS) == len(known)


def test_make_demo_runs_the_platform_and_ends_by_itself(clone: Path) -> None:
    printed = run(command_with("make demo"), clone)

    assert "average precision" in printed
    assert "http://127.0.0.1:" in printed


def test_make_test_runs_the_tests(clone: Path) -> None:
    printed = run(command_with("make test"), clone)

    assert re.search(r"\d+ passed", printed)


@pytest.mark.parametrize(
    ("words", "shown"), [("weir --help", "replay"), ("weir doctor", "python"), ("weir topics", "assessments")]
)
def test_looking_around_shows_something(clone: Path, words: str, shown: str) -> None:
    assert shown in run(command_with(words), clone)


def test_a_history_is_scored_row_by_row(clone: Path) -> None:
    rows = ["reference,paid_at,total,currency,card_id,shop,is_fraud"]
    rows += [f"t{n},{hour(n)},{10 + n % 7}.50,EUR,c{n % 9},s{n % 4},{int(n % 50 == 0)}" for n in range(600)]
    (clone / "history.csv").write_text("\n".join(rows) + "\n")

    run(command_with("weir replay"), clone)

    scored = pl.read_parquet(clone / "scored.parquet")
    assert scored.columns == [
        *("transaction_id", "score", "risk_score", "outcome", "reasons", "rules"),
        *("challenged_by", "challenged_by_model"),
        *("cost_allow_minor", "cost_review_minor", "cost_block_minor", "cost_challenge_minor"),
        *("anomaly", "features_version", "online_version", "batch_version", "challenger_scaled_logistic"),
    ]
    assert scored["transaction_id"].to_list() == [f"t{n}" for n in range(600)]
    assert scored["score"].is_between(0, 1).all()


def test_a_payment_sent_to_the_running_platform_is_explained(clone: Path) -> None:
    assert command_with("weir up") == "weir up --home .weir/home --port 8000"
    with up(clone / ".weir" / "home") as running:
        payment = str(running.pay()["id"])

    printed = run(command_with("weir explain").replace("PAYMENT", payment), clone)

    assert payment in printed
    assert "card_" in printed


@pytest.mark.kafka
def test_the_demo_runs_on_kafka(clone: Path, kafka_bootstrap: str) -> None:
    # Long enough for a hundred decisions: of fewer, a single late one is more than one in a hundred.
    command = command_with("weir demo --log kafka").replace("--seconds 60", "--seconds 45")

    assert "average precision" in run(f"KAFKA_BOOTSTRAP_SERVERS={kafka_bootstrap} {command}", clone)


def hour(number: int) -> str:
    """An hour of January 2026."""
    return f"2026-01-{1 + number // 24:02}T{number % 24:02}:00:00Z"
