"""What every program does alike: it says when it is ready, and logs JSON on standard error."""

import sys

import msgspec
import structlog


def announce(program: str, **told: int) -> None:
    """Say on standard output, in one line of JSON, that the program is ready, and where it listens."""
    sys.stdout.write(msgspec.json.encode({"ready": program, **told}).decode() + "\n")
    sys.stdout.flush()


def log_as_json() -> None:
    """Set structlog up: one object a line, with level and UTC time."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
