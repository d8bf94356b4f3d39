"""Telling the log of what a listener refused before it was a request: a few lines, and how many more.

Nobody who connects is known yet, and may do so as often as they like: a line each would fill the disk.
"""

import structlog

from gateway.errors import GatewayError

LINES_MAX = 10
"""Within `PERIOD_SECONDS`, by their request ids; of the rest their number is told when that is over."""
PERIOD_SECONDS = 60.0

_log = structlog.get_logger("gateway")


class Refusals:
    """What one listener refused lately; `now` is the loop's time."""

    def __init__(self) -> None:
        self._began = 0.0
        self._told = 0
        self._untold = 0

    def refused(self, error: GatewayError, request_id: str, now: float) -> None:
        """One that was answered."""
        if self._told >= LINES_MAX:
            self._untold += 1
            return
        self._began = self._began if self._told else now
        self._told += 1
        _log.warning(
            "refused before it was a request", request=request_id, code=error.code, status=error.STATUS
        )

    def dropped(self) -> None:
        """One that was closed without a word."""
        self._untold += 1

    def look(self, now: float) -> None:
        """Tell what was not told, once its period is over."""
        if now - self._began < PERIOD_SECONDS or not (self._told or self._untold):
            return
        if self._untold:
            _log.warning("refused before they were requests", count=self._untold)
        self._began, self._told, self._untold = now, 0, 0
