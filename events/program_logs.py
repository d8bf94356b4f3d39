"""How every program logs: one JSON object a line on standard error, from a level on, and nothing secret.

Libraries are heard from warnings on, and at `debug` in detail. Whatever they log, no line holds the text of
an exception, which may quote a request or a row: its class and places stand for it. Statements of SQL are
logged without their parameters, and rows never.
"""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

ENVIRONMENT = "WEIR_LOG_LEVEL"
"""Where the level stands that is taken where none is given."""
TEXT_CHARACTERS_MAX = 2_000
"""Of one message of a library: a request to a broker may be a megabyte."""
PLACES_MAX = 5

_SPARING = {"sqlalchemy.engine": logging.INFO, "kafka": logging.INFO}
"""Loggers that are no more detailed than this: below it SQLAlchemy logs rows, and kafka-python each poll."""
_QUOTING = ("psycopg", "sqlalchemy.pool", "opentelemetry")
"""Loggers that make a text of exceptions themselves, which may be a row or an answer: nobody hears them."""
_FIRST_LINE_ALONE = frozenset({"asyncio"})
"""What these add to their first line are representations of tasks and exceptions."""


class LogLevel(StrEnum):
    """From which level on a program logs."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """As `logging` counts it."""
        return logging.getLevelNamesMapping()[self.upper()]


def add_log_level(parser: argparse.ArgumentParser, environment: Mapping[str, str] = os.environ) -> None:
    """Give a program the option `--log-level`."""
    parser.add_argument(
        "--log-level",
        type=LogLevel,
        choices=list(LogLevel),
        default=environment.get(ENVIRONMENT) or LogLevel.INFO,
        help=f"from which level on is logged; else {ENVIRONMENT} says it, else info",
    )


def log_as_json(level: LogLevel) -> None:
    """Have structlog and the loggers of libraries write to standard error; before anything else is made."""
    import structlog  # 0.1 s, which `weir --help` need not wait for

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    detailed = level is LogLevel.DEBUG
    logging.basicConfig(
        handlers=[handler], level=level.number if detailed else max(level.number, logging.WARNING), force=True
    )
    for name, least in _SPARING.items():
        logging.getLogger(name).setLevel(least if detailed else logging.NOTSET)
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.raiseExceptions = False  # a line that cannot be made would be told with all its arguments
    logging.captureWarnings(True)


class JsonLine(logging.Formatter):
    """A library's record as one JSON object, like those of the programs' own loggers."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                type(one).__name__ if isinstance(one, BaseException) else one for one in record.args
            )
        text = record.getMessage()
        if record.name in _FIRST_LINE_ALONE:
            text = text.partition("\n")[0]
        told: dict[str, object] = {"event": text[:TEXT_CHARACTERS_MAX], "logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            told |= {"error": type(error).__name__, "at": places(error)}
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return msgspec.json.encode(told | {"level": record.levelname.lower(), "timestamp": at}).decode()


def places(error: BaseException) -> list[str]:
    """Where an error came from: what a log may say of it beside its class."""
    return [f"{one.filename}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)[-PLACES_MAX:]]
