"""Security codes (CVV) between token and authorization: in memory alone, few of them, and not for long."""

from collections import OrderedDict

from events.clock import Clock

LIFETIME_SECONDS = 3600.0
COUNT_MAX = 20_000


class SecurityCodes:
    """Each code is given out once; what nobody asked for within its lifetime is gone.

    Lifetimes are the clock's monotonic seconds. Beyond `count_max` the oldest code goes. A code that goes is
    overwritten; copies that the interpreter made on the way are beyond reach.
    """

    def __init__(
        self, clock: Clock, lifetime_seconds: float = LIFETIME_SECONDS, count_max: int = COUNT_MAX
    ) -> None:
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds
        self._count_max = count_max
        self._held: OrderedDict[str, tuple[float, bytearray]] = OrderedDict()

    def keep(self, token: str, code: str) -> None:
        """Hold the code of a token until it is taken or its time is over."""
        self.drop_expired()
        while len(self._held) >= self._count_max:
            self._drop(next(iter(self._held)))
        self._held[token] = (self._clock.monotonic() + self._lifetime_seconds, bytearray(code, "ascii"))

    def take(self, token: str) -> str | None:
        """The code, for the last time; None when it was used, or its time is over, or there was none."""
        self.drop_expired()
        if token not in self._held:
            return None
        code = self._held[token][1].decode("ascii")
        self._drop(token)
        return code

    def drop_expired(self) -> None:
        """Codes are held in the order of their end, so the first that lives ends the search."""
        now = self._clock.monotonic()
        while self._held:
            token, (ends, _) = next(iter(self._held.items()))
            if ends > now:
                return
            self._drop(token)

    def __len__(self) -> int:
        return len(self._held)

    def _drop(self, token: str) -> None:
        _, code = self._held.pop(token)
        code[:] = bytes(len(code))
