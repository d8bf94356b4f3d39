"""Days whose counters nothing asks for any more are forgotten, some at a time."""

from datetime import timedelta
from typing import NoReturn, get_args

import structlog
from sqlalchemy import Connection

from events.clock import Clock
from events.vocabulary import Mode
from gateway.business_time import BusinessTime
from gateway.errors import UnavailableError
from gateway.scheduling import Scheduling
from gateway.store.daily_rows import day_of, forget_days
from gateway.store.writer import Store

DAYS_KEPT = 35
"""An authorization, to which an increment or a refusal may still come, holds for a week."""
PRUNE_SECONDS = 3600.0
PRUNED_AT_ONCE_MAX = 500
PRUNE_REST_SECONDS = 0.2

_MODES: tuple[Mode, ...] = get_args(Mode)


class DailyPruning:
    """Goes by the machine's time or its mode's, whichever is earlier.

    Test time that ran ahead may be set back, and shops of times long past are played, too.
    """

    def __init__(self, store: Store, clock: Clock, time: BusinessTime, scheduling: Scheduling) -> None:
        self._store = store
        self._clock = clock
        self._time = time
        self._scheduling = scheduling
        self._log = structlog.get_logger("gateway")

    async def run(self) -> NoReturn:
        """Forget old days until canceled."""
        while True:
            there_may_be_more = False
            try:
                there_may_be_more = await self.prune()
            except UnavailableError:
                self._log.warning("old days are forgotten later")
            await self._scheduling.sleep(PRUNE_REST_SECONDS if there_may_be_more else PRUNE_SECONDS)

    async def prune(self) -> bool:
        """Forget some old days of each mode; whether there may be more."""
        return PRUNED_AT_ONCE_MAX in await self._store.write(self._prune_in)

    def _prune_in(self, connection: Connection) -> list[int]:
        now, kept = self._clock.now(), timedelta(days=DAYS_KEPT)
        return [
            forget_days(connection, mode, day_of(min(now, self._time.now(mode)) - kept), PRUNED_AT_ONCE_MAX)
            for mode in _MODES
        ]
