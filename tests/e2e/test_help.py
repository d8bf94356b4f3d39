"""The front door: every command explains itself, and the door opens fast."""

import subprocess
import sys

import pytest

from tests.e2e.platforms import weir

COMMANDS = ("up", "demo", "doctor", "replay", "explain", "topics")
HEAVY = (
    "bytewax",
    "river",
    "sklearn",
    "numpy",
    "polars",
    "fastapi",
    "sqlalchemy",
    "confluent_kafka",
    "kafka",
)


def test_help_lists_every_command_with_what_it_does() -> None:
    shown = weir("--help", seconds_max=60)

    assert shown.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = weir(command, "--help", seconds_max=60)

    assert shown.returncode == 0
    assert "Usage: " in shown.stdout
    assert "--help" in shown.stdout


def test_help_imports_nothing_that_is_slow() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, weir; print([m for m in {HEAVY!r} if m in sys.modules])"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"


def test_an_unknown_command_is_refused_with_the_way_to_help() -> None:
    refused = weir("fly", seconds_max=60)

    assert refused.returncode == 2
    assert "No such command 'fly'" in refused.stderr
