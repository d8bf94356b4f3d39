"""The front door: every command explains itself, and the door opens fast."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from tests.e2e.platforms import weir
from weir import app

COMMANDS = ("up", "demo", "doctor", "replay", "explain", "topics")
HEAVY = (
    "bytewax",
    "cryptography",
    "structlog",
    "asyncio",
    "rich",
    "river",
    "sklearn",
    "numpy",
    "polars",
    "fastapi",
    "sqlalchemy",
    "confluent_kafka",
    "kafka",
)
LEARNERS = ("river.anomaly", "river.linear_model", "sklearn", "scipy", "pandas", "bytewax")


def test_help_lists_every_command_with_what_it_does() -> None:
    shown = weir("--help", seconds_max=60)

    assert shown.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in shown.stdout


def every_command(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and of every group of commands, at every level."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from every_command(inner, *words, name)


@pytest.mark.parametrize("words", list(every_command(typer.main.get_command(app))), ids=" ".join)
def test_every_command_at_every_level_explains_itself(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])

    assert shown.exception is None
    assert "Usage: " in shown.output
    assert "--help" in shown.output


def test_commands_within_commands_are_among_those_tried() -> None:
    tried = set(every_command(typer.main.get_command(app)))

    assert {("up",), ("dead-letters",), ("dead-letters", "list"), ("merchants", "create")} <= tried


def test_help_imports_nothing_that_is_slow() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, weir; print([m for m in {HEAVY!r} if m in sys.modules])"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"


def test_explaining_loads_no_library_that_models_learn_with() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, pipelines.explain; print([m for m in {LEARNERS!r} if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"


def test_the_version_is_told() -> None:
    shown = weir("--version", seconds_max=60)

    assert (shown.returncode, shown.stdout) == (0, f"weir {version('weir')}\n")


def test_an_unknown_command_is_refused_with_the_way_to_help() -> None:
    refused = weir("fly", seconds_max=60)

    assert refused.returncode == 2
    assert "No such command 'fly'" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--log", "carrier-pigeon"],
        ["demo", "--log", "carrier-pigeon"],
        ["doctor", "--log", "carrier-pigeon"],
        ["surrogate", "device", "laptop"],
        ["merchants", "list"],
        ["api-keys", "list"],
        ["erase-person", "--merchant", "acct_shop", "--customer", "cus_42"],
        ["rules", "list"],
        ["explain", "pi_1"],
        ["topics"],
        ["dead-letters", "list"],
    ],
    ids=" ".join,
)
def test_a_refusal_begins_with_the_command_that_refuses(tmp_path: Path, words: list[str]) -> None:
    refused = CliRunner().invoke(app, [*words, "--home", str(tmp_path / "none")])

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"weir {words[0]}: ")


def test_a_replay_of_no_file_is_refused_in_the_same_way(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["replay", str(tmp_path / "none.csv"), "--map", "handbook"])

    assert refused.stderr.startswith("weir replay: ")
