"""Homes of live payments: from its first start with `weir up --live`, and for good, a home takes them alone.

Test and live payments of one home share engine, learner and event time, and a test request brings a time of
its own: who holds a test key could stop what is learned from live payments, and make profiles forget.
"""

from pathlib import Path

from events.vocabulary import Mode
from gateway.errors import HomeError, LiveKeyRequiredError
from gateway.keys.key_files import write_secret

MARK = "live-payments-alone"
"""The file in the home that says so; each program looks for it itself, so that none can be told otherwise."""


def is_live_home(home: Path) -> bool:
    """Whether the home takes live payments alone."""
    return (home / MARK).exists()


def mark_live_home(home: Path) -> None:
    """From now on it does: durable when this returns, so that no later start takes a test payment."""
    write_secret(home / MARK, b"This home takes live payments alone, for good (weir up --live).\n")


def require_live_home_mode(home: Path, mode: Mode) -> None:
    """Raises `HomeError` where a command is about test mode and the home has none."""
    if mode == "test" and is_live_home(home):
        raise HomeError(f"{home} takes live payments alone and has no test mode: add --live")


def require_live_key(mode: Mode, *, live_alone: bool) -> None:
    """Raises `LiveKeyRequiredError` where a test key comes to a home of live payments."""
    if live_alone and mode == "test":
        raise LiveKeyRequiredError()
