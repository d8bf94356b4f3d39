"""A starting API waits for servers that are away, and not for one that is set up wrongly."""

import asyncio
import time

import pytest

from events.errors import LogUnavailableError, LogUnusableError
from gateway.api.__main__ import waited_for
from gateway.errors import StoreUnavailableError, StoreUnsafeError


@pytest.mark.parametrize("away", [LogUnavailableError("away"), StoreUnavailableError("away")])
def test_what_is_away_is_opened_when_it_is_back(away: Exception) -> None:
    tries = iter([away, None])

    def open_it() -> str:
        if (error := next(tries)) is not None:
            raise error
        return "opened"

    assert asyncio.run(waited_for("log", open_it, time.monotonic() + 30)) == "opened"


@pytest.mark.parametrize("wrong", [LogUnusableError("wrong"), StoreUnsafeError("wrong")])
def test_what_will_never_be_usable_is_told_at_once(wrong: Exception) -> None:
    tries = []

    def open_it() -> None:
        tries.append(1)
        raise wrong

    with pytest.raises(type(wrong)):
        asyncio.run(waited_for("store", open_it, time.monotonic() + 30))
    assert len(tries) == 1


def test_what_is_opened_once_the_time_of_all_is_over_has_one_try() -> None:
    tries = []

    def open_it() -> None:
        tries.append(1)
        raise StoreUnavailableError("away")

    with pytest.raises(StoreUnavailableError):
        asyncio.run(waited_for("store", open_it, give_up_at=time.monotonic()))
    assert len(tries) == 1
