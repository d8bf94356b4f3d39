"""Authentications whose end nobody asks for any more are forgotten, some at a time."""

from typing import NoReturn

import structlog

from events.clock import Clock
from events.moments import microseconds
from gateway.errors import UnavailableError
from gateway.processor import authentication_rows
from gateway.processor.store import ProcessorStore
from gateway.scheduling import Scheduling

KEPT_SECONDS = 35 * 24 * 3600
"""For so long after its payer's time an authentication's end is told: no attempt is in doubt as long."""
FORGET_SECONDS = 3600.0
FORGOTTEN_AT_ONCE_MAX = 250
FORGET_REST_SECONDS = 0.25
"""A thousand a second at most: more than are made, and a few milliseconds of the store each time."""


class OldAuthentications:
    """Goes by the machine's own time, as the time that a payer has does."""

    def __init__(self, store: ProcessorStore, clock: Clock, scheduling: Scheduling) -> None:
        self._store = store
        self._clock = clock
        self._scheduling = scheduling
        self._log = structlog.get_logger("processor")

    async def run(self) -> NoReturn:
        """Forget old ones until canceled."""
        while True:
            forgotten = 0
            try:
                forgotten = await self.forget()
            except UnavailableError as error:
                self._log.error("old authentications are forgotten later", error=type(error).__name__)
            there_may_be_more = forgotten == FORGOTTEN_AT_ONCE_MAX
            await self._scheduling.sleep(FORGET_REST_SECONDS if there_may_be_more else FORGET_SECONDS)

    async def forget(self) -> int:
        """Forget some of those that ended long ago; gives how many."""
        before_us = microseconds(self._clock.now()) - KEPT_SECONDS * 1_000_000
        return await self._store.transact(
            lambda db: authentication_rows.forget_ended(db, before_us, FORGOTTEN_AT_ONCE_MAX)
        )
