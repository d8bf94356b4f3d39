"""What programs log: JSON lines from a level on, of libraries too, and no text that may quote a secret."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from events.program_logs import TEXT_CHARACTERS_MAX, LogLevel, add_log_level

SECRET = "4000027500183462"


def lines_of(program: str, level: LogLevel, *words: str) -> list[dict[str, Any]]:
    """What a program logs, whose whole standard error must be JSON lines without the secret."""
    head = (
        "import logging, structlog, sys\nfrom events.program_logs import LogLevel, log_as_json\n"
        f"log_as_json(LogLevel({level.value!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + program, SECRET, *words], capture_output=True, text=True, check=True
    )
    assert SECRET not in done.stderr, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (LogLevel.DEBUG, {"own debug", "own info", "own error", "its debug", "its info", "its warning"}),
        (LogLevel.INFO, {"own info", "own error", "its warning"}),
        (LogLevel.WARNING, {"own error", "its warning"}),
        (LogLevel.ERROR, {"own error"}),
    ],
)
def test_a_level_lets_through_what_is_as_grave(level: LogLevel, heard: set[str]) -> None:
    program = (
        "own, its = structlog.get_logger('own'), logging.getLogger('library')\n"
        "own.debug('own debug'), own.info('own info'), own.error('own error')\n"
        "its.debug('its debug'), its.info('its info'), its.warning('its warning')\n"
    )

    lines = lines_of(program, level)

    assert {line["event"] for line in lines} == heard
    assert all(set(line) >= {"event", "level", "timestamp"} for line in lines)


def test_an_exception_is_logged_by_class_and_places_and_its_text_is_not() -> None:
    program = (
        "try:\n    int('x' + sys.argv[1])\n"
        "except ValueError:\n    logging.getLogger('library').exception('failed')\n"
    )

    (line,) = lines_of(program, LogLevel.DEBUG)

    assert (line["event"], line["error"], line["level"]) == ("failed", "ValueError", "error")
    assert line["at"] == ["<string>:5"]


def test_an_exception_that_a_line_is_made_of_is_told_by_its_class() -> None:
    program = (
        "try:\n    int('x' + sys.argv[1])\n"
        "except ValueError as error:\n"
        "    logging.getLogger('library').warning('ignored on %s: %s', 1, error)\n"
    )

    (line,) = lines_of(program, LogLevel.DEBUG)

    assert line["event"] == "ignored on 1: ValueError"


@pytest.mark.parametrize("library", ["psycopg", "psycopg.pool", "sqlalchemy.pool.impl.QueuePool"])
def test_libraries_that_quote_exceptions_themselves_are_not_heard(library: str) -> None:
    program = f"logging.getLogger({library!r}).warning('reason: ' + sys.argv[1])\n"

    assert lines_of(program, LogLevel.DEBUG) == []


def test_a_task_that_failed_unheard_is_told_without_what_it_says_of_itself() -> None:
    program = (
        "import asyncio, gc\n"
        "async def fail(text): raise ValueError(text)\n"
        "async def scene():\n    asyncio.create_task(fail(sys.argv[1]))\n    await asyncio.sleep(0.01)\n"
        "asyncio.run(scene()); gc.collect()\n"
    )

    (line,) = (line for line in lines_of(program, LogLevel.DEBUG) if line["level"] == "error")

    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValueError")


def test_a_line_that_cannot_be_made_tells_nothing_of_its_arguments() -> None:
    assert lines_of("logging.getLogger('library').warning('%d', sys.argv[1])", LogLevel.DEBUG) == []


def test_a_message_of_a_library_is_bounded() -> None:
    (line,) = lines_of("logging.getLogger('library').warning('x' * 1_000_000)", LogLevel.DEBUG)

    assert line["event"] == "x" * TEXT_CHARACTERS_MAX


def test_statements_are_logged_at_debug_and_neither_their_parameters_nor_rows(tmp_path: Path) -> None:
    program = (
        "from sqlalchemy import text\nfrom gateway.store.database import open_engine\n"
        "engine = open_engine('sqlite:///' + sys.argv[2])\n"
        "with engine.connect() as connection:\n"
        "    row = connection.execute(text('SELECT :it AS it'), {'it': sys.argv[1]}).one()\n"
        "assert row.it == sys.argv[1]\n"
    )

    lines = lines_of(program, LogLevel.DEBUG, str(tmp_path / "gateway.sqlite"))

    assert "SELECT ? AS it" in {line["event"] for line in lines}


def test_the_level_of_a_program_is_its_option_else_the_environments_else_info() -> None:
    def level(words: list[str], environment: dict[str, str]) -> LogLevel:
        parser = argparse.ArgumentParser()
        add_log_level(parser, environment)
        found: LogLevel = parser.parse_args(words).log_level
        return found

    assert level(["--log-level", "error"], {"WEIR_LOG_LEVEL": "debug"}) is LogLevel.ERROR
    assert level([], {"WEIR_LOG_LEVEL": "debug"}) is LogLevel.DEBUG
    assert level([], {"WEIR_LOG_LEVEL": ""}) is LogLevel.INFO
    with pytest.raises(SystemExit):
        level([], {"WEIR_LOG_LEVEL": "loud"})
